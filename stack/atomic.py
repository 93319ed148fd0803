"""Files that are there whole or not at all, even after the machine lost its power."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from stack import ownership


def replace(path: Path, text: str, *, mode: int) -> None:
    """Put a whole new file in place by one rename: a reader sees the old one or the new one."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(scratch).chmod(mode)
        ownership.hand_over(Path(scratch))
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)  # a signal can come right after the rename
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make what was renamed, made or removed in a directory outlast a loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
