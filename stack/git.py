"""Which version of a directory this is, in Git's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import run
from stack.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

NONE = "nogit"


def revision(directory: Path) -> str:
    """Return twelve digits of the commit, with ``-dirty`` if the directory differs from it, or ``nogit``."""
    try:
        commit = run.capture(["git", "rev-parse", "--short=12", "HEAD"], cwd=directory)
        changes = run.capture(["git", "status", "--porcelain", "--", "."], cwd=directory)
    except Refused:  # no git on this machine
        return NONE
    if not commit.ok or not changes.ok:
        return NONE
    return commit.out.strip() + ("-dirty" if changes.out.strip() else "")
