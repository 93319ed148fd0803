"""The proxies of `docs/reverse-proxy.md`, each run as the document says."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from tests.support import browser, proxies
from tests.support.site import CHECKOUT, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from docker import DockerClient
    from docker.models.networks import Network

    from tests.support.authority import Authority
    from tests.support.site import Site

NAME = "shop.example.com"  # in the document, and in what the tests' authority signs
ADDRESS = f"https://{NAME}"
CERTIFICATES = f"/etc/letsencrypt/live/{NAME}"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What Nginx Proxy Manager puts around a proxy host and its custom configuration; read in its templates.
AROUND_NPM = """
proxy_http_version 1.1; proxy_read_timeout 90s; client_max_body_size 2000m; resolver 127.0.0.11 valid=10s;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header Accept-Encoding "";
set_real_ip_from 10.0.0.0/8; set_real_ip_from 172.16.0.0/12; set_real_ip_from 192.168.0.0/16;
real_ip_header X-Real-IP; real_ip_recursive on;
server {
  set $forward_scheme http; set $server "shop"; set $port 3000;
  listen 80; listen 443 ssl; server_name shop.example.com; http2 on;
  ssl_certificate %(certificates)s/fullchain.pem; ssl_certificate_key %(certificates)s/privkey.pem;
  if ($scheme = "http") { return 301 https://$host$request_uri; }
  %(custom)s
}
"""
TRAEFIK_CERTIFICATES = f"""
tls:
  certificates:
    - certFile: {CERTIFICATES}/fullchain.pem
      keyFile: {CERTIFICATES}/privkey.pem
"""
CADDYS_OWN = """
{
	cert_issuer internal
	skip_install_trust
	pki {
		ca local {
			root {
				cert /ca.pem
				key /ca.key
			}
		}
	}
}
"""


@dataclass
class Document:
    """The configurations by the headings they stand under; it remembers which were asked for."""

    configurations: dict[str, str]
    tried: set[str] = field(default_factory=set)

    def __getitem__(self, heading: str) -> str:
        self.tried.add(heading)
        return self.configurations[heading]


@dataclass(frozen=True)
class Scene:
    """What every proxy of the document needs to be tried: a site, a way to it, certificates."""

    engine: DockerClient
    site: Site
    street: Network
    authority: Authority
    document: Document
    traefik: Path

    @property
    def certificates(self) -> dict[str, bytes]:
        return {
            f"{CERTIFICATES}/fullchain.pem": self.authority.chain.read_bytes(),
            f"{CERTIFICATES}/privkey.pem": self.authority.chain_key.read_bytes(),
        }

    def of_this_site(self, configuration: str) -> str:
        return configuration.replace("shop:3000", f"{self.site.name}:3000")

    def visitor(self, proxy: proxies.Proxy) -> requests.Session:
        return self.visitor_at(proxy.address(str(self.street.name)))

    def visitor_at(self, address: str, ports: Mapping[int, int] | None = None) -> requests.Session:
        """Give a stranger from the street, for whom every name leads to ``address``."""
        return browser.session(address, believing=self.authority.certificate, ports=ports)


def read() -> Document:
    found = {}
    for heading, text in SECTION.findall((CHECKOUT / "docs/reverse-proxy.md").read_text()):
        blocks = FENCED.findall(text)
        assert len(blocks) <= 1, f"{heading}: one configuration a section, so that each can be named"
        if blocks:
            found[heading] = blocks[0]
    return Document(found)


def labels(document: Document, site: Site) -> str:
    """Return the override that a site needs before Traefik can find it."""
    return document["Traefik with labels"].replace("network: proxy", f"network: {site.network}")


def wait_until_open(visitor: requests.Session) -> None:
    """Ask for up to ten seconds, until a proxy has started and has found what is behind it."""
    deadline = time.monotonic() + 10
    while not _answers(visitor):
        assert time.monotonic() < deadline, "the proxy does not answer"
        time.sleep(0.1)


def _answers(visitor: requests.Session) -> bool:
    try:
        return visitor.get(f"{ADDRESS}/api/health").ok
    except requests.ConnectionError:
        return False


@contextmanager
def nginx_on_the_host(scene: Scene) -> Iterator[requests.Session]:
    ports = {80: free_port(), 443: free_port()}
    server = (
        scene.document["nginx on the host"]
        .replace("listen 80;", f"listen {ports[80]};")
        .replace("listen 443 ssl;", f"listen {ports[443]} ssl;")
        .replace("127.0.0.1:3000", f"127.0.0.1:{scene.site.port}")
    )
    with proxies.nginx(scene.engine, "host", server, files=scene.certificates):
        yield scene.visitor_at(proxies.gateway(scene.street), ports)


@contextmanager
def nginx_in_a_container(scene: Scene) -> Iterator[requests.Session]:
    with nginx(scene, in_a_container(scene)) as visitor:
        yield visitor


def in_a_container(scene: Scene) -> str:
    upstream = scene.document["nginx in a container"]
    server = re.sub(r" *proxy_pass .*\n", upstream, scene.document["nginx on the host"])
    return scene.of_this_site(server)


@contextmanager
def nginx(scene: Scene, server: str) -> Iterator[requests.Session]:
    site, street = scene.site, str(scene.street.name)
    with proxies.nginx(scene.engine, site.network, server, outside=street, files=scene.certificates) as proxy:
        yield scene.visitor(proxy)


@contextmanager
def nginx_proxy_manager(scene: Scene) -> Iterator[requests.Session]:
    custom = scene.document["Nginx Proxy Manager"]
    server = AROUND_NPM % {"certificates": CERTIFICATES, "custom": custom}
    with nginx(scene, server.replace('"shop"', f'"{scene.site.name}"')) as visitor:
        yield visitor


@contextmanager
def traefik_with_labels(scene: Scene) -> Iterator[requests.Session]:
    """Let Traefik find the site by the labels that it was deployed with."""
    only = f'constraints: "Label(`com.docker.compose.project`, `{scene.site.name}`)"'
    own = scene.document["Traefik"].replace("docker:\n", f"docker:\n    {only}\n")
    with _traefik(scene, own, {}) as visitor:
        yield visitor


@contextmanager
def traefik_with_a_file(scene: Scene) -> Iterator[requests.Session]:
    own = re.sub(r"  docker:\n    .*\n", "", scene.document["Traefik"])
    routes = scene.of_this_site(scene.document["Traefik with a file"]).encode()
    with _traefik(scene, own, {"/etc/traefik/sites/shop.yml": routes}) as visitor:
        yield visitor


@contextmanager
def _traefik(scene: Scene, own: str, files: dict[str, bytes]) -> Iterator[requests.Session]:
    """Run Traefik with a certificate of its own for the site, and without anybody to ask for another."""
    own = own.replace("    acme:\n", "    acme:\n      caServer: https://127.0.0.1:9/nobody\n")
    files = {
        **files,
        **scene.certificates,
        "/etc/traefik/traefik.yml": own.encode(),
        "/letsencrypt/acme.json": b"",
        "/etc/traefik/sites/certificates.yml": TRAEFIK_CERTIFICATES.encode(),
    }
    street = str(scene.street.name)
    with proxies.traefik(
        scene.engine, scene.site.network, scene.traefik, outside=street, files=files
    ) as proxy:
        yield scene.visitor(proxy)


@contextmanager
def caddy(scene: Scene) -> Iterator[requests.Session]:
    """Let Caddy get its certificate by itself: from the tests' authority instead of Let's Encrypt."""
    authority = {
        "/ca.pem": scene.authority.certificate.read_bytes(),
        "/ca.key": scene.authority.key.read_bytes(),
    }
    caddyfile = CADDYS_OWN + scene.of_this_site(scene.document["Caddy"])
    street = str(scene.street.name)
    with proxies.caddy(scene.engine, scene.site.network, caddyfile, outside=street, files=authority) as proxy:
        yield scene.visitor(proxy)


ALL: dict[str, Callable[[Scene], AbstractContextManager[requests.Session]]] = {
    "nginx on the host": nginx_on_the_host,
    "nginx in a container": nginx_in_a_container,
    "Nginx Proxy Manager": nginx_proxy_manager,
    "Traefik with labels": traefik_with_labels,
    "Traefik with a file": traefik_with_a_file,
    "Caddy": caddy,
}
