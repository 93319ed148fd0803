"""What root makes in somebody's checkout is theirs: after `sudo ./deploy.sh` they go on without it."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """Somebody on this machine, as a process can be started as them."""

    user: int
    group: int
    groups: tuple[int, ...]
    name: str
    home: str

    @property
    def variables(self) -> dict[str, str]:
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def hand_over(path: Path) -> None:
    """Give ``path`` to the owner of the directory that it is in, where this process may."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def of(path: Path) -> Identity | None:
    """Return as whom root works in ``path``: its owner; None where this process is to stay who it is."""
    owner = path.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return None
    try:
        known = pwd.getpwuid(owner.st_uid)
    except KeyError:  # of another machine, or of a container
        return Identity(owner.st_uid, owner.st_gid, (), str(owner.st_uid), "/nonexistent")
    groups = tuple(os.getgrouplist(known.pw_name, known.pw_gid))
    return Identity(known.pw_uid, known.pw_gid, groups, known.pw_name, known.pw_dir)
