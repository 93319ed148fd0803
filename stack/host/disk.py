"""Room on the machine's file systems."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disk:
    """Bytes of the file system that holds ``path``."""

    path: str
    free: int
    total: int


def room(path: str) -> Disk:
    """Look at the file system of ``path``, or of its nearest parent that this user may look at."""
    place = Path(path)
    while True:
        try:
            found = shutil.disk_usage(place)
        except (FileNotFoundError, PermissionError):
            place = place.parent
            continue
        return Disk(str(place), found.free, found.total)
