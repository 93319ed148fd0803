"""Which volumes hold a site's data, so that a new name never means a new, empty site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stack import atomic, envfile, journal, volumes
from stack.engine import containers, objects
from stack.errors import Refused
from stack.volumes import Unsound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from docker import DockerClient

    from stack.engine.containers import Neighbour
    from stack.settings import Settings
    from stack.volumes import Place

DATABASE, NAME = "DATABASE_URI", "COMPOSE_PROJECT_NAME"


def remember(site: Settings, env: Mapping[str, str]) -> None:
    """Note where the data of a release that proved healthy is."""
    now = {NAME: site.site, **_named(site), DATABASE: env[DATABASE]}
    if _remembered(site) != now:
        atomic.replace(_note(site), envfile.with_values("", now), mode=0o600)


def former_name(site: Settings) -> str | None:
    """Return the name under which this checkout served, where it has another one now and other volumes."""
    last = _remembered(site)
    renamed = last.get(NAME, site.site) != site.site
    return (
        last[NAME] if renamed and any(last[key] != volume for key, volume in _named(site).items()) else None
    )


def last_move(site: Settings) -> dict[str, Any] | None:
    """Return what the history tells of the restore, or the like, that brought the site onto its volumes."""
    here = {"to_db": site.db_volume, "to_media": site.media_volume}
    return next((told for told in reversed(journal.history(site)) if here.items() <= told.items()), None)


def before_the_last_move(site: Settings) -> tuple[str, ...]:
    """Return the volumes that the way back leads to."""
    told = last_move(site)
    return (told["from_db"], told["from_media"]) if told else ()


def check(client: DockerClient, site: Settings) -> None:
    """Refuse volumes that are not those this checkout served from, and a database that others write."""
    last = _remembered(site)
    absent = {
        key: volume for key, volume in _named(site).items() if not objects.volume_exists(client, volume)
    }
    gone = [volume for key, volume in absent.items() if last.get(key) == volume]
    if former := former_name(site):
        lines = " and ".join(f"{key}={last[key]}" for key in _named(site))
        raise Refused(
            f"the site's name was {former}, now it is {site.site}",
            why="its data is in volumes of the old name: under the new one it would begin empty",
            fix=f"write COMPOSE_PROJECT_NAME={former} into .env; or, to keep the new name, {lines}",
        )
    if gone:
        raise Refused(
            f"the site's data is gone: {', '.join(gone)}",
            why="somebody removed what it was in; a deploy would begin with nothing",
            fix=f"`./restore.sh` brings an archive back; to begin with nothing: {_creating(gone)}",
        )
    if moved := [key for key in absent if key in last]:
        raise Refused(
            f"the site would begin with a new, empty volume: {', '.join(absent[key] for key in moved)}",
            why=f"its data is in {', '.join(last[key] for key in moved)}: {' and '.join(moved)} was changed",
            fix=f"put {' and '.join(f'{key}={last[key]}' for key in moved)} back into .env",
        )
    one_writer(client, site)


def _creating(volumes: list[str]) -> str:
    return "`" + " && ".join(f"docker volume create {volume}" for volume in volumes) + "`"


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


def is_to_begin(site: Settings, place: Place) -> bool:
    """Tell whether no database is there yet: on volumes that somebody made to begin with nothing."""
    try:
        volumes.inspect(site, place)
    except Unsound as finding:
        return finding.kind == "missing"
    return False


def left_alone(client: DockerClient, site: Settings) -> list[str]:
    """Return other sites' databases that no container uses, before a first deploy.

    Those of a site that is up are what it was before a restore.
    """
    if objects.volume_exists(client, site.db_volume):
        return []
    others = objects.volumes_called(client, "payload-db")
    unused = (volume for volume in sorted(others) if not containers.mounted(client, volume))
    return [volume for volume in unused if not containers.of_site(client, others[volume])]


def one_writer(client: DockerClient, site: Settings) -> None:
    """Refuse a database that a container of somebody else's may write."""
    for container in containers.writing_to(client, site.db_volume):
        if container.project != site.site or container.one_off:
            raise Refused(
                f"the volume {site.db_volume} is used by container {container.name}",
                why="two applications that write one SQLite file lose what visitors were told is saved",
                fix=f"end that one first: {_ending(container)}; or name another volume in .env",
            )


def _ending(container: Neighbour) -> str:
    if container.service in containers.OURS and not container.one_off:
        return f"`docker compose -p {container.project} down`, which keeps the data"
    return f"`docker stop {container.name}`"


def _named(site: Settings) -> dict[str, str]:
    return {"DB_VOLUME": site.db_volume, "MEDIA_VOLUME": site.media_volume}


def _remembered(site: Settings) -> dict[str, str]:
    return envfile.read(_note(site))


def _note(site: Settings) -> Path:
    return site.state / "served"
