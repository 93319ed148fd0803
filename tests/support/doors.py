"""The proxies that visitors come through at once: plain HTTP, the time-outs of `docs/reverse-proxy.md`."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import proxies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from docker import DockerClient

    from tests.support.site import Site

Doors = dict[str, tuple[str, int]]
# Looks the gate's name up once, when it starts: the way most people write it, and the one that bears least.
NGINX = """
server {
  listen %(port)d;
  client_max_body_size 60m;
  location / {
    proxy_pass http://%(name)s:3000;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-Host $host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_read_timeout 90s;
    proxy_send_timeout 90s;
  }
}
"""
TRAEFIK = """
entryPoints:
  web:
    address: ":%(port)d"
    transport:
      respondingTimeouts:
        readTimeout: 10m
providers:
  file:
    directory: /etc/traefik/sites
"""
ROUTES = """
http:
  routers:
    site:
      rule: PathPrefix(`/`)
      entryPoints: [web]
      service: site
  services:
    site:
      loadBalancer:
        servers:
          - url: http://%(name)s:3000
"""
CADDY = """
http://:%(port)d {
	reverse_proxy %(name)s:3000
}
"""


@dataclass(frozen=True)
class Fronts:
    """What is written into the three proxies."""

    nginx: str
    caddy: str
    traefik: Mapping[str, bytes]


def static(name: str) -> Fronts:
    """Let each of them hand everything on to one name."""
    filled = {"port": proxies.PORT, "name": name}
    traefik = {
        "/etc/traefik/traefik.yml": (TRAEFIK % filled).encode(),
        "/etc/traefik/sites/site.yml": (ROUTES % filled).encode(),
    }
    return Fronts(NGINX % filled, CADDY % filled, traefik)


@contextmanager
def opened(client: DockerClient, site: Site, traefik: Path, fronts: Fronts | None = None) -> Iterator[Doors]:
    """Run nginx, Traefik and Caddy in front of a site, of its gate unless told; give their addresses."""
    fronts = fronts or static(site.name)
    with ExitStack() as stack:
        running = {
            "nginx": stack.enter_context(proxies.nginx(client, site.network, fronts.nginx)),
            "traefik": stack.enter_context(
                proxies.traefik(client, site.network, traefik, files=fronts.traefik)
            ),
            "caddy": stack.enter_context(proxies.caddy(client, site.network, fronts.caddy)),
        }
        for name, proxy in running.items():
            answer = proxy.fetch_once_ready("/api/health", host="shop.example.com")
            assert "200 OK" in answer, f"{name}: {answer}\n{proxy.log()}"
        yield {name: (proxy.address(site.network), proxies.PORT) for name, proxy in running.items()}
