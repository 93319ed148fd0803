"""The README's configuration for each reverse proxy, in the real proxy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support import proxies
from tests.support.site import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient

    from tests.support.site import Site

HOST = "shop.example.com"


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site]) -> Site:
    """Give a site that carries the README's labels for Traefik."""
    site = sibling("behind")
    labels = _snippet("yaml").replace("network: proxy", f"network: {site.network}")
    (site.root / "docker-compose.override.yml").write_text(labels)
    site.deploy()
    return site


def test_nginx_as_in_the_readme_reaches_the_site(site: Site, engine: DockerClient) -> None:
    server = (
        _snippet("nginx")
        .replace("listen 80;", f"listen {proxies.PORT};")
        .replace("//shop:", f"//{site.name}:")
    )
    with proxies.nginx(engine, site.network, server) as proxy:
        assert '"status":"ok"' in proxy.fetch_once_ready("/api/health", host=HOST)


def test_caddy_as_in_the_readme_reaches_the_site(site: Site, engine: DockerClient) -> None:
    block = (
        _snippet("caddyfile")
        .replace(HOST, f"http://{HOST}:{proxies.PORT}")
        .replace(" shop:", f" {site.name}:")
    )
    with proxies.caddy(engine, site.network, block) as proxy:
        assert '"status":"ok"' in proxy.fetch_once_ready("/api/health", host=HOST)


def test_traefik_with_the_labels_of_the_readme_reaches_the_site(site: Site, engine: DockerClient) -> None:
    with proxies.traefik(engine, site.network) as proxy:
        assert '"status":"ok"' in proxy.fetch_once_ready("/api/health", host=HOST)
        assert "404 Not Found" in proxy.fetch("/api/health", host="elsewhere.example.com")


def _snippet(language: str) -> str:
    (text,) = re.findall(
        rf"^```{language}\n(.*?)^```", (CHECKOUT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    return str(text)
