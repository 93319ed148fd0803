"""Who may read a file of secrets, and whether it is a file at all."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from stack.problems import ERROR, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE_AT_MOST = 1 << 20  # bytes


def opened(path: Path, *, root: Path) -> tuple[bytes | None, list[Problem]]:
    """Return a file's content, or None, and what is wrong with the file itself."""
    obstacle = _obstacle(path, root)
    if obstacle:
        return None, [obstacle]
    return path.read_bytes(), list(_exposure(path, root))


def _obstacle(path: Path, root: Path) -> Problem | None:
    """Say why a file must not be opened: a pipe would block, a device could do anything."""
    if path.is_symlink() and root.resolve() not in path.resolve().parents:
        return _problem("is a link to a place outside the project", "put the file itself here")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return _problem("is not an ordinary file", "put a file of KEY=value lines in its place")
    if status.st_size > SIZE_AT_MOST:
        return _problem("is larger than 1 MB", "is it the right file?")
    if not os.access(path, os.R_OK):
        return _problem("cannot be read by this user", f"chown it to {os.geteuid()}, or be another user")
    return None


def _exposure(path: Path, root: Path) -> Iterator[Problem]:
    status, owner = path.stat(), root.stat().st_uid
    if status.st_mode & 0o077:
        yield _problem("can be read by others on this machine", f"chmod 600 {path}")
    if not is_trusted(status.st_uid, me=os.geteuid(), owner=owner):
        yield _problem("belongs to somebody else, who can change it", f"chown {owner} {path}")


def is_trusted(uid: int, *, me: int, owner: int) -> bool:
    return uid in (0, me, owner)


def _problem(message: str, hint: str) -> Problem:
    return Problem(ERROR, "", None, f"the file {message}", hint)
