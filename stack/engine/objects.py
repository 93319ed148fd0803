"""Networks, volumes, and where the engine keeps its data."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound

from stack.engine.client import translated
from stack.errors import Refused

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT = "com.docker.compose.project"
CONFLICT = 409


def ensure_network(client: DockerClient, name: str) -> bool:
    """Create a bridge network unless it is there; return whether it was created."""
    if network_exists(client, name):
        return False
    with translated():
        _create_network(client, name)
    return True


def network_exists(client: DockerClient, name: str) -> bool:
    with translated():
        try:
            client.networks.get(name)
        except NotFound:
            return False
    return True


def usable_network(client: DockerClient, name: str) -> None:
    """Refuse a network on which containers cannot have names of their own."""
    with translated():
        try:
            attrs = client.networks.get(name).attrs
        except NotFound:
            return
    if reason := _unusable(attrs):
        raise Refused(
            f"the network {name} cannot carry the site",
            why=reason,
            fix="name another one as PROXY_NETWORK in .env; one that does not exist yet is made",
        )


def _unusable(attrs: dict[str, Any]) -> str | None:
    if attrs["Name"] in ("bridge", "host", "none"):
        return "it is the engine's own: containers have no names there"
    if attrs.get("ConfigOnly"):
        return "it is a configuration for others, not a network"
    if attrs["Scope"] == "swarm" and not attrs["Attachable"]:
        return "it is a Swarm's, and was made without --attachable"
    return None


def _create_network(client: DockerClient, name: str) -> None:
    try:
        with translated(leave=APIError):
            client.networks.create(name, driver="bridge")
    except APIError as refusal:
        raise Refused(
            f"the network {name} cannot be made",
            why=str(refusal.explanation or refusal),
            fix="`docker network prune` frees unused ones; or make it: `docker network create --subnet ...`",
        ) from refusal


def volume_exists(client: DockerClient, name: str) -> bool:
    with translated():
        try:
            client.volumes.get(name)
        except NotFound:
            return False
    return True


def remove_volume(client: DockerClient, name: str) -> str:
    """Remove a volume; where a container has it, return what the engine says. One that is gone is fine."""
    try:
        with translated(leave=APIError), suppress(NotFound):
            client.volumes.get(name).remove()
    except APIError as refusal:
        if refusal.status_code != CONFLICT:
            with translated():
                raise
        return str(refusal.explanation or refusal)
    return ""


def volumes_called(client: DockerClient, purpose: str) -> dict[str, str]:
    """Return the volumes that Compose files call ``purpose``, and the projects they were made for."""
    wanted: dict[str, str | list[str] | bool] = {"label": f"com.docker.compose.volume={purpose}"}
    with translated():
        found = [volume.attrs for volume in client.volumes.list(filters=wanted)]
    return {volume["Name"]: (volume.get("Labels") or {}).get(PROJECT, "") for volume in found}


def data_directory(client: DockerClient) -> str:
    """Return the directory on the host below which images and volumes lie."""
    with translated():
        return str(client.info()["DockerRootDir"])
