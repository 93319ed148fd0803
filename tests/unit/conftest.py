"""What unit tests share: a checkout of a site, programs that remember, an engine, and all of it together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from stack import backups, envfile, environment, operation, recovery, settings
from tests.unit.support import archived, engine
from tests.unit.support.programs import Programs
from tests.unit.support.restoring import NAME
from tests.unit.support.servers import Reply, serving
from tests.unit.support.shop import SECRET, Shop
from tests.unit.support.world import ANSWERS, DOCKER, FACTS, NEW, OLD, TRIAL, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

    from stack.settings import Settings
    from tests.unit.support.engine import Engine

ROOT = Path(__file__).resolve().parents[2]

# The same examples on each run: what a pull request did not break does not fail it.
hypothesis.settings.register_profile("unit", max_examples=50, deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("unit")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a directory called `shop` with the checkout's own files and an application of one file."""
    root = tmp_path / "shop"
    (root / "app").mkdir(parents=True)
    (root / "app" / "page.tsx").write_text("export default () => null\n")
    for name in ("docker-compose.yml", "Dockerfile", ".env.production.example"):
        shutil.copy(ROOT / name, root)
    return root


@pytest.fixture
def site(checkout: Path) -> Settings:
    """Give the settings of a checkout without `.env`."""
    return settings.load(checkout)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Give a directory in front of PATH for stand-ins."""
    return Programs(tmp_path / "programs", monkeypatch)


@pytest.fixture
def docker() -> Iterator[Engine]:
    """Give an engine."""
    with engine.running() as made:
        yield made


@pytest.fixture
def client(docker: Engine) -> Iterator[DockerClient]:
    """Give a client of the engine."""
    with engine.client_of(docker) as made:
        yield made


@pytest.fixture
def world(
    checkout: Path, docker: Engine, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Give a site that was never deployed, on a machine that has all it needs."""
    programs.add("docker", DOCKER.format(here=programs.directory))
    (programs.directory / "facts").write_text(FACTS)
    (programs.directory / "probe").write_text(ANSWERS)
    (programs.directory / "keep").write_text('{"kept": 0}\n')
    monkeypatch.setenv("PLUGIN_SAYS", "2.40.3")
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    (checkout / ".dockerignore").write_text("*\n")
    world = World(checkout, docker, programs)
    docker.has_image("node:24-alpine", id_="sha256:node")
    docker.has_image("caddy:2-alpine", id_="sha256:caddy")
    docker.answers["GET /networks/proxy"] = {"Id": "n1", "Name": "proxy", "Scope": "local"}
    docker.answers["GET /containers/json"] = world.containers
    docker.answers["GET /images/json"] = []
    docker.answers["GET /volumes"] = {"Volumes": []}
    for purpose in ("payload-db", "media-uploads"):
        docker.answers[f"GET /volumes/shop_{purpose}"] = lambda: (
            {"Name": "there"} if (world.here / "volumes").exists() else Reply(404, '{"message": ""}')
        )
    docker.answers["GET /info"] = {"DockerRootDir": str(checkout.parent / "engine")}
    monkeypatch.setattr("stack.host.ports.taken", lambda _: False)  # the gate of this world never sleeps
    docker.answers["GET /containers/app0ff27c883dfb/json"] = world.container
    docker.answers["GET /containers/app0ff27c883dfb/logs"] = engine.log("cannot open database\n")
    docker.answers["POST /containers/app0ff27c883dfb/update"] = {"Warnings": None}
    docker.answers["POST /containers/app0ff27c883dfb/start"] = Reply(204)
    docker.answers[f"GET /containers/{NEW}/json"] = world.new
    docker.answers[f"POST /containers/{NEW}/update"] = {"Warnings": None}
    docker.answers[f"DELETE /containers/{NEW}"] = world.new_goes
    docker.answers[f"GET /containers/{TRIAL}/json"] = world.trial
    docker.answers[f"GET /containers/{TRIAL}/stats"] = engine.IDLE
    docker.answers[f"GET /containers/{TRIAL}/logs"] = engine.log("cannot open database\n")
    docker.answers[f"POST /containers/{TRIAL}/stop"] = Reply(204)
    docker.answers[f"DELETE /containers/{TRIAL}"] = world.trial_goes
    with serving(world.gate) as gate:
        (checkout / ".env").write_text(f"HOST_PORT={gate.port}\n")
        yield world


@pytest.fixture
def shop(world: World, client: DockerClient, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Give a site that serves, on an engine that one need not wait for."""
    monkeypatch.setattr(recovery, "PATIENCE", 0)
    monkeypatch.setattr(operation, "LATE", 0)
    world.has_deployed(OLD)
    (world.here / "volumes").touch()
    environment.create(settings.load(world.root), server_url="https://shop.example.com")
    envfile.write(world.root / ".env.production", {"PAYLOAD_SECRET": SECRET})
    return Shop(world, client)


@pytest.fixture
def archive(shop: Shop) -> Path:
    """Give an archive of what the site holds."""
    path = backups.directory(shop.site) / NAME
    archived.write(path)
    return path
