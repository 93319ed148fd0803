"""Remove what old releases and restores leave: this site's own, that nothing here may need any more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stack import console, data, kept, releases, sizes
from stack.engine import containers, images, objects
from stack.host import disk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from docker import DockerClient

    from stack.settings import Settings

PURPOSES = ("payload-db", "media-uploads")
OPERATION = r"\d{8}T\d{6}Z-[0-9a-f]{8}"


def old_releases(client: DockerClient, site: Settings) -> None:
    """Remove all images but the newest, those that came to stay last, and what a container is made of."""
    going = unneeded(client, site)
    for name in _migrators(client, site, but=_ours(client, site).keys() - going.keys()):
        images.remove(client, name)
    _remove(client, "Remove old releases", going, lambda name: images.remove(client, name))


def unneeded(client: DockerClient, site: Settings) -> dict[str, int]:
    """Return the images that would go, oldest first, with their bytes; layers that others share stay."""
    ours = _ours(client, site)
    needed = _needed(client, site, [*ours])
    return {name: size for name, size in ours.items() if name not in needed}


def old_volumes(client: DockerClient, site: Settings, *, keeping: Collection[str] = ()) -> None:
    """Remove the volumes that restores have made and left, but for the newest pairs, and what is needed.

    Needed is what `.env` names or a container has, what `./restore.sh --undo` goes back to, and ``keeping``.
    """
    going = unneeded_volumes(client, site, keeping=keeping)
    _remove(client, "Remove old volumes", going, lambda name: not objects.remove_volume(client, name))


def unneeded_volumes(client: DockerClient, site: Settings, *, keeping: Collection[str] = ()) -> list[str]:
    needed = {site.db_volume, site.media_volume, *data.before_the_last_move(site), *keeping}
    left = {
        name: operation
        for name, operation in _made_by_operations(client, site).items()
        if name not in needed and not containers.mounted(client, name)
    }
    newest = sorted(set(left.values()))[-kept.RELEASES :]
    return sorted(name for name, operation in left.items() if operation not in newest)


def _remove(client: DockerClient, title: str, going: Collection[str], remove: Callable[[str], bool]) -> None:
    if not going:
        return
    place = objects.data_directory(client)
    with console.step(title) as step:
        before = disk.room(place).free
        removed = [name for name in going if remove(name)]
        freed = max(0, disk.room(place).free - before)
        step.say(f"{len(removed)} of {len(going)}, {sizes.human(freed)} freed")


def _ours(client: DockerClient, site: Settings) -> dict[str, int]:
    """Return what deploys have named, oldest first; whatever else carries the site's name is somebody's."""
    named = sorted(images.named(client, site.site).items())
    return {name: image.size for name, image in named if releases.built(releases.of_image(name))}


def _migrators(client: DockerClient, site: Settings, *, but: set[str]) -> list[str]:
    """Return what migrates for releases that are not here any more; little of it is not of others too."""
    here = {name for name in images.named(client, site.site) if name.endswith(releases.MIGRATOR)}
    return sorted(here - {releases.migrator(name) for name in but})


def _needed(client: DockerClient, site: Settings, ours: list[str]) -> set[str]:
    stayed = [note.image for note in kept.notes(site)]
    used = [app.image for app in containers.of_site(client, site.site, "app")]
    return {site.app_image, *ours[-kept.RELEASES :], *stayed, *used}


def _made_by_operations(client: DockerClient, site: Settings) -> dict[str, str]:
    """Return this site's volumes that are named after an operation, with that operation."""
    found = {}
    for purpose in PURPOSES:
        form = re.compile(rf"{re.escape(site.site)}_{purpose}-({OPERATION})", re.ASCII)
        for name, project in objects.volumes_called(client, purpose).items():
            if project == site.site and (made := form.fullmatch(name)):
                found[name] = made[1]
    return found
