"""One operation at a time for each site: a lock that the kernel frees, however its holder ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stack import ownership
from stack.errors import Locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.settings import Settings


@contextmanager
def held(settings: Settings, operation: str) -> Iterator[None]:
    """Hold the site's lock, or say at once who does."""
    settings.state.mkdir(mode=0o700, exist_ok=True)
    ownership.hand_over(settings.state)
    with (settings.state / "lock").open("a+") as file:
        ownership.hand_over(settings.state / "lock")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            file.seek(0)
            raise Locked(
                f"another operation is at work on {settings.site}",
                why=file.read().strip() or "it holds the lock",
                fix="wait for it to end; the lock goes with its process",
            ) from busy
        file.truncate(0)
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        file.write(f"{operation}, process {os.getpid()}, since {now}\n")
        file.flush()
        yield
