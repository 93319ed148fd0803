"""Who does not build: the release comes from a registry, which is a real one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from stack import settings
from tests.support import registry as registries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.registry import Registry
    from tests.support.site import Site

STABLE = "me/shop:stable"


@pytest.fixture(scope="module")
def registry(engine: DockerClient) -> Iterator[Registry]:
    with registries.running(engine) as made:
        yield made


@pytest.fixture(scope="module")
def site(registry: Registry, sibling: Callable[..., Site], image: str) -> Site:
    """Give a site that never built anything, and that goes before the registry does."""
    site = sibling("pulled", IMAGE_SOURCE=f"{registry.address}/{STABLE}", NODE_IMAGE="none")
    site.set(APP_IMAGE="")
    site.build_on("an-image-that-nobody-has")
    built = published(registry, image, "one")
    assert site.deploy().endswith(f"-{built[:12]}")
    return site


def published(registry: Registry, image: str, says: str, *lines: str) -> str:
    """Publish a release whose health route says what it is; return the digits of its id."""
    return registry.publish(STABLE, f"FROM {image}", f"ENV RELEASE={says}", *lines).removeprefix("sha256:")


def serves(site: Site) -> str:
    says: str = site.get("/api/health").json()["release"]
    return says


def refused(site: Site, *said: str) -> None:
    before = site.state()
    done = site.run("./update.sh")
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (11, "", False), done.stderr
    for words in said:
        assert words in done.stderr
    assert site.state() == before


def test_a_deploy_takes_the_image_of_the_registry_under_a_name_of_its_own(site: Site) -> None:
    assert serves(site) == "one"
    assert re.fullmatch(rf"{site.name}:\d{{8}}T\d{{6}}Z-[0-9a-f]{{12}}", settings.load(site.root).app_image)


def test_a_deploy_does_not_ask_the_registry_again(site: Site, registry: Registry, image: str) -> None:
    published(registry, image, "two")
    before = site.state()
    site.deploy()
    assert (site.state(), serves(site)) == (before, "one")


def test_a_plan_asks_the_registry_and_pulls_nothing(site: Site, registry: Registry) -> None:
    before, images = site.state(), site.run("docker", "images", "--no-trunc").stdout.count(registry.address)
    told = planned(site)
    assert told["what_changed"] == f"{registry.address}/{STABLE}: more is known when it is here"
    assert (told["build"], told["migrations"], told["steps"][0]) == (
        False,
        None,
        f"Pull {registry.address}/{STABLE}",
    )
    assert site.state() == before
    assert site.run("docker", "images", "--no-trunc").stdout.count(registry.address) == images


def planned(site: Site) -> dict[str, Any]:
    done = site.run("./update.sh", "--plan", "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_an_update_brings_what_the_name_means_now(site: Site, registry: Registry, image: str) -> None:
    built = published(registry, image, "three")
    done = site.run("./update.sh")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(f"-{built[:12]}")
    assert f"Pull {registry.address}/{STABLE}" in done.stderr
    assert serves(site) == "three"


def test_the_same_image_is_nothing_to_do(site: Site) -> None:
    before = site.state()
    assert planned(site)["what_changed"] == "nothing: the same image"
    done = site.run("./update.sh")
    assert (done.returncode, "nothing: the same image" in done.stderr) == (0, True), done.stderr
    assert site.state() == before


def test_an_image_of_somebody_else_is_refused(site: Site, registry: Registry, image: str) -> None:
    published(registry, image, "root", "USER root")
    refused(site, f"{STABLE} is no image of this stack", "it runs as root")
    registry.publish(STABLE, f"FROM {settings.load(site.root).gate_image}", "USER 1000")
    refused(site, f"{STABLE} is no image of this stack", "Dockerfile are missing")
    assert serves(site) == "three"


def test_a_name_that_the_registry_does_not_know_is_refused(site: Site, registry: Registry) -> None:
    site.set(IMAGE_SOURCE=f"{registry.address}/me/shop:mistyped")
    refused(site, "shop:mistyped cannot be pulled", "not found")
    site.set(IMAGE_SOURCE=f"{registry.address}/{STABLE}")


def test_a_registry_that_does_not_answer_is_refused(site: Site, registry: Registry) -> None:
    registry.container.stop(timeout=1)
    refused(site, f"{STABLE} cannot be pulled", "connection refused")
