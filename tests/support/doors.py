"""The proxies that visitors come through at once: plain HTTP, the time-outs of `docs/reverse-proxy.md`."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.support import proxies

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@contextmanager
def opened(client: DockerClient, site: Site, traefik: Path) -> Iterator[Doors]:
    """Run nginx, Traefik and Caddy in front of a site whose gate runs; give their addresses."""
    filled = {"port": proxies.PORT, "name": site.name}
    files = {
        "/etc/traefik/traefik.yml": (TRAEFIK % filled).encode(),
        "/etc/traefik/sites/site.yml": (ROUTES % filled).encode(),
    }
    with ExitStack() as stack:
        running = {
            "nginx": stack.enter_context(proxies.nginx(client, site.network, NGINX % filled)),
            "traefik": stack.enter_context(proxies.traefik(client, site.network, traefik, files=files)),
            "caddy": stack.enter_context(proxies.caddy(client, site.network, CADDY % filled)),
        }
        for name, proxy in running.items():
            answer = proxy.fetch_once_ready("/api/health", host="shop.example.com")
            assert "200 OK" in answer, f"{name}: {answer}\n{proxy.log()}"
        yield {name: (proxy.address(site.network), proxies.PORT) for name, proxy in running.items()}
