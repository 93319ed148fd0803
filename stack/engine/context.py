"""Which files a directory gives to a build, as the engine reads its ``.dockerignore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docker.utils import exclude_paths

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def files(directory: Path, *, without: Iterable[str] = ()) -> list[str]:
    """Return the regular files and links below ``directory``, sorted, as relative paths.

    ``without`` are patterns in addition to those of the directory's own ``.dockerignore``.
    """
    ignore = directory / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.exists() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    sent = exclude_paths(str(directory), [*patterns, *without])
    return sorted(name for name in sent if (directory / name).is_file() or (directory / name).is_symlink())
