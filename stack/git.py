"""Which version of a directory this is, in Git's words; and how Git is asked anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stack import run
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stack.ownership import Identity
    from stack.run import Result

NONE = "nogit"
GIT = [
    "git",
    "--no-optional-locks",  # an index that root has refreshed would be root's
    *("-c", "safe.directory=*"),  # root may deploy somebody else's checkout
    *("-c", "core.fsmonitor=false"),  # nothing stays behind and keeps the lock
]
STATUS = ["status", "--porcelain", "--untracked-files=normal"]
ALONE = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}


def revision(directory: Path) -> str:
    """Return twelve digits of the commit, with ``-dirty`` if the directory differs from it, or ``nogit``."""
    try:
        commit = asked(directory, "rev-parse", "--short=12", "HEAD")
        changes = asked(directory, *STATUS, "--", ".")
    except Refused:  # no git on this machine
        return NONE
    if not commit.ok or not changes.ok:
        return NONE
    return commit.out.strip() + ("-dirty" if changes.out.strip() else "")


def asked(
    directory: Path,
    *arguments: str,
    owner: Identity | None = None,
    variables: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Result:
    """Run Git in a directory, as its owner where one is given; it asks nobody for a password."""
    env = {**_environment(owner), **(variables or {})}
    return run.capture([*GIT, *arguments], cwd=directory, env=env, timeout=timeout, owner=owner)


def _environment(owner: Identity | None) -> dict[str, str]:
    """Return this process's environment without the repository that a hook's variables name.

    Who works as somebody else has their configuration and nothing of root's.
    """
    foreign = ("GIT_", "XDG_", "SSH_AUTH_SOCK") if owner else ("GIT_",)
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(foreign) or (key.startswith("GIT_SSH") and not owner)
    }
    return {**kept, **ALONE, **(owner.variables if owner else {})}
