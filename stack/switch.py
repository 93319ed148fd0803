"""Put the application on other volumes while visitors wait: wholly, or not at all."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from stack import (
    compose,
    data,
    envfile,
    environment,
    gate,
    hold,
    recovery,
    settings,
    signals,
    start,
    trial,
    volumes,
)
from stack.engine import containers
from stack.errors import Refused

if TYPE_CHECKING:
    from docker import DockerClient

    from stack.console import Step
    from stack.operation import Operation
    from stack.settings import Settings
    from stack.volumes import Facts, Place


def to(client: DockerClient, operation: Operation, place: Place, expected: Facts | None) -> None:
    """Start the application on ``place``; when it answers and holds what is expected, `.env` says so.

    Until then a failure leads back, by :mod:`stack.recovery`; the rename of `.env` is the point of no return.
    """
    site = operation.site
    serving = bool(containers.of_site(client, site.site))  # `stop` removes them
    held = containers.running(client, site.site, "gate")
    with ExitStack() as stack:
        if held:
            gate.fresh(site)
            lease = stack.enter_context(hold.leased(site))
            with operation.step("Visitors wait, requests end") as step:
                left = lease.drained()
                step.say(f"{left} cut off" if left else "")
        operation.touching(serving=serving)
        with operation.step("Stop the application") as step:
            if serving:
                start.perform(site, compose.stop("app"), step, "the application could not be stopped")
        with operation.step("Start it on the new volumes") as step:
            if held:
                hold.pin(site)
            _start(client, site, place, step)
        with operation.step("Health, from inside") as step:
            step.say(_healthy(client, site))
        with operation.step("Content") as step:
            step.say(_content(site, place, expected))
        with signals.ignored(), operation.step("Switch") as step:
            _switch(site, place)
            recovery.up(client, settings.load(site.root), step)
            operation.touching(serving=None)  # from here on nothing has to be made good
    with signals.ignored():
        recovery.proved(client, site)


def _start(client: DockerClient, site: Settings, place: Place, step: Step) -> None:
    """Start a container that stays down when the engine comes back before it is proven."""
    complaint = "the application could not be stopped"
    start.perform(site, compose.remove("app"), step, complaint)
    start.perform(
        site,
        compose.create("app"),
        step,
        "the application could not be put on the new volumes",
        overrides=place.variables,
        secrets=dict(environment.inspected(site).values),
    )
    containers.restart(client, site.site, "app", policy="no")
    container = containers.of_site(client, site.site, "app")[0]
    if not {place.db_volume, place.media_volume} <= container.volumes:
        raise Refused(
            "the application could not be put on the new volumes",
            why=f"Compose gave it {', '.join(sorted(container.volumes))}",
            fix="upgrade Docker Compose",
        )
    containers.start(client, container)


def _healthy(client: DockerClient, site: Settings) -> str:
    container = containers.of_site(client, site.site, "app")[0]
    told = trial.probe(site, container, limit=site.start_limit, steady=0)
    if told.first is None:
        raise Refused(
            "the application does not answer on the new volumes",
            why=told.why,
            fix="read the application's last words in the report",
        )
    return f"200 after {told.first:.1f} s"


def _content(site: Settings, place: Place, expected: Facts | None) -> str:
    """Count again, now that the application has the database open."""
    found = volumes.inspect(site, place)
    lost = trial.shrunk(expected.rows, found.rows) if expected else []
    if lost:
        raise Refused(
            f"rows are gone from {', '.join(lost)}",
            why="the application removed them at its start",
            fix="read the application's last words in the report",
        )
    return f"{sum(found.rows.values())} rows in {len(found.rows)} tables"


def _switch(site: Settings, place: Place) -> None:
    envfile.write(site.dotenv, {"COMPOSE_PROJECT_NAME": site.site, **place.variables})
    data.remember(settings.load(site.root), environment.inspected(site).values)
