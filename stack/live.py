"""Where a site's data is now, and with which image it can be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stack.engine import containers, images, objects
from stack.errors import Refused
from stack.volumes import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

    from stack.settings import Settings


def place(client: DockerClient, site: Settings, env: Mapping[str, str]) -> Place:
    """Return where the site's data is; where a volume or every image is gone it is :class:`Refused`."""
    for volume in (site.db_volume, site.media_volume):
        if not objects.volume_exists(client, volume):
            raise Refused(
                f"there is no volume {volume}",
                why="the site's data would be in it: there is nothing to back up",
                fix="`./restore.sh` brings an archive back; for a new site `./deploy.sh`",
            )
    found = image(client, site)
    if found is None:
        raise Refused(
            f"no image of {site.site} is here",
            why="the volumes are read with the application's own image",
            fix="`./deploy.sh` builds it",
        )
    return Place(found, database(env), site.db_volume, site.media_volume)


def image(client: DockerClient, site: Settings) -> str | None:
    """Return the image that runs, or else the one that `.env` names, if it is here."""
    running = [app.image for app in containers.of_site(client, site.site, "app")]
    named = [*running, *([site.app_image] if site.app_image else [])]
    return next((name for name in named if images.find(client, name)), None)


def database(env: Mapping[str, str]) -> str:
    """Return the path of the database inside the container."""
    return env["DATABASE_URI"].removeprefix("file:")


def outside(client: DockerClient, directory: Path) -> Path:
    """Refuse a directory for archives that would go with what it is to protect."""
    data = Path(objects.data_directory(client))
    if data in (directory.resolve(), *directory.resolve().parents):
        raise Refused(
            f"{directory} is inside the engine's own data",
            why="a backup there is lost together with the volumes",
            fix="choose a directory elsewhere",
        )
    return directory
