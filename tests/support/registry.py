"""A real image registry on this machine, made of a Debian package."""

from __future__ import annotations

import io
import json
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from stack.engine import images
from tests.support import debian
from tests.support.site import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient
    from docker.models.containers import Container

IMAGE = "payload-stack-test-registry:1"
PACKAGES = ("docker-registry", "libc6", "busybox-static")
CONFIG = """version: 0.1
storage: {filesystem: {rootdirectory: /tmp}}
http: {addr: ":5000"}
"""
SERVE = f"echo '{CONFIG}' >/etc/registry.yml && exec docker-registry serve /etc/registry.yml"
PATIENCE = 30  # seconds


@dataclass
class Registry:
    """``address`` is what stands in front of the names of its images."""

    client: DockerClient
    container: Container
    address: str
    made: set[str] = field(default_factory=set)

    def publish(self, name: str, *dockerfile: str) -> str:
        """Build an image elsewhere and push it; on this machine the name means what it meant before."""
        whole = f"{self.address}/{name}"
        before = [image for image in self.client.images.list() if whole in image.tags]
        built, _ = self.client.images.build(
            fileobj=io.BytesIO("\n".join(dockerfile).encode()), tag=whole, rm=True
        )
        self.made.add(str(built.id))
        for line in self.client.images.push(whole, stream=True, decode=True):
            assert "error" not in line, json.dumps(line)
        self.client.images.remove(whole)
        for image in before:
            image.tag(whole)
        return str(built.id)

    def forget(self) -> None:
        """Remove what was published, as far as a site that ran it has not gone with it."""
        for identity in self.made:
            if images.find(self.client, identity):  # it can have gone with one that was built on it
                self.client.images.remove(identity, force=True)


@contextmanager
def running(client: DockerClient) -> Iterator[Registry]:
    """Run a registry that any engine here may use: plain HTTP is fine on 127.0.0.1."""
    debian.ensure_image(client, IMAGE, PACKAGES)
    with ExitStack() as stack:
        stack.callback(client.images.remove, IMAGE, force=True)
        port = free_port()
        container = client.containers.run(
            IMAGE,
            ["sh", "-c", SERVE],
            name=f"test-registry-{uuid.uuid4().hex[:6]}",
            ports={"5000/tcp": ("127.0.0.1", port)},
            detach=True,
        )
        stack.callback(container.remove, force=True, v=True)
        registry = Registry(client, container, f"127.0.0.1:{port}")
        stack.callback(registry.forget)
        _until_it_answers(registry)
        yield registry


def _until_it_answers(registry: Registry) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _answers(registry):
        assert time.monotonic() < deadline, registry.container.logs().decode()
        time.sleep(0.2)


def _answers(registry: Registry) -> bool:
    session = requests.Session()
    session.trust_env = False
    try:
        return session.get(f"http://{registry.address}/v2/", timeout=1).ok
    except requests.RequestException:
        return False
