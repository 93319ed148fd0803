"""Which files a directory gives to a build, as the engine reads its ``.dockerignore``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docker.utils import exclude_paths
from docker.utils.build import PatternMatcher

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def files(directory: Path, *, without: Iterable[str] = ()) -> list[str]:
    """Return the regular files and links below ``directory``, sorted, as relative paths.

    ``without`` are patterns in addition to those of the directory's own ``.dockerignore``.
    """
    sent = exclude_paths(str(directory), [*_patterns(directory), *without])
    return sorted(name for name in sent if (directory / name).is_file() or (directory / name).is_symlink())


def sent(directory: Path, names: Iterable[str], *, without: Iterable[str] = ()) -> list[str]:
    """Return which of these files ``directory`` would give to a build if they were there."""
    matcher: Any = PatternMatcher(
        [*_patterns(directory), *without, "!Dockerfile"]
    )  # as `exclude_paths` has it
    return [name for name in names if not matcher.matches(name)]


def _patterns(directory: Path) -> list[str]:
    ignore = directory / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.exists() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
