"""What root makes in somebody's checkout is theirs: after `sudo ./deploy.sh` they go on without it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def hand_over(path: Path) -> None:
    """Give ``path`` to the owner of the directory that it is in, where this process may."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
