"""Replace the running application by another while visitors wait: one writer, always, and a way back.

What was begun and does not come to its end is ended by :mod:`stack.aftermath`, from the journal.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import (
    aftermath,
    compose,
    gate,
    hold,
    kept,
    migrator,
    releases,
    signals,
    sizes,
    start,
    trial,
    volumes,
)
from stack.budget import STOP
from stack.engine import containers
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from docker import DockerClient

    from stack.budget import Budget
    from stack.engine.containers import Container
    from stack.hold import Lease
    from stack.migrator import Migration
    from stack.operation import Operation
    from stack.run import Streams
    from stack.settings import Settings
    from stack.volumes import Place

UP = ("running", "restarting")


@dataclass(frozen=True)
class Change:
    """From the container that is there, if one is, to one that is made and does not run yet.

    ``place`` is where the new one finds its data, ``migration`` what that has to go through before its start.
    """

    old: Container | None
    new: Container
    place: Place
    migration: Migration | None = None


def prepared(
    client: DockerClient, operation: Operation, old: Container | None, place: Place, env: Mapping[str, str]
) -> Change | None:
    """Make the new container beside the old one; None where it would be the same again."""
    site = operation.site
    with operation.step("New container") as step:
        operation.telling(
            old=old.id if old else "",
            from_image=old.image if old else site.app_image,
            to_image=place.image,
            database=place.database,
        )
        _remove_what_was_made_late(client, site, old)
        _beside(client, site, old, count=0)
        start.perform(
            site,
            compose.create_beside(2 if old else 1),
            step,
            "the new container could not be made",
            overrides=place.variables,
            secrets=env,
        )
        (new,) = _beside(client, site, old, count=1)
        operation.telling(new=new.id)
        containers.comes_back(client, new, "no")
        if old and new.made_of == old.made_of:
            containers.remove(client, new)
            step.say("it would be the same")
            return None
    return Change(old, new, place)


def _remove_what_was_made_late(client: DockerClient, site: Settings, old: Container | None) -> None:
    """Remove what was never started: an engine goes on making what somebody asked for who was ended."""
    for stray in _apps(client, site):
        if stray.state == "created" and (not old or stray.id != old.id):
            containers.remove(client, stray)


def _beside(client: DockerClient, site: Settings, old: Container | None, *, count: int) -> list[Container]:
    """Return the containers of the application but the old one; other than ``count`` are :class:`Refused`."""
    found = [each for each in _apps(client, site) if not old or each.id != old.id]
    if len(found) != count:
        raise Refused(
            "the new container could not be made",
            why=f"beside the old one the application should have {count}, and has {len(found)}",
            fix="look at `docker compose ps --all`; `docker compose up --detach` leaves one of them",
        )
    return found


def _apps(client: DockerClient, site: Settings) -> list[Container]:
    return containers.of_site(client, site.site, "app")


def perform(
    client: DockerClient, operation: Operation, change: Change, budget: Budget, done: ExitStack
) -> None:
    """Hold visitors, stop the old, keep the database, start the new, prove it, let them in.

    What the journal calls ``proven`` is the point of no return; from there on until the end of ``done`` no
    signal is heeded.
    """
    site = operation.site
    with ExitStack() as held:
        shared = not aftermath.has_its_own_data(operation.entry)
        keeper = held.enter_context(_keeper(operation, change)) if shared else None
        lease = _held(client, held, site)
        left = budget.begun()
        began = time.monotonic()
        if lease:
            _drain(operation, lease, budget)
        operation.touching(serving=bool(change.old and change.old.state in UP))
        _stop(client, operation, change)
        if keeper:
            with operation.step("Keep its database") as step:
                volumes.say(keeper, b"\n")
                step.say(sizes.human(volumes.heard(keeper)["kept"]))
        with operation.step("Start the new release") as step:
            _start(client, operation, change, lease, left)
            held.close()  # visitors wait for the pin now; to end a lease takes a while
            step.say(_healthy(client, site, change.new, left()))
        done.enter_context(signals.ignored())
        operation.telling(proven=change.new.id)
        aftermath.completed(client, site, operation.entry)
        operation.telling(held=f"{time.monotonic() - began:.1f}")


@contextmanager
def _keeper(operation: Operation, change: Change) -> Iterator[Streams]:
    """Have the container that copies ready before anybody waits."""
    stay = kept.identities(operation.site)
    arguments = ("keep", operation.id, change.place.database, *stay)
    with volumes.running(operation.site, change.place, "reader", "keep", *arguments) as process:
        volumes.heard(process)
        yield process


def _held(client: DockerClient, held: ExitStack, site: Settings) -> Lease | None:
    """Let visitors wait, where there is a gate at which they could."""
    if not containers.running(client, site.site, "gate"):
        return None
    gate.fresh(site)  # the hold is part of its configuration
    return held.enter_context(hold.leased(site))


def _drain(operation: Operation, lease: Lease, budget: Budget) -> None:
    with operation.step("Visitors wait, requests end") as step:
        left = lease.drained(budget.drain)
        step.say(f"{left} cut off" if left else "")
        if not lease.alive:
            raise Refused(
                "the gate did not hold requests",
                why="it was not renewed: this machine is too busy, or its engine or the gate began anew",
                fix="run this again",
            )


def _stop(client: DockerClient, operation: Operation, change: Change) -> None:
    if change.old:
        with operation.step("Stop the old release"):
            containers.stop(client, change.old, within=STOP)


def _start(
    client: DockerClient, operation: Operation, change: Change, lease: Lease | None, left: Callable[[], float]
) -> None:
    """Start the new container; from now on nothing may start by itself on what it makes of the database.

    An old one that came back with the engine would be written to, and all of that lost on the way back: so it
    is kept from coming back before a way back is noted.
    """
    if lease:
        hold.pin(operation.site)
        if not lease.alive:
            time.sleep(hold.PROBES)  # until the gate has seen the pin
    if change.old:
        containers.comes_back(client, change.old, "no")
    _nobody_writes(client, operation.site)
    operation.telling(unproven=operation.id)
    if change.migration:
        migrator.perform(client, operation.site, change.place, change.migration.names, within=left())
    containers.start(client, change.new)


def _nobody_writes(client: DockerClient, site: Settings) -> None:
    if any(each.running for each in _apps(client, site)):
        raise Refused(
            "the old release was started again meanwhile",
            why="somebody did, or the engine was started anew: what is written now would not be in the copy",
            fix="run this again",
        )


def reverted(client: DockerClient, operation: Operation, change: Change, why: str) -> Refused:
    """Stop the new release, which visitors have seen; what is returned leads back to the old one.

    Nothing that was written since is lost: no migration ran, and the database stays.
    """
    operation.telling(reverted=operation.id)
    with ExitStack() as held:
        with suppress(Refused):  # a gate that is the trouble itself
            if lease := _held(client, held, operation.site):
                lease.drained(STOP)
        containers.comes_back(client, change.new, "no")
        containers.stop(client, change.new, within=STOP)
    return Refused(
        f"release {releases.of_image(change.place.image)} turned bad after its start",
        why=why,
        fix="read the application's last words in the report; mend it, then `./deploy.sh`",
    )


def _healthy(client: DockerClient, site: Settings, new: Container, limit: float) -> str:
    told = trial.probe(site, new, limit=round(limit), steady=0)
    if told.first is None:
        raise Refused(
            "the new release does not answer",
            why=trial.reason([found for found in _apps(client, site) if found.id == new.id], told),
            fix="read the application's last words in the report",
        )
    return f"answers after {told.first:.1f} s"
