"""One operation at a time for each site: a lock that the kernel frees, however its holder ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stack import ownership, run
from stack.errors import Locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from stack.settings import Settings

A_LOOK = 0.2  # seconds; `is_held` takes the lock for an instant


@contextmanager
def held(settings: Settings, operation: str, *, patience: float = 0) -> Iterator[None]:
    """Hold the site's lock, or say who does: at once, or after ``patience`` seconds.

    What an operation starts holds the lock too: where it is killed, nobody comes before that has ended.
    """
    settings.state.mkdir(mode=0o700, exist_ok=True)
    ownership.hand_over(settings.state)
    with (settings.state / "lock").open("a+") as file:
        ownership.hand_over(settings.state / "lock")
        _take(file, settings, time.monotonic() + max(patience, A_LOOK))
        file.truncate(0)
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        file.write(f"{operation}, process {os.getpid()}, since {now}\n")
        file.flush()
        with run.keeping(file.fileno()):
            yield


def is_held(settings: Settings) -> bool:
    """Tell whether an operation is at work."""
    try:
        with (settings.state / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _take(file: TextIO, settings: Settings, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            file.seek(0)
            raise Locked(
                f"another operation is at work on {settings.site}",
                why=file.read().strip() or "it holds the lock",
                fix="wait for it to end; the lock goes with its process and what that has started",
            ) from busy
        return
