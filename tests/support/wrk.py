"""wrk, in a container made of packages: how many requests a second something answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack.engine import images
from tests.support import debian

if TYPE_CHECKING:
    from docker import DockerClient

IMAGE = "payload-stack-test-wrk:1"
LUA = ("libluajit-5.1-2", "libluajit-5.1-common", "libgcc-s1")
PACKAGES = ("wrk", "busybox-static", "libc6", "libssl3t64", "libzstd1", "zlib1g", *LUA)
CONNECTIONS = 16
PATIENCE = 30  # seconds for an answer
RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Throughput:
    """Requests a second, and what wrk says of those that failed; empty where none did."""

    rate: float
    complaint: str


def measured(client: DockerClient, network: str, url: str, *, seconds: int) -> Throughput:
    """Ask for one address as often as it is answered, over connections that are kept."""
    debian.ensure_image(client, IMAGE, PACKAGES)
    argv = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    argv += ["--timeout", f"{PATIENCE}s", url]
    told = client.containers.run(IMAGE, argv, network=network, remove=True).decode()
    (rate,) = RATE.findall(told)
    wrong = [line.strip() for line in told.splitlines() if "Non-2xx" in line or "Socket errors" in line]
    return Throughput(float(rate), "; ".join(wrong))


def forget(client: DockerClient) -> None:
    if images.find(client, IMAGE):
        client.images.remove(IMAGE, force=True)
