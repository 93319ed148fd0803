"""Networks, volumes, and where the engine keeps its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docker.errors import NotFound

from stack.engine.client import translated

if TYPE_CHECKING:
    from docker import DockerClient


def ensure_network(client: DockerClient, name: str) -> bool:
    """Create a bridge network unless it is there; return whether it was created."""
    with translated():
        try:
            client.networks.get(name)
        except NotFound:
            client.networks.create(name, driver="bridge", check_duplicate=True)
            return True
    return False


def volume_exists(client: DockerClient, name: str) -> bool:
    with translated():
        try:
            client.volumes.get(name)
        except NotFound:
            return False
    return True


def data_directory(client: DockerClient) -> str:
    """Return the directory on the host below which images and volumes lie."""
    with translated():
        return str(client.info()["DockerRootDir"])
