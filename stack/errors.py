"""Every way an operation can end badly, with the exit code that scripts may rely on.

::

    Failure
     ├── Usage            2   the command line makes no sense
     ├── Invalid         10   environment file or settings are wrong
     ├── Refused         11   preflight, build or trial said no; the site is untouched
     ├── Locked          12   another operation is at work
     ├── Undone          20   it failed; the previous state is back and healthy
     ├── Broken          21   it failed and the previous state is not back
     ├── Untrusted       22   the backup is not trustworthy; nothing was published
     └── Rejected        23   the archive was refused; nothing was touched

They derive from :class:`invoke.Exit`, so that the stock ``inv`` prints them without a traceback too.
"""

from __future__ import annotations

import errno
from typing import ClassVar

from invoke.exceptions import Exit

INTERRUPTED = "interrupted"
INTERRUPTIONS = {
    "SIGINT": "interrupted by Ctrl-C",
    "SIGTERM": "interrupted by SIGTERM: somebody, or the machine, ended it",
    "SIGHUP": "interrupted by SIGHUP: the session or the reader of its output has gone",
}


class Failure(Exit):
    """What happened, why, and what to do about it; ``detail`` is shown below (logs, listings)."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str, fix: str, detail: str = "") -> None:
        self.what = what
        self.why = why
        self.fix = fix
        self.detail = detail
        super().__init__(str(self), self.exit_code)

    def __str__(self) -> str:
        lines = [f"error: {self.what}", f"  why: {self.why}", f"  fix: {self.fix}"]
        return "\n".join([*([self.detail.rstrip(), ""] if self.detail else []), *lines])


class Usage(Failure):
    exit_code = 2


class Invalid(Failure):
    exit_code = 10


class Refused(Failure):
    exit_code = 11


class Unfit(Refused):
    """A trial has shown that the release does not work on the data, or loses some of it."""


class Locked(Failure):
    exit_code = 12


class Undone(Failure):
    exit_code = 20


class Broken(Failure):
    exit_code = 21


class Untrusted(Failure):
    exit_code = 22


class Rejected(Failure):
    exit_code = 23


class Newer(Rejected):
    """The archive may well be sound: only this version cannot tell."""


def of(trouble: BaseException) -> Failure:
    """Return what ended an operation as a failure: one of ours, an interruption, or the machine's."""
    if isinstance(trouble, Failure):
        return trouble
    if isinstance(trouble, KeyboardInterrupt):
        return Refused(
            "interrupted", why=INTERRUPTIONS.get(str(*trouble.args), INTERRUPTED), fix="run it again"
        )
    if isinstance(trouble, OSError):
        return _of_the_machine(trouble)
    return Refused("something unexpected happened", why=repr(trouble), fix="please report it with all above")


def _of_the_machine(trouble: OSError) -> Failure:
    place, why = trouble.filename or "something on this machine", str(trouble.strerror or trouble)
    if trouble.errno in (errno.ENOSPC, errno.EDQUOT):
        fix = "make room: look at `df -h`, `df -i` and `docker system df`"
        return Refused(f"{place} cannot be written", why=why, fix=fix)
    return Refused(f"{place} cannot be used", why=why, fix="check its owner, its mode and the disk")
