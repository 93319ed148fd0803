"""A real engine for every story, and sites on it that go away afterwards."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from stack import settings
from stack.engine.client import connected
from stack.errors import Refused
from tests.support import proxies
from tests.support import site as sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.site import Site


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
def new_site(engine: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Make sites: ``new_site("purpose", HOST_PORT="1234")``. Each is removed at the end of the session."""
    template = sites.copy_of_checkout(tmp_path_factory.mktemp("checkout"))
    with ExitStack() as stack:

        def make(purpose: str, **values: str) -> Site:
            site = sites.create(tmp_path_factory.mktemp(purpose), purpose, template, **values)
            stack.callback(site.destroy)
            return site

        yield make


@pytest.fixture(scope="session")
def shop(new_site: Callable[..., Site]) -> Site:
    """Give a site that was deployed from nothing and that tests leave running and healthy."""
    site = new_site("shop")
    site.deploy()
    return site


@pytest.fixture(scope="session")
def image(shop: Site) -> str:
    """Give the name of a built image, for sites whose test is not about building."""
    return settings.load(shop.root).app_image
