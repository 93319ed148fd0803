"""Which volumes hold a site's data, so that a new name never means a new, empty site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import envfile
from stack.engine import containers, objects
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from docker import DockerClient

    from stack.settings import Settings

DATABASE = "DATABASE_URI"


def remember(site: Settings, env: Mapping[str, str]) -> None:
    """Note where the data of a release that proved healthy is."""
    now = {**_named(site), DATABASE: env[DATABASE]}
    if _remembered(site) != now:
        envfile.replace(_note(site), envfile.with_values("", now), mode=0o600)


def check(client: DockerClient, site: Settings) -> None:
    """Refuse volumes that are not those this checkout served from, and a database that others write."""
    _one_writer(client, site)
    for key, volume in _named(site).items():
        last = _remembered(site).get(key)
        if last is None or objects.volume_exists(client, volume):
            continue
        if last == volume:
            raise Refused(
                f"the volume {volume} is gone",
                why="this site's data was in it; a deploy would begin with an empty one",
                fix=f"bring its content back; or, to begin with nothing: `docker volume create {volume}`",
            )
        raise Refused(
            f"the site would begin with a new, empty volume: {volume}",
            why=f"its data is in {last}: COMPOSE_PROJECT_NAME, {key} or the directory's name was changed",
            fix=f"write {key}={last} into .env; or, to begin with nothing: `docker volume create {volume}`",
        )


def check_file(site: Settings, env: Mapping[str, str]) -> None:
    """Refuse another database file than the one this checkout served from: it would be a new one."""
    last = _remembered(site).get(DATABASE)
    if last and last != env[DATABASE]:
        raise Refused(
            f"the site would begin with another database: {env[DATABASE]}",
            why=f"its data is in {last}, on the same volume",
            fix=f"put it back in .env.production; if you mean it: remove {_note(site)}",
        )


def place(client: DockerClient, site: Settings) -> str:
    """Say which volume holds the database, and whether it is a new one."""
    known = objects.volume_exists(client, site.db_volume)
    return f"volume {site.db_volume}" + ("" if known else ", new and empty")


def left_alone(client: DockerClient, site: Settings) -> list[str]:
    """Return other sites' database volumes that no container uses, before a first deploy."""
    if objects.volume_exists(client, site.db_volume):
        return []
    others = objects.volumes_called(client, "payload-db")
    return [volume for volume in others if not containers.mounted(client, volume)]


def _one_writer(client: DockerClient, site: Settings) -> None:
    for container in containers.writing_to(client, site.db_volume):
        if container.project != site.site or container.one_off:
            raise Refused(
                f"the volume {site.db_volume} is used by container {container.name}",
                why="two applications that write one SQLite file lose what visitors were told is saved",
                fix=f"end that one first: `docker stop {container.name}`; or name another volume in .env",
            )


def _named(site: Settings) -> dict[str, str]:
    return {"DB_VOLUME": site.db_volume, "MEDIA_VOLUME": site.media_volume}


def _remembered(site: Settings) -> dict[str, str]:
    return envfile.read(_note(site))


def _note(site: Settings) -> Path:
    return site.state / "served"
