"""Files that tell what operations did: logs and reports, the last of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import ownership

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

KEPT = 50  # of each kind


def file(site: Settings, kind: str, name: str) -> Path:
    """Make a file for its owner's eyes in `.stack/<kind>`; the oldest there go."""
    directory = site.state / kind
    directory.mkdir(mode=0o700, exist_ok=True)
    ownership.hand_over(directory)
    for old in sorted(directory.iterdir())[: -KEPT + 1]:
        old.unlink()
    path = directory / name
    path.touch(mode=0o600)
    ownership.hand_over(path)
    return path
