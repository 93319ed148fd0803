"""The files that an earlier release was started with: for Compose while it is tried, in place when it stays.

Of `.env` that is what the application's container is made of; the rest of it is this machine's, and stays.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from stack import atomic, envfile, kept
from stack.settings import DEFAULTS

if TYPE_CHECKING:
    from pathlib import Path

    from stack.journal import Entry
    from stack.kept import Note
    from stack.operation import Operation
    from stack.settings import Settings

COMPOSE = ("docker-compose.yml", "docker-compose.override.yml")
ENV = ".env.production"
CONTAINER = ("HEALTH_PATH", "MEDIA_DIR", "APP_MEMORY", "APP_MEMORY_RESERVED", "APP_CPUS", "APP_PIDS")


def variables(operation: Operation, note: Note) -> dict[str, str]:
    """Return what makes Compose read the files of a release that served once, instead of the present ones."""
    site = operation.site
    told = {**_container(site, note.place), "APP_ENV_FILE": str((note.place / ENV).relative_to(site.root))}
    if any(_differs(site, note.place, name) for name in COMPOSE):
        told["COMPOSE_FILE"] = ":".join(_beside_the_present_ones(operation, note))
    return told


def _beside_the_present_ones(operation: Operation, note: Note) -> list[str]:
    """Copy its Compose files to where the present ones are: from there they find what they name."""
    root = operation.site.root
    copies = {root / f".{operation.id}.{name}": note.place / name for name in COMPOSE}
    there = {copy: file for copy, file in copies.items() if file.exists()}
    operation.making(files=tuple(there))
    for copy, file in there.items():
        atomic.replace(copy, _text(file) or "", mode=0o600)
    return [copy.name for copy in there]


def differing(site: Settings, note: Note) -> list[str]:
    """Name what will be as it was: files, and variables of the two environment files without their values."""
    files = [name for name in COMPOSE if _differs(site, note.place, name)]
    then, now = envfile.read(note.place / ENV), envfile.read(site.env_production)
    changed = [key for key in sorted({*then, *now}) if then.get(key) != now.get(key)]
    return [*files, *_container(site, note.place), *changed]


def put_in_place(site: Settings, entry: Entry, came: str) -> dict[str, str]:
    """Make the files of the checkout what a release was started with, and keep what they were.

    What `.env` is to say of it is returned. Can be done again.
    """
    place = kept.directory(site, came)
    changed = [name for name in (*COMPOSE, ENV) if _differs(site, place, name)]
    values = _container(site, place)
    if changed or values:
        _set_aside(site, entry.id)
    for name in changed:
        _write(site.root / name, _text(place / name))
    return values


def put_back(site: Settings, entry: Entry) -> None:
    """Make the files what they were before :func:`put_in_place`. Can be done again."""
    aside = set_aside(site, entry.id)
    if aside.exists():
        for name in kept.FILES:
            _write(site.root / name, _text(aside / name))


def set_aside(site: Settings, identity: str) -> Path:
    """Return where the files are kept that an operation has replaced."""
    return site.state / "replaced" / identity


def _set_aside(site: Settings, identity: str) -> None:
    """Copy the present files, wholly or not at all."""
    final = set_aside(site, identity)
    if final.exists():
        return
    scratch = kept.made(kept.made(final.parent) / f".{identity}")
    for name in kept.FILES:
        if (text := _text(site.root / name)) is not None:
            atomic.replace(scratch / name, text, mode=0o600)
    scratch.rename(final)
    atomic.sync_directory(final.parent)
    for old in sorted(final.parent.iterdir())[: -kept.RELEASES]:
        shutil.rmtree(old)


def _container(site: Settings, place: Path) -> dict[str, str]:
    """Return the settings of the application's container that are not what they were."""
    then, now = envfile.read(place / ".env"), envfile.read(site.dotenv)
    both = {key: [given.get(key) or DEFAULTS[key] for given in (then, now)] for key in CONTAINER}
    return {key: before for key, (before, present) in both.items() if before != present}


def _differs(site: Settings, place: Path, name: str) -> bool:
    return _text(place / name) != _text(site.root / name)


def _text(file: Path) -> str | None:
    return file.read_bytes().decode() if file.exists() else None


def _write(file: Path, text: str | None) -> None:
    """Replace a file, or the one that it is a link to; None removes it."""
    if text is None:
        file.unlink(missing_ok=True)
    elif _text(file) != text:
        mode = 0o600 if file.name == ENV else 0o644
        atomic.replace(file.resolve(), text, mode=file.stat().st_mode & 0o777 if file.exists() else mode)
