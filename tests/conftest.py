"""A real engine for every story, and sites on it that go away afterwards."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack import atomic, settings
from stack.engine.client import connected
from stack.errors import Refused
from tests.support import datacentre, proxies
from tests.support import site as sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import DockerClient

    from tests.support.datacentre import System
    from tests.support.site import Site
    from tests.support.vps import Vps


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="what is measured, in its long form")
    parser.addoption("--proof", action="store_true", help="measure also what is set beside other tools")
    parser.addoption("--tables", metavar="DIRECTORY", help="write what was measured to files in there")
    parser.addoption("--picture", metavar="FILE", help="draw the ways to update into this file")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `bin/inv bench.update` measures: it takes minutes, and a machine at rest."""
    if config.getoption("--proof"):
        return
    measured = [item for item in items if item.get_closest_marker("proof")]
    items[:] = [item for item in items if item not in measured]
    config.hook.pytest_deselected(items=measured)


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """Give a client of the engine. Without one the test fails: nothing here can be shown without it."""
    with ExitStack() as stack:
        try:
            client = stack.enter_context(connected())
        except Refused as refusal:
            pytest.fail(f"{refusal}\n\nfor a machine without Docker: bin/inv test --provision", pytrace=False)
        yield client
        proxies.forget(client)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what all sites of a session are copies of."""
    return sites.copy_of_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def new_site(
    engine: DockerClient, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Site]]:
    """Make sites: ``new_site("purpose", HOST_PORT="1234")``.

    Each is removed when its module is done: an engine has addresses for about 30 networks.
    """
    with ExitStack() as stack:

        def make(purpose: str, directory: Path | None = None, **values: str) -> Site:
            place = directory or tmp_path_factory.mktemp(purpose)
            site = sites.create(place, purpose, template, **values)
            stack.callback(site.destroy)
            return site

        yield make


@dataclass(frozen=True)
class Deployed:
    """A site, what its first deploy said on stderr, its image and the `.env.production` it was built with."""

    site: Site
    told: str
    image: str
    env: str


@pytest.fixture(scope="session")
def first_deploy(
    engine: DockerClient, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """Deploy a site from nothing, through a symbolic link, from another directory."""
    site = sites.create(tmp_path_factory.mktemp("shop"), "shop", template)
    with ExitStack() as stack:
        stack.callback(site.destroy)
        yield _deployed(site, tmp_path_factory)


def _deployed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    link = tmp_path_factory.mktemp("elsewhere") / "deploy"
    link.symlink_to(site.root / "deploy.sh")
    done = site.run(str(link), cwd=link.parent)
    assert done.returncode == 0, done.stderr
    image = settings.load(site.root).app_image
    assert image == f"{site.name}:{done.stdout.splitlines()[-1]}"
    return Deployed(site, done.stderr, image, (site.root / ".env.production").read_text())


@pytest.fixture(scope="session")
def shop(first_deploy: Deployed) -> Site:
    """Give a site that every test leaves running and healthy."""
    return first_deploy.site


@pytest.fixture(scope="session")
def image(first_deploy: Deployed) -> str:
    """Give the name of the image that the first deploy built."""
    return first_deploy.image


@pytest.fixture(scope="module")
def sibling(new_site: Callable[..., Site], first_deploy: Deployed) -> Callable[..., Site]:
    """Make sites that run the shop's image with the shop's secrets: for tests that are not about building."""

    def make(purpose: str, directory: Path | None = None, **values: str) -> Site:
        site = new_site(purpose, directory, APP_IMAGE=first_deploy.image, **values)
        atomic.replace(site.root / ".env.production", first_deploy.env, mode=0o600)
        return site

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Make file systems in memory: ``small_disk("size=3m")``."""
    with ExitStack() as stack:

        def make(options: str) -> Path:
            place = tmp_path / "disk"
            place.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
            stack.callback(lambda: subprocess.run(["umount", "--lazy", place], check=True))
            return place

        yield make


@pytest.fixture(scope="session")
def rent(engine: DockerClient) -> Iterator[Callable[[System], Vps]]:
    """Rent servers: ``rent(datacentre.FRESH)``. Each is given back at the end of the session."""
    with datacentre.opened(engine) as office:
        yield office
