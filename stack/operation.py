"""One operation from its first step to its last: locked, journalled, told, and made good where it fails."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from stack import console, errors, journal, lock, records, recovery, report, settings, signals
from stack.errors import Broken, Failure, Refused, Undone, Untrusted
from stack.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

    from stack.console import Step
    from stack.settings import Settings

INTERRUPTED = 130
STAMP = "%Y-%m-%dT%H:%M:%SZ"
LATE = 1.0  # seconds in which an engine makes the container that a client asked for before it was ended


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

    def touching(self, *, serving: bool | None) -> None:
        """Note that from now on the site is not what it was; ``serving`` is whether it was up.

        None says that it is whole again.
        """
        self._write(serving=serving)

    def _write(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Entry
        entry = replace(self.entry, **changes)
        journal.write(self.site, entry)
        self.entry = entry  # what could not be written down is not so: a crash would not know of it


@contextmanager
def begun(client: DockerClient, site: Settings, name: str) -> Iterator[Operation]:
    """Hold the lock, make good what an earlier operation left, and keep a journal until this one ends.

    Where it fails, what it made is removed and the site made what `.env` says: the failure then tells both.
    """
    with lock.held(site, name):
        _is_as_read(site)
        recovery.earlier(client, site)
        site = settings.load(site.root)  # an update that was broken off may have come to its end just now
        now = datetime.now(timezone.utc)
        operation = Operation(
            site,
            Entry(f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}", name, f"{now:{STAMP}}", os.getpid()),
        )
        with console.transcript(_transcript(site, operation)):
            journal.write(site, operation.entry)
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
                with _beside("what it made on the way is still there"):
                    recovery.tidied(client, site, operation.entry)


def _is_as_read(site: Settings) -> None:
    """Refuse settings from before the lock was held: a restore may have ended in between."""
    if settings.load(site.root) != site:
        raise Refused(
            f"{site.dotenv} was changed just now",
            why="another operation ended while this one began",
            fix="run this again",
        )


def _made_good(client: DockerClient, operation: Operation, trouble: BaseException) -> BaseException:
    """Make good what was begun, as far as the operation has not; return what to raise."""
    site, entry, failure = operation.site, operation.entry, errors.of(trouble)
    seen = _seen(client, site) if _is_worth_a_report(entry, failure) else ""
    if isinstance(failure, Undone | Broken):
        with _beside("what it made on the way is still there"):
            recovery.tidied(client, site, entry)
    else:
        if isinstance(trouble, KeyboardInterrupt):
            time.sleep(LATE)
        failure = recovery.after(client, site, entry, failure)
    console.record(str(failure))
    untouched = isinstance(trouble, KeyboardInterrupt) and not isinstance(failure, Undone | Broken)
    _told(operation, code=INTERRUPTED if untouched else failure.code, what=failure.what, why=failure.why)
    if seen:
        with _beside("no report could be written"):
            console.progress(f"report: {report.write(site, entry, failure, seen)}")
    if untouched:
        console.progress("interrupted; the site is as it was")
        return trouble
    return failure


@contextmanager
def _beside(consequence: str) -> Iterator[None]:
    """Tell what goes wrong beside an end that is certain, and leave that as it is."""
    try:
        yield
    except (Failure, OSError) as second:
        console.progress(f"  {consequence}: {errors.of(second).why}")


def _seen(client: DockerClient, site: Settings) -> str:
    try:
        return report.collected(client, site)
    except Exception as second:  # noqa: BLE001 - the way back matters more than a complete report
        return f"--- no more was seen: {second!r}"


def _is_worth_a_report(entry: Entry, failure: Failure) -> bool:
    touched = entry.serving is not None or isinstance(failure, Undone | Broken)
    return touched or bool(failure.detail) or isinstance(failure, Untrusted)


def _told(operation: Operation, *, code: int, **more: str) -> None:
    entry, ended = operation.entry, time.strftime(STAMP, time.gmtime())
    told = {"id": entry.id, "operation": entry.operation, "began": entry.began, "ended": ended}
    with _beside("it is not in the history"):
        journal.remember(operation.site, {**told, "code": code, **entry.facts, **more})


def _transcript(site: Settings, operation: Operation) -> Path:
    return records.file(site, "log", f"{operation.id}-{operation.entry.operation}.log")
