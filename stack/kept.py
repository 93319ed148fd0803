"""What is kept of the last releases: the files each was started with, and the data from before it."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import atomic, console, envfile, errors, ownership
from stack.errors import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from stack.journal import Entry
    from stack.settings import Settings

RELEASES = 3
FILES = ("docker-compose.yml", "docker-compose.override.yml", ".env", ".env.production")
ARCHIVE = "before.tar.zst"


@dataclass(frozen=True)
class Note:
    """What is known of a release that came to stay.

    ``migrations`` and ``trial``, in seconds, are of the update that brought it, None where that was the first
    deploy. ``archive`` holds the database from before it, where that is still there.
    """

    image: str
    migrations: tuple[str, ...] | None
    trial: float | None
    archive: Path | None


def part(site: Settings, identity: str) -> Path:
    """Return where the archive of an update is written, until its release stays."""
    return _all(site) / f".{identity}.tar.zst"


def archive(site: Settings, identity: str) -> Path:
    """Return the archive of the database from before a release."""
    return _all(site) / identity / ARCHIVE


def saved(site: Settings, entry: Entry) -> None:
    """Keep what a release that stays was started with; can be done again."""
    place = _made(_all(site) / entry.id)
    for name in FILES:
        if (file := site.root / name).exists():
            atomic.replace(place / name, file.read_bytes().decode(), mode=0o600)
    told = {"id": entry.id, "began": entry.began, **entry.facts}
    atomic.replace(place / "release.json", json.dumps(told, indent=2) + "\n", mode=0o600)
    if (written := part(site, entry.id)).exists():
        ownership.hand_over(written)
        written.replace(place / ARCHIVE)


def notes(site: Settings) -> list[Note]:
    """Return what is known of the last releases, oldest first."""
    return [note for place in _found(site) if (note := _note(place))]


def _note(place: Path) -> Note | None:
    """Read what was kept; where that was cut off, or changed by hand, it is told and left out."""
    try:
        told = json.loads((place / "release.json").read_text(encoding="utf-8"))
        swapped = "to_image" in told
        return Note(
            envfile.read(place / ".env")["APP_IMAGE"],
            tuple(filter(None, told.get("migrations", "").split(", "))) if swapped else None,
            float(told["trial"]) if swapped else None,
            file if (file := place / ARCHIVE).exists() else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as damage:
        console.warn(f"{place} tells nothing of its release: {damage!r}")
        return None


def environment(site: Settings) -> dict[str, str]:
    """Return the `.env.production` that the live release was last started with; empty where not kept."""
    for place in reversed(_found(site) if site.app_image else []):
        with suppress(Failure, OSError):
            if envfile.read(place / ".env").get("APP_IMAGE") == site.app_image:
                return envfile.read(place / ".env.production")
    return {}


def overdue(site: Settings) -> dict[str, int]:
    """Return the updates of which nothing stays when another has come to its end, with their bytes."""
    return {
        each.name: sum(file.stat().st_size for file in each.iterdir())
        for each in _found(site)[: 1 - RELEASES]
    }


def forgotten(site: Settings, identity: str) -> None:
    """Remove what is kept of a release that did not stay."""
    _removed([_all(site) / identity])


def pruned(site: Settings) -> None:
    """Remove what is kept of all but the last releases; where that cannot be, the next update does it."""
    _removed(_found(site)[:-RELEASES])


def _removed(directories: list[Path]) -> None:
    try:
        for each in directories:
            if each.exists():
                shutil.rmtree(each)
    except OSError as trouble:
        console.progress(f"  what is kept of old releases is still there: {errors.of(trouble).why}")


def identities(site: Settings) -> list[str]:
    """Return the updates of which something stays when another one has come to its end."""
    return [each.name for each in _found(site)[1 - RELEASES :]]


def _found(site: Settings) -> list[Path]:
    place = site.state / "releases"
    return sorted(each for each in place.iterdir() if each.is_dir()) if place.exists() else []


def _all(site: Settings) -> Path:
    return _made(site.state / "releases")


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    ownership.hand_over(directory)
    return directory
