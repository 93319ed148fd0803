"""Put a release in the place of another: tried on a copy of the data, swapped as visitors wait, watched."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stack import compose, kept, maintenance, rehearsal, releases, settings, start, swap, watch
from stack.engine import containers
from stack.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docker import DockerClient

    from stack.operation import Operation
    from stack.rehearsal import Rehearsal
    from stack.swap import Change
    from stack.volumes import Place


@dataclass(frozen=True)
class Terms:
    """What the operator is content with: tables that lose rows, visitors who see a page and do not wait."""

    accepted: Sequence[str] = ()
    paged: bool = False


AS_USUAL = Terms()


@dataclass(frozen=True)
class Staying:
    """Why a release is not taken back when it turns bad after visitors have met it, and what to do then."""

    why: str
    fix: str


MIGRATED = "it has migrated the database, so that the one before may not work with it"


def perform(  # noqa: PLR0913 - from where, to what, on which terms
    client: DockerClient,
    operation: Operation,
    change: Change,
    there: Place,
    terms: Terms,
    *,
    by_command: bool = False,
) -> None:
    """Let visitors have the new release, once it has worked on a copy of the data that is ``there``.

    ``by_command``: Payload's own command migrates for it.
    """
    archive = kept.part(operation.site, operation.id)
    operation.making(files=(archive,))
    told = rehearsal.held(
        client,
        operation,
        there,
        change.place,
        archive=archive,
        accepted=terms.accepted,
        by_command=by_command,
    )
    change = replace(change, migration=told.migration)
    before = kept.archive(operation.site, operation.id)
    back = f"`bin/inv rollback --with-data`: the database from before is in {before}"
    swapped(
        client,
        operation,
        change,
        told,
        terms,
        Staying(MIGRATED, f"mend it, then `./deploy.sh`; or {back}") if told.migrated else None,
    )


def swapped(  # noqa: PLR0913, PLR0917 - what, on which terms, and what then
    client: DockerClient,
    operation: Operation,
    change: Change,
    told: Rehearsal,
    terms: Terms,
    staying: Staying | None,
) -> None:
    """Swap, then watch; a release that has to stay, whatever becomes of it, says why."""
    operation.telling(
        had=", ".join(told.had), migrations=", ".join(told.trial.migrations), trial=f"{told.trial.first:.1f}"
    )
    with ExitStack() as done:
        with maintenance.during(operation, told, wanted=terms.paged) as budget:
            swap.perform(client, operation, change, budget, done)
        _let_visitors_see(client, operation, change, staying)


def _let_visitors_see(
    client: DockerClient, operation: Operation, change: Change, staying: Staying | None
) -> None:
    """Watch the new release with its visitors; the old one goes when that went well."""
    site = settings.load(operation.site.root)  # as it is with the new release
    with operation.step("Gate") as step:
        start.perform(site, compose.up_alone("gate"), step, "the gate could not be started")
    with operation.step("Watch, through the gate") as step:
        why = watch.turned_bad(client, site)
        if why and not staying:
            raise swap.reverted(client, operation, change, why)
        step.say(why or f"answered for {site.watch_seconds} s")
    if change.old:
        containers.remove(client, change.old)
    operation.touching(serving=None)
    if why and staying:
        raise Broken(
            f"release {releases.of_image(change.place.image)} turned bad after its start, and stays",
            why=f"{why}; and {staying.why}",
            fix=staying.fix,
        )
    kept.pruned(site)
