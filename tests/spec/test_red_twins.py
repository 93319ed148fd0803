"""Each of the specification's checks with its part taken away: it must fail, and say what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.spec import checks

if TYPE_CHECKING:
    from docker import DockerClient

    from tests.support.site import Site

WITHOUT_VOLUME = """
services:
  app:
    volumes: !override
      - {kept}
    tmpfs:
      - {lost}:mode=0700,uid=1000,gid=1000
"""


def test_an_empty_compose_file_is_noticed(bare: Site) -> None:
    (bare.root / "docker-compose.yml").write_text("services: {}\n")
    with pytest.raises(AssertionError, match=r"Service 'app' not found in docker-compose\.yml"):
        checks.starts_successfully(bare)


def test_a_site_that_does_not_run_is_noticed(bare: Site) -> None:
    with pytest.raises(AssertionError, match="ConnectionRefused"):
        checks.responds_to_health_check(bare)


def test_a_database_outside_the_volume_is_noticed(bare: Site) -> None:
    _start_without(bare, lost="/data", kept="media-uploads:/app/public/media")
    with pytest.raises(AssertionError, match="is lost after the restart"):
        checks.data_persists_after_restart(bare)


def test_a_missing_proxy_network_is_noticed(bare: Site, engine: DockerClient) -> None:
    bare.run("docker", "network", "rm", bare.network)
    with pytest.raises(AssertionError, match=f"NetworkNotFound: network '{bare.network}' not found"):
        checks.reverse_proxy_reaches_the_site(bare, engine)


def test_a_missing_environment_file_is_noticed(bare: Site) -> None:
    (bare.root / ".env.production").unlink()
    with pytest.raises(AssertionError, match="EnvironmentError: PAYLOAD_SECRET not set"):
        checks.environment_is_loaded(bare)


def test_uploads_outside_the_volume_are_noticed(bare: Site) -> None:
    _start_without(bare, lost="/app/public/media", kept="payload-db:/data")
    with pytest.raises(AssertionError, match="missing after the container was recreated"):
        checks.uploads_persist_across_deploys(bare)


def _start_without(site: Site, *, lost: str, kept: str) -> None:
    (site.root / "docker-compose.override.yml").write_text(WITHOUT_VOLUME.format(lost=lost, kept=kept))
    site.compose("up", "--detach", "--no-build", "--wait")
