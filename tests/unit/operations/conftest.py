"""A site for operations to work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.support import engine
from tests.unit.support.servers import Reply, serving
from tests.unit.support.world import DOCKER, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.support.programs import Programs


@pytest.fixture
def world(checkout: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a site that was never deployed, on a machine that has all it needs."""
    programs.add("docker", DOCKER.format(here=programs.directory))
    monkeypatch.setenv("PLUGIN_SAYS", "2.40.3")
    (checkout / ".dockerignore").write_text("*\n")
    with engine.running() as docker:
        monkeypatch.setenv("DOCKER_HOST", docker.host)
        world = World(checkout, docker, programs)
        docker.has_image("node:24-alpine", id_="sha256:node")
        docker.has_image("caddy:2-alpine", id_="sha256:caddy")
        docker.answers["GET /networks/proxy"] = {"Id": "n1", "Name": "proxy", "Scope": "local"}
        docker.answers["GET /containers/json"] = lambda: (
            [engine.listed(world.container())] if world.live else []
        )
        docker.answers["GET /volumes"] = {"Volumes": []}
        for purpose in ("payload-db", "media-uploads"):
            docker.answers[f"GET /volumes/shop_{purpose}"] = lambda: (
                {"Name": "there"} if (world.here / "volumes").exists() else Reply(404, '{"message": ""}')
            )
        docker.answers["GET /info"] = {"DockerRootDir": str(checkout)}
        monkeypatch.setattr("stack.host.ports.taken", lambda _: False)  # the gate of this world never sleeps
        docker.answers["GET /containers/app0ff27c883dfb/json"] = world.container
        docker.answers["GET /containers/app0ff27c883dfb/logs"] = engine.log("cannot open database\n")
        with serving(world.gate) as gate:
            (checkout / ".env").write_text(f"HOST_PORT={gate.port}\n")
            yield world
