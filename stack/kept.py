"""What is kept of the last releases: the files each was started with, and the data from before it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import atomic, console, envfile, errors, ownership, settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stack.journal import Entry
    from stack.settings import Settings

RELEASES = 3
FILES = ("docker-compose.yml", "docker-compose.override.yml", ".env", ".env.production")
ARCHIVE = "before.tar.zst"


@dataclass(frozen=True)
class Note:
    """What is known of a release that came to stay.

    ``before`` is the image whose place it took, empty where there was none. ``had`` are the migrations that
    the database had by then, ``migrations`` those that it brought, ``trial`` are seconds; None where no
    update brought it. ``archive`` holds the database from before it, where that is still there.
    """

    place: Path
    image: str
    before: str
    had: tuple[str, ...] | None
    migrations: tuple[str, ...] | None
    trial: float | None
    archive: Path | None

    @property
    def id(self) -> str:
        return self.place.name


def part(site: Settings, identity: str) -> Path:
    """Return where the archive of an update is written, until its release stays."""
    return _all(site) / f".{identity}.tar.zst"


def directory(site: Settings, identity: str) -> Path:
    """Return where it is kept what a release was started with, by the operation that brought it."""
    return _all(site) / identity


def archive(site: Settings, identity: str) -> Path:
    """Return the archive of the database from before a release."""
    return directory(site, identity) / ARCHIVE


def saved(site: Settings, entry: Entry) -> None:
    """Keep what a release that stays was started with; can be done again."""
    place = made(_all(site) / entry.id)
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
            place,
            envfile.read(place / ".env")["APP_IMAGE"],
            told.get("from_image", ""),
            _names(told["had"]) if "had" in told else None,
            _names(told.get("migrations", "")) if swapped else None,
            float(told["trial"]) if swapped else None,
            file if (file := place / ARCHIVE).exists() else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as damage:
        console.warn(f"{place} tells nothing of its release: {damage!r}")
        return None


def _names(told: str) -> tuple[str, ...]:
    return tuple(filter(None, told.split(", ")))


def latest(notes: Sequence[Note], image: str) -> Note | None:
    """Return what is known of a release since it last came."""
    return next((note for note in reversed(notes) if note.image == image), None)


def previous(notes: Sequence[Note], live: str) -> Note | None:
    """Return the release whose place the live one took; one that was gone back from since is none."""
    came = (note.before for note in notes if note.image == live and note.before != live)
    return latest(notes, next(came, ""))


def after(notes: Sequence[Note], image: str) -> Note | None:
    """Return the release that last took the place of this one."""
    return next((note for note in reversed(notes) if note.before == image != note.image), None)


def variables(site: Settings) -> set[str]:
    """Return the names of all variables that the last releases were started with."""
    return {name for note in notes(site) for name in envfile.read(note.place / ".env.production")}


def forgotten(site: Settings, identity: str) -> None:
    """Remove what is kept of a release that did not stay."""
    _removed([_all(site) / identity])


def pruned(site: Settings) -> None:
    """Remove what is kept of all but the last releases; where that cannot be, the next update does it."""
    stay = _needed(site, settings.load(site.root).app_image, RELEASES)
    _removed([each for each in _found(site) if each.name not in stay])


def _removed(directories: list[Path]) -> None:
    try:
        for each in directories:
            if each.exists():
                shutil.rmtree(each)
    except OSError as trouble:
        console.progress(f"  what is kept of old releases is still there: {errors.of(trouble).why}")


def identities(site: Settings) -> list[str]:
    """Return the updates of which something stays when another one has come to its end."""
    stay = _needed(site, site.app_image, RELEASES - 1)
    return [each.name for each in _found(site) if each.name in stay]


def _needed(site: Settings, live: str, last: int) -> set[str]:
    """Return what stays: the last that came, the live one and the one before it, whenever those came."""
    known = notes(site)
    these = (latest(known, live), previous(known, live))
    return {each.name for each in _found(site)[-last:]} | {note.id for note in these if note}


def _found(site: Settings) -> list[Path]:
    place = site.state / "releases"
    return sorted(each for each in place.iterdir() if each.is_dir()) if place.exists() else []


def _all(site: Settings) -> Path:
    return made(site.state / "releases")


def made(place: Path) -> Path:
    """Make a directory for its owner alone, where it is not there."""
    place.mkdir(mode=0o700, exist_ok=True)
    ownership.hand_over(place)
    return place
