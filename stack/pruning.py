"""Remove the images of old releases: this site's own, that nothing here may need any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import console, kept, releases, sizes
from stack.engine import containers, images, objects
from stack.host import disk

if TYPE_CHECKING:
    from docker import DockerClient

    from stack.settings import Settings


def old_releases(client: DockerClient, site: Settings) -> None:
    """Remove all but the newest, those that came to stay last, and what a container is made of."""
    going = unneeded(client, site)
    if not going:
        return
    place = objects.data_directory(client)
    with console.step("Remove old releases") as step:
        before = disk.room(place).free
        removed = [name for name in going if images.remove(client, name)]
        freed = max(0, disk.room(place).free - before)
        step.say(f"{len(removed)} of {len(going)}, {sizes.human(freed)} freed")


def unneeded(client: DockerClient, site: Settings) -> dict[str, int]:
    """Return the images that would go, oldest first, with their bytes; layers that others share stay."""
    ours = _ours(client, site)
    needed = _needed(client, site, [*ours])
    return {name: size for name, size in ours.items() if name not in needed}


def _ours(client: DockerClient, site: Settings) -> dict[str, int]:
    """Return what deploys have named, oldest first; whatever else carries the site's name is somebody's."""
    named = sorted(images.named(client, site.site).items())
    return {name: image.size for name, image in named if releases.built(releases.of_image(name))}


def _needed(client: DockerClient, site: Settings, ours: list[str]) -> set[str]:
    stayed = [note.image for note in kept.notes(site)]
    used = [app.image for app in containers.of_site(client, site.site, "app")]
    return {site.app_image, *ours[-kept.RELEASES :], *stayed, *used}
