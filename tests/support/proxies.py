"""Real reverse proxies in containers, made of packages where no registry answers."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stack.engine import images
from stack.host import packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient
    from docker.models.containers import Container

NGINX = "payload-stack-test-nginx:1"
LIBRARIES = ("libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "zlib1g", "libzstd1")
PACKAGES = ("nginx", "nginx-common", "busybox-static", *LIBRARIES)
LABEL = "payload-stack-test"


@dataclass(frozen=True)
class Proxy:
    container: Container

    def fetch(self, path: str) -> str:
        """Ask the proxy for a page from inside its own container, and return the answer with its headers."""
        asked = ["busybox", "wget", "-S", "-T", "10", "-O", "-", f"http://127.0.0.1:8080{path}"]
        code, out = self.container.exec_run(asked)
        assert isinstance(out, bytes)
        return f"exit {code}\n{out.decode(errors='replace')}"


@contextmanager
def nginx(client: DockerClient, network: str, upstream: str) -> Iterator[Proxy]:
    """Run nginx on a network, with a static upstream as people write it by hand."""
    _ensure_nginx(client)
    config = (
        "daemon off; pid /tmp/nginx.pid; error_log stderr; events {} http { access_log off;"
        " client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;"
        " uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;"
        f" server {{ listen 8080; location / {{ proxy_pass {upstream}; proxy_set_header Host $host; }} }} }}"
    )
    container = client.containers.run(
        NGINX,
        ["/bin/sh", "-c", 'echo "$CONFIG" > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf'],
        name=f"test-nginx-{uuid.uuid4().hex[:6]}",
        environment={"CONFIG": config},
        labels=[LABEL],
        network=network,
        detach=True,
    )
    try:
        yield Proxy(container)
    finally:
        container.remove(force=True)


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
