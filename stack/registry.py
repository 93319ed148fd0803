"""An application that was built elsewhere: its image, as a registry gives it (`IMAGE_SOURCE`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stack import console, run
from stack.engine import images
from stack.errors import Refused

if TYPE_CHECKING:
    from docker import DockerClient

    from stack.engine.images import Image
    from stack.settings import Settings

ROOT = ("", "0", "root")


def pull(site: Settings) -> None:
    """Get the newest image of that name, with what this user has logged in to."""
    with console.step(f"Pull {site.image_source}") as step:
        argv = ["docker", "pull", site.image_source]
        done = run.follow(argv, on_line=step.progress, secrets={}, env=os.environ)
        if not done.ok:
            raise Refused(
                f"{site.image_source} cannot be pulled",
                why=(done.err.splitlines() or [f"exit code {done.code}"])[-1],
                fix="check IMAGE_SOURCE in .env and the network; a private registry needs `docker login`",
                detail=done.err,
            )


def image(client: DockerClient, site: Settings) -> Image:
    """Return the image, pulled where it is not here; one that is not of this stack is :class:`Refused`."""
    if images.find(client, site.image_source) is None:
        pull(site)
    return fitting(site, images.find(client, site.image_source))


def fitting(site: Settings, found: Image | None) -> Image:
    """Return an image that is one of this stack; any other is :class:`Refused`."""
    reason = _misfit(found) if found else "the registry gave something else"
    if found is None or reason:
        raise Refused(
            f"{site.image_source} is no image of this stack",
            why=reason,
            fix="build it with the Dockerfile that is here: `docker compose build`, then push it",
        )
    return found


def _misfit(image: Image) -> str:
    """Return what would go wrong with an image later, and at a worse time."""
    if "inputs" not in image.labels:
        return "the labels of this repository's Dockerfile are missing"
    if image.user.partition(":")[0] in ROOT:
        return "it runs as root, and so would all that it writes to the volumes be root's"
    return ""
