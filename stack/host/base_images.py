"""The images that everything is built on: official ones from a registry, or stand-ins made of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.engine import images
from stack.host import standins
from stack.settings import GATE_OFFICIAL, NODE_OFFICIAL

if TYPE_CHECKING:
    from docker import DockerClient

    from stack.settings import Settings


def absent(client: DockerClient, settings: Settings) -> dict[str, str]:
    """Return the configured base images that are not on this machine, by variable."""
    configured = {"NODE_IMAGE": settings.node_image, "GATE_IMAGE": settings.gate_image}
    if settings.image_source:  # nothing is built here
        del configured["NODE_IMAGE"]
    return {key: name for key, name in configured.items() if images.find(client, name) is None}


def replaceable(name: str) -> bool:
    """Tell whether a stand-in may take the place of an image: only of the defaults, and of itself."""
    return name in (NODE_OFFICIAL, GATE_OFFICIAL) or is_stand_in(name)


def pull(client: DockerClient, wanted: dict[str, str]) -> dict[str, str]:
    """Pull images; return why the others could not be had, by variable."""
    reasons = {
        key: "it is made on each machine" if is_stand_in(name) else images.pull(client, name)
        for key, name in wanted.items()
    }
    return {key: reason for key, reason in reasons.items() if reason is not None}


def stand_in(client: DockerClient, variables: set[str]) -> dict[str, str]:
    """Build stand-ins for these variables; return the settings that name them."""
    names = standins.Names()
    standins.build(client, names)
    built = {"NODE_IMAGE": names.node, "GATE_IMAGE": names.caddy}
    return {key: name for key, name in built.items() if key in variables}


def is_stand_in(name: str) -> bool:
    return name.startswith("payload-stack-")
