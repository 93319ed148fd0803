"""What makes a bare machine ready, as far as a machine that is ready can show it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from docker.errors import ContainerError

from stack import envfile
from stack.engine import client
from stack.host import standins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.site import Site


@pytest.fixture(scope="module")
def made(engine: DockerClient) -> Iterator[standins.Names]:
    """Build both stand-ins under names of this test's own."""
    tag = uuid.uuid4().hex[:6]
    names = standins.Names(node=f"test-standin-node:{tag}", caddy=f"test-standin-caddy:{tag}")
    standins.build(engine, names)
    yield names
    for name in (names.node, names.caddy):
        engine.images.remove(name, force=True)


def test_a_machine_that_has_everything_is_left_as_it_is(new_site: Callable[..., Site]) -> None:
    site = new_site("ready")
    before = (site.root / ".env").read_text()
    done = site.run("bin/inv", "provision")
    assert done.returncode == 0, done.stderr
    assert "present" in done.stderr
    assert (site.root / ".env").read_text() == before


def test_the_engine_that_answers_is_recognised(engine: DockerClient) -> None:
    assert client.running_version() == engine.version()["Version"]


def test_the_stand_in_for_node_runs_node_npm_and_a_shell(engine: DockerClient, made: standins.Names) -> None:
    told = engine.containers.run(made.node, ["sh", "-c", "node --version && npm --version"], remove=True)
    assert told.startswith(b"v24.")


def test_the_stand_in_for_caddy_needs_its_capability_like_the_official_one(
    engine: DockerClient, made: standins.Names
) -> None:
    with pytest.raises(ContainerError, match="operation not permitted"):
        _caddy_version(engine, made.caddy, capabilities=[])
    assert _caddy_version(engine, made.caddy, capabilities=["NET_BIND_SERVICE"]).startswith(b"v2.")


def test_an_image_of_somebody_else_is_never_replaced_by_a_stand_in(new_site: Callable[..., Site]) -> None:
    site = new_site("foreign", NODE_IMAGE="registry.invalid/own/node:24")
    done = site.run("bin/inv", "provision")
    assert done.returncode == 11
    assert "NODE_IMAGE=registry.invalid/own/node:24 is not on this machine" in done.stderr
    assert envfile.read(site.root / ".env")["NODE_IMAGE"] == "registry.invalid/own/node:24"


def _caddy_version(engine: DockerClient, image: str, *, capabilities: list[str]) -> bytes:
    return engine.containers.run(
        image, ["caddy", "version"], user="1000:1000", cap_drop=["ALL"], cap_add=capabilities, remove=True
    )
