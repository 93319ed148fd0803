"""Room on the machine's file systems."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stack.errors import Refused


@dataclass(frozen=True)
class Disk:
    """Bytes and inodes of the file system that holds ``path``; 0 inodes where they are not counted."""

    path: str
    free: int
    total: int
    inodes_free: int
    inodes: int


@dataclass(frozen=True)
class Need:
    """What something takes, in bytes and inodes."""

    free: int
    inodes: int


BUILD = Need(free=2 << 30, inodes=100_000)  # seen for the starter: 1.5 GB, 61,000 inodes
REBUILD = Need(free=600 << 20, inodes=20_000)  # seen for a changed address: 210 MB, 6,000 inodes
BASE_IMAGES = Need(free=1 << 30, inodes=20_000)
START = Need(free=64 << 20, inodes=1_000)
CHECKOUT = Need(free=4 << 20, inodes=50)


def room(path: str) -> Disk:
    """Look at the file system of ``path``, or of its nearest parent that this user may look at."""
    place = Path(path)
    while True:
        try:
            found = os.statvfs(place)
        except (FileNotFoundError, PermissionError):
            place = place.parent
            continue
        size = found.f_frsize
        return Disk(str(place), found.f_bavail * size, found.f_blocks * size, found.f_favail, found.f_files)


def need(wanted: Need, path: str, purpose: str) -> Disk:
    """Refuse what would end half-way on a full file system; return what was there."""
    found = room(path)
    if found.free < wanted.free:
        raise Refused(
            f"not enough room {purpose}: {_mib(found.free)} free at {found.path}",
            why=f"it takes up to {_mib(wanted.free)}",
            fix="`docker system df` shows what can go; `docker builder prune` is safe; or enlarge the disk",
        )
    if found.inodes and found.inodes_free < wanted.inodes:
        raise Refused(
            f"not enough inodes {purpose}: {found.inodes_free} free at {found.path}",
            why=f"it takes up to {wanted.inodes}: one for each file",
            fix="`df -i` shows where; `docker builder prune` is safe; or a file system with more of them",
        )
    return found


def _mib(size: int) -> str:
    return f"{size >> 20} MiB"
