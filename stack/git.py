"""Which version of a directory this is, in Git's words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stack import run
from stack.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

NONE = "nogit"
GIT = ["git", "-c", "safe.directory=*"]  # root may deploy somebody else's checkout
STATUS = [*GIT, "status", "--porcelain", "--untracked-files=normal"]


def revision(directory: Path) -> str:
    """Return twelve digits of the commit, with ``-dirty`` if the directory differs from it, or ``nogit``."""
    # a Git hook that deploys has variables that name another repository
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        commit = run.capture([*GIT, "rev-parse", "--short=12", "HEAD"], cwd=directory, env=env)
        changes = run.capture([*STATUS, "--", "."], cwd=directory, env=env)
    except Refused:  # no git on this machine
        return NONE
    if not commit.ok or not changes.ok:
        return NONE
    return commit.out.strip() + ("-dirty" if changes.out.strip() else "")
