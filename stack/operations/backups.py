"""Which archives there are, and whether they are sound."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from stack import backups, console, settings, sizes
from stack.errors import Rejected

if TYPE_CHECKING:
    from stack.backups import Backup
    from stack.settings import Settings


def listed(root: Path, *, as_json: bool) -> None:
    """Print the archives, newest first; JSON gives sizes in bytes, ages in seconds, times in UTC.

    What was not seen on this machine is "never", and null in JSON.
    """
    site = settings.load(root)
    found = [_facts(backup) for backup in backups.every(site)]
    if as_json:
        console.result_json(found)
    elif found:
        head = ("archive", "age", "size", "holds", "verified", "proven", "release")
        console.result_table([head, *map(_row, found)])
    else:
        console.progress(f"{site.root / 'backups'} has no archive of {site.site}; `./backup.sh` makes one")


def verify(root: Path, named: str, working: Path, *, every: bool) -> None:
    """Read archives whole and compare every sum; the newest where none is named."""
    site = settings.load(root)
    chosen = (
        [backups.find(site, named, working)] if named else [backup.path for backup in backups.every(site)]
    )
    if not chosen:
        raise backups.none_of(site)
    damaged: list[Rejected] = []
    for path in chosen if every or named else chosen[:1]:
        damage = _damage(site, path)
        damaged += [damage] if damage else []
    if damaged:
        raise Rejected(
            f"{len(damaged)} archive(s) are damaged",
            why="see above",
            fix="make a new one now: `./backup.sh`; then look at this machine's disk",
        )


def _damage(site: Settings, path: Path) -> Rejected | None:
    """Tell what is wrong with an archive, on stderr; or print its path where nothing is."""
    try:
        with console.step(path.name) as step:
            manifest = backups.verify(site, path, step)
            step.say(f"sound, {len(manifest.members)} file(s)")
    except Rejected as damage:
        console.error(str(damage))
        return damage
    console.result(str(path))
    return None


def _facts(backup: Backup) -> dict[str, object]:
    return {
        "archive": str(backup.path),
        "created": f"{backup.created:{backups.TIME}}",
        "age": sizes.since(backup.created),
        "size": backup.size,
        "release": backup.release or None,
        "media": backup.media,
        "verified": backup.verified or None,
        "damaged": backup.damaged,
        "proven": backup.known.proven or None,
    }


def _row(facts: dict[str, object]) -> tuple[str, ...]:
    return (
        Path(str(facts["archive"])).name,
        sizes.age(facts["age"]),
        sizes.human(facts["size"]),
        _holds(facts["media"]),
        "DAMAGED" if facts["damaged"] else _ago(facts["verified"]),
        _ago(facts["proven"]),
        str(facts["release"] or "-"),
    )


def _holds(media: object) -> str:
    if media is None:
        return "-"
    return "all" if media else "database"


def _ago(time: object) -> str:
    if time is None:
        return "never"
    then = datetime.strptime(str(time), backups.TIME).replace(tzinfo=timezone.utc)
    return f"{sizes.age(sizes.since(then))} ago"
