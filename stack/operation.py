"""One operation from its first step to its last: locked, journalled, told, and made good where it fails."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from stack import console, errors, journal, lock, records, recovery, report, signals
from stack.errors import Broken, Failure, Undone, Untrusted
from stack.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

    from stack.console import Step
    from stack.settings import Settings

INTERRUPTED = 130
STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class Operation:
    """An operation at work, and what its journal says."""

    site: Settings
    entry: Entry

    @property
    def id(self) -> str:
        return self.entry.id

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Write the step down before and after it, tell it with its time."""
        self._write(step=title, done=False)
        with console.step(title) as step:
            yield step
        self._write(done=True)

    def making(self, *, volumes: tuple[str, ...] = (), files: tuple[Path, ...] = ()) -> None:
        """Note what is about to be made: it goes if the operation does not come to its end."""
        self._write(volumes=(*self.entry.volumes, *volumes), files=(*self.entry.files, *map(str, files)))

    def telling(self, **facts: str) -> None:
        """Note something for the site's history."""
        self._write(facts={**self.entry.facts, **facts})

    def touching(self, *, serving: bool) -> None:
        """Note that from now on the site is not what it was; ``serving`` is whether it was up."""
        self._write(serving=serving)

    def _write(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Entry
        self.entry = replace(self.entry, **changes)
        journal.write(self.site, self.entry)


@contextmanager
def begun(client: DockerClient, site: Settings, name: str) -> Iterator[Operation]:
    """Hold the lock, make good what an earlier operation left, and keep a journal until this one ends.

    Where it fails, what it made is removed and the site made what `.env` says: the failure then tells both.
    """
    with lock.held(site, name):
        recovery.earlier(client, site)
        now = datetime.now(timezone.utc)
        operation = Operation(
            site,
            Entry(f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}", name, f"{now:{STAMP}}", os.getpid()),
        )
        journal.write(site, operation.entry)
        with console.transcript(_transcript(site, operation)):
            try:
                yield operation
            except BaseException as trouble:
                with signals.ignored():
                    failure = _made_good(client, operation, trouble)
                if failure is trouble:
                    raise
                raise failure from trouble
            with signals.ignored():
                _told(operation, code=0)
                _tidied(client, operation)


def _made_good(client: DockerClient, operation: Operation, trouble: BaseException) -> BaseException:
    """Make good what was begun, as far as the operation has not; return what to raise."""
    site, failure = operation.site, errors.of(trouble)
    seen = _seen(client, operation, failure)
    if isinstance(failure, Undone | Broken):
        _tidied(client, operation)
    else:
        failure = recovery.after(client, site, operation.entry, failure)
    untouched = isinstance(trouble, KeyboardInterrupt) and not isinstance(failure, Undone | Broken)
    _told(operation, code=INTERRUPTED if untouched else failure.code, what=failure.what, why=failure.why)
    if seen:
        _reported(operation, failure, seen)
    if untouched:
        console.progress("interrupted; the site is as it was")
        return trouble
    return failure


def _tidied(client: DockerClient, operation: Operation) -> None:
    """Remove what is not needed any more; where that fails now, the next operation does it."""
    try:
        recovery.tidied(client, operation.site, operation.entry)
    except (Failure, OSError) as trouble:
        console.warn(f"something is left of it, `bin/inv resume` removes it: {errors.of(trouble).why}")


def _seen(client: DockerClient, operation: Operation, failure: Failure) -> str:
    """Look at the site before it is brought back; what cannot be seen must not keep that from happening."""
    touched = operation.entry.serving is not None or isinstance(failure, Undone | Broken | Untrusted)
    if not touched and not failure.detail:
        return ""
    try:
        return report.collected(client, operation.site)
    except Exception as second:  # noqa: BLE001 - as above
        return f"--- {second!r}"


def _reported(operation: Operation, failure: Failure, seen: str) -> None:
    try:
        console.progress(f"report: {report.write(operation.site, operation.entry, failure, seen)}")
    except OSError as trouble:
        console.warn(f"no report could be written: {trouble}")


def _told(operation: Operation, *, code: int, **more: str) -> None:
    entry, ended = operation.entry, time.strftime(STAMP, time.gmtime())
    told = {"id": entry.id, "operation": entry.operation, "began": entry.began, "ended": ended}
    try:
        journal.remember(operation.site, {**told, "code": code, **entry.facts, **more})
    except OSError as trouble:
        console.warn(f"the history could not be written: {trouble}")


def _transcript(site: Settings, operation: Operation) -> Path:
    return records.file(site, "log", f"{operation.id}-{operation.entry.operation}.log")
