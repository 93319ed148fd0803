"""pytest-docker starts the site that the specification's tests look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.spec import checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_docker.plugin import Services

    from tests.support.site import Site


@pytest.fixture(scope="module")
def prepared(sibling: Callable[..., Site]) -> Site:
    """Give a site that has all it needs to start, and was not started."""
    site = sibling("spec")
    checks.prepare(site)
    return site


@pytest.fixture(scope="module")
def docker_compose_file(prepared: Site) -> str:
    return str(prepared.root / "docker-compose.yml")


@pytest.fixture(scope="module")
def docker_compose_project_name(prepared: Site) -> str:
    return prepared.name


@pytest.fixture(scope="module")
def docker_setup() -> list[str]:
    return ["up --detach --no-build"]


@pytest.fixture(scope="module")
def docker_cleanup() -> list[str]:
    return ["down"]


@pytest.fixture(scope="module")
def site(prepared: Site, docker_services: Services) -> Site:
    """Give the started site, once its health route answers."""
    docker_services.wait_until_responsive(timeout=60.0, pause=0.2, check=prepared.is_healthy)
    return prepared


@pytest.fixture
def bare(sibling: Callable[..., Site]) -> Site:
    """Give a site of this test's own, to take a part away from."""
    site = sibling("red")
    checks.prepare(site)
    return site
