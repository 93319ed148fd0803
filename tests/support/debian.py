"""Images made of Debian packages, for programs that tests need and no registry gives."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stack.engine import images
from stack.host import packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docker import DockerClient


def ensure_image(client: DockerClient, name: str, wanted: Sequence[str]) -> None:
    """Make an image that holds these packages, which must name all that they need."""
    if images.find(client, name):
        return
    with tempfile.TemporaryDirectory(prefix="debian-") as scratch:
        packages.download(wanted, into=Path(scratch))
        images.import_rootfs(client, _unpacked(Path(scratch)), name, ("ENV PATH=/usr/sbin:/usr/bin",))


def _unpacked(scratch: Path) -> Path:
    """Lay packages over each other, as an image's root."""
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
