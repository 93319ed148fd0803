"""Try a release on a copy of the site's data before any visitor meets it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stack import drill, fill, migrator, sizes, snapshot, trial
from stack.engine import objects
from stack.errors import Refused
from stack.fill import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from docker import DockerClient

    from stack.migrator import Migration
    from stack.operation import Operation
    from stack.trial import Trial
    from stack.volumes import Place


@dataclass(frozen=True)
class Rehearsal:
    """How a release started on a copy of the data, and the seconds that ``filling`` a volume with it took.

    ``had`` are the migrations that the copy came with, ``migration`` is what Payload's own command did to it.
    """

    trial: Trial
    filling: float
    had: tuple[str, ...]
    migrated: bool
    migration: Migration | None = None


def held(  # noqa: PLR0913 - from where, to what, and what is meant so
    client: DockerClient,
    operation: Operation,
    there: Place,
    new: Place,
    *,
    archive: Path,
    accepted: Sequence[str] = (),
    by_command: bool = False,
) -> Rehearsal:
    """Back the database of ``there`` up, boot the release of ``new`` on a copy, and tell how that went.

    ``archive`` is the backup's path, whoever calls keeps it or not. Live media cannot be changed by what
    starts there. Tables that are ``accepted`` may lose rows; ``by_command``, Payload's own
    command migrates before.
    """
    with operation.step("Back up the database") as step:
        order = snapshot.ordered(client, operation, there, archive, media=False)
        manifest = snapshot.taken(client, order, step)
        step.say(f"{sizes.human(archive.stat().st_size)}, read back")
    scratch = drill.new_volumes(operation, new)
    on_live_media = replace(scratch, media_volume=there.media_volume)
    source = Source(archive, manifest)
    told = on(client, operation, scratch, on_live_media, source, accepted=accepted, by_command=by_command)
    for volume in (scratch.db_volume, scratch.media_volume):  # room for the copy that follows
        objects.remove_volume(client, volume)
    return told


def on(  # noqa: PLR0913 - where, from what, and what is meant so
    client: DockerClient,
    operation: Operation,
    new: Place,
    place: Place,
    source: Source,
    *,
    accepted: Sequence[str] = (),
    by_command: bool = False,
    title: str = "Fill a scratch volume",
) -> Rehearsal:
    """Fill the volumes of ``new``, which must not be there yet, and boot the release on ``place``."""
    began = time.monotonic()
    with operation.step(title) as step:
        before = fill.filled(client, operation.site, new, source, step)
    filling = time.monotonic() - began
    assert before is not None  # noqa: S101 - a database was wanted
    not_pushed(before.dev_pushed)
    migration = migrator.prepared(client, operation, place, before) if by_command else None
    with operation.step("Trial") as step:
        told = trial.held(client, operation.site, place, before, accepted=accepted)
        step.say(f"answers after {told.first:.1f} s, {_migrations(told)}")
    other_tables = told.facts.rows.keys() != before.rows.keys()
    return Rehearsal(
        told, filling, before.migrations, migrated=other_tables or bool(told.migrations), migration=migration
    )


def not_pushed(pushed: bool) -> None:  # noqa: FBT001 - it is all there is to it
    """Refuse a database on which Payload asks a question at its start, and waits for ever."""
    if pushed:
        raise Refused(
            "a development server has changed this database",
            why="payload_migrations has a row with batch -1, about which Payload asks when it starts",
            fix="docs/troubleshooting.md says how to take it out; then run this again",
        )


def _migrations(told: Trial) -> str:
    return f"{len(told.migrations)} migration(s) ran" if told.migrations else "no migration"
