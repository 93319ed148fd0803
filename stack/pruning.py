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
    ours = _ours(client, site)
    unneeded = sorted(set(ours) - _needed(client, site, ours))
    for name in _migrators(client, site, but=set(ours) - set(unneeded)):
        images.remove(client, name)
    if not unneeded:
        return
    place = objects.data_directory(client)
    with console.step("Remove old releases") as step:
        before = disk.room(place).free
        removed = [name for name in unneeded if images.remove(client, name)]
        freed = max(0, disk.room(place).free - before)
        step.say(f"{len(removed)} of {len(unneeded)}, {sizes.human(freed)} freed")


def _ours(client: DockerClient, site: Settings) -> list[str]:
    """Return what deploys have named, oldest first; whatever else carries the site's name is somebody's."""
    return sorted(name for name in images.named(client, site.site) if releases.built(releases.of_image(name)))


def _migrators(client: DockerClient, site: Settings, *, but: set[str]) -> list[str]:
    """Return what migrates for releases that are not here any more; little of it is not of others too."""
    here = {name for name in images.named(client, site.site) if name.endswith(releases.MIGRATOR)}
    return sorted(here - {releases.migrator(name) for name in but})


def _needed(client: DockerClient, site: Settings, ours: list[str]) -> set[str]:
    stayed = [note.image for note in kept.notes(site)]
    used = [app.image for app in containers.of_site(client, site.site, "app")]
    return {site.app_image, *ours[-kept.RELEASES :], *stayed, *used}
