"""Images: what is here, what they say of themselves, and how base images arrive."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from docker.errors import APIError, ImageNotFound, NotFound

from stack.engine.client import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from docker import DockerClient


@dataclass(frozen=True)
class Image:
    """``size`` is in bytes, unpacked; ``user`` is empty for root; ``digests`` are those of registries."""

    id: str
    size: int
    labels: Mapping[str, str]
    user: str = ""
    digests: tuple[str, ...] = ()


def find(client: DockerClient, name: str) -> Image | None:
    """Return the local image of that name or id, or None."""
    with translated():
        try:
            attrs = client.images.get(name).attrs
        except ImageNotFound:
            return None
    config = attrs["Config"]
    digests = tuple(name.partition("@")[2] for name in attrs.get("RepoDigests") or [])
    return Image(attrs["Id"], attrs["Size"], config.get("Labels") or {}, config.get("User") or "", digests)


def named(client: DockerClient, repository: str) -> dict[str, Image]:
    """Return the local images of a repository, by their names."""
    with translated():
        names = [tag for image in client.images.list(repository) for tag in image.tags]
    found = {name: find(client, name) for name in names if name.partition(":")[0] == repository}
    return {name: image for name, image in found.items() if image}


def keep_name(client: DockerClient, identity: str, name: str) -> None:
    """Give the image of a container its name back, where it was taken away or given to another one."""
    found = find(client, name)
    if found is None or found.id != identity:
        with translated(), suppress(ImageNotFound):
            client.images.get(identity).tag(name)


def tag(client: DockerClient, image: str, name: str) -> None:
    with translated():
        client.images.get(image).tag(name)


def remove(client: DockerClient, name: str) -> bool:
    """Remove a name, and the image with its last one; False where a container still needs it."""
    with translated():
        try:
            client.images.remove(name)
        except APIError as refusal:
            if refusal.status_code != HTTPStatus.CONFLICT:
                raise
            return False
    return True


def published(client: DockerClient, name: str) -> str | None:
    """Ask a registry what an image is now, without pulling it; None where that cannot be had."""
    try:
        with translated(leave=APIError):
            return str(client.images.get_registry_data(name).id)
    except APIError:
        return None


def pull(client: DockerClient, name: str) -> str | None:
    """Pull an image; return None when it is here, or why it could not be had."""
    try:
        with translated(leave=APIError):
            client.images.pull(name)
    except (APIError, NotFound) as refusal:
        return str(refusal.explanation or refusal)
    return None


def import_rootfs(client: DockerClient, archive: Path, name: str, settings: Sequence[str]) -> None:
    """Make an image of one layer from a tar; ``settings`` are Dockerfile instructions."""
    repository, _, tag = name.partition(":")
    with translated():
        client.api.import_image(src=str(archive), repository=repository, tag=tag, changes=list(settings))
