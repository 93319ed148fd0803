"""An image that was built elsewhere: what is asked of the engine, and which ones are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest

from stack import envfile, registry, run, settings
from stack.errors import Refused
from stack.host import base_images
from stack.operations.deploy import deploy
from stack.operations.update import update
from tests.unit.support.servers import Reply
from tests.unit.support.world import DOCKER

if TYPE_CHECKING:
    from docker import DockerClient

    from stack.settings import Settings
    from tests.unit.support.world import World

SOURCE = "registry.example.com/me/shop:stable"
ID = "0123456789abcdef"
LABELS = {"inputs": ""}


@pytest.fixture
def site(world: World) -> Settings:
    """Give a site whose image is on a registry only."""
    envfile.write(world.root / ".env", {"IMAGE_SOURCE": SOURCE})
    (world.root / "app" / "page.tsx").unlink()
    return settings.load(world.root)


def gives(world: World, *, identity: str = ID, user: str = "1000:1000", bare: bool = False) -> None:
    labels = None if bare else LABELS
    world.docker.has_image(SOURCE, id_=f"sha256:{identity}", labels=labels, user=user)


def pulls(world: World) -> list[list[str]]:
    return [call for call in world.programs.calls("docker") if call[0] == "pull"]


def refuses(world: World, says: str) -> None:
    script = DOCKER.format(here=world.here)
    world.programs.add("docker", f'[ "$1" != pull ] || {{ echo "{says}" >&2; exit 1; }}\n{script}')


def test_an_image_that_is_here_is_taken_and_the_registry_left_alone(
    world: World, client: DockerClient, site: Settings
) -> None:
    gives(world)
    assert registry.image(client, site).id == f"sha256:{ID}"
    assert pulls(world) == []


def test_an_image_that_is_not_here_is_pulled(world: World, client: DockerClient, site: Settings) -> None:
    with pytest.raises(Refused, match="is no image of this stack") as refused:
        registry.image(client, site)
    assert (pulls(world), refused.value.why) == ([["pull", SOURCE]], "the registry gave something else")


def test_a_registry_that_refuses_is_quoted(world: World, client: DockerClient, site: Settings) -> None:
    refuses(world, "Error: denied: requested access to the resource is denied")
    with pytest.raises(Refused, match=f"{SOURCE} cannot be pulled") as refused:
        registry.image(client, site)
    assert refused.value.why == "Error: denied: requested access to the resource is denied"


@pytest.mark.parametrize("user", ["", "0", "root", "0:0", "root:node"])
def test_an_image_that_runs_as_root_is_refused(
    user: str, world: World, client: DockerClient, site: Settings
) -> None:
    gives(world, user=user)
    with pytest.raises(Refused, match="is no image of this stack") as refused:
        registry.image(client, site)
    assert refused.value.why.startswith("it runs as root")


def test_an_image_of_another_dockerfile_is_refused(
    world: World, client: DockerClient, site: Settings
) -> None:
    gives(world, bare=True)
    with pytest.raises(Refused, match="is no image of this stack"):
        registry.image(client, site)


def test_a_deploy_builds_nothing_and_names_the_image_itself(world: World, site: Settings) -> None:
    gives(world)
    world.docker.answers[f"POST /images/sha256:{ID}/tag"] = Reply(201)
    world.docker.answers[f"GET /images/sha256:{ID}/json"] = world.docker.answers[f"GET /images/{SOURCE}/json"]
    del world.docker.answers["GET /images/node:24-alpine/json"]
    release = deploy(world.root)
    assert release.endswith(f"Z-{ID[:12]}")
    assert world.dotenv["APP_IMAGE"] == f"shop:{release}"
    assert "build" not in world.ran()
    tagged = next(one for one in world.docker.server.requests if one.path.endswith("/tag"))
    asked = dict(parse_qsl(tagged.query))
    assert asked["repo"] == f"shop:{release}"


def test_the_image_that_is_live_is_nothing_new(world: World, site: Settings) -> None:
    live = "shop:20260101T000000Z-0123456789ab"
    world.has_deployed(live)
    gives(world)
    world.docker.has_image(live, id_=f"sha256:{ID}", labels=LABELS)
    assert f"shop:{deploy(world.root)}" == live


def test_an_update_always_asks_the_registry(
    world: World, site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(run, "become", lambda argv, **_: became.append(argv))
    gives(world)
    update(world.root)
    assert pulls(world) == [["pull", SOURCE]]
    assert [argv[1:] for argv in became] == [["deploy"]]


def test_a_registry_that_refuses_ends_an_update(
    world: World, site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "become", pytest.fail)
    refuses(world, "connection refused")
    gives(world)
    with pytest.raises(Refused, match="cannot be pulled"):
        update(world.root)
    assert world.live is None


def test_nothing_to_build_with_is_needed(world: World, client: DockerClient, site: Settings) -> None:
    del world.docker.answers["GET /images/node:24-alpine/json"]
    assert base_images.absent(client, site) == {}
