"""Payload's migrations: those that a database has had, that an image brings, that are files of a checkout."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from stack import volumes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from stack.settings import Settings
    from stack.volumes import Place

PUSHED = -1  # the batch that Payload gives to what a development server did
FILE = re.compile(r"(\d{8}_\d{6}(?:_\w+)?)\.[cm]?[jt]s")  # as `payload migrate:create` names them
MADE = (".git", ".next", "node_modules")  # directories with copies


@dataclass(frozen=True)
class Told:
    """What a database and an image say.

    ``applied`` has the batch of each, in the order in which they ran; ``brought`` is None where the image
    does not tell. ``size`` is that of the database in bytes, its log included.
    """

    applied: Mapping[str, int]
    brought: tuple[str, ...] | None
    size: int

    @property
    def pushed(self) -> bool:
        """Whether a development server has changed this database."""
        return PUSHED in self.applied.values()


def told(site: Settings, place: Place) -> Told:
    """Ask a database and the image of ``place``, without changing anything."""
    with volumes.running(site, place, "reader", "migrations", place.database) as process:
        said = volumes.heard(process)
    applied = {each["name"]: each["batch"] for each in said["applied"]}
    return Told(applied, None if said["brought"] is None else tuple(said["brought"]), said["size"])


def in_directory(directory: Path) -> list[str]:
    """Return the names of the migrations whose files are below a directory, oldest first."""
    found: list[str] = []
    for _, below, files in os.walk(directory):
        below[:] = [name for name in below if name not in MADE]
        found += names(files)
    return sorted(set(found))


def names(files: Iterable[str]) -> list[str]:
    """Return the names of the migrations among these files."""
    matched = (FILE.fullmatch(PurePath(file).name) for file in files)
    return sorted(match[1] for match in matched if match)
