"""The six tests that the specification names, on the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.spec import checks

if TYPE_CHECKING:
    from docker import DockerClient

    from tests.support.site import Site


def test_docker_compose_starts_successfully(site: Site) -> None:
    checks.starts_successfully(site)


def test_app_container_responds_to_health_check(site: Site) -> None:
    checks.responds_to_health_check(site)


def test_sqlite_data_persists_after_restart(site: Site) -> None:
    checks.data_persists_after_restart(site)


def test_reverse_proxy_network_connectivity(site: Site, engine: DockerClient) -> None:
    checks.reverse_proxy_reaches_the_site(site, engine)


def test_environment_variables_loaded_correctly(site: Site) -> None:
    checks.environment_is_loaded(site)


def test_media_uploads_persist_across_deploys(site: Site) -> None:
    checks.uploads_persist_across_deploys(site)
