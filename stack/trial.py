"""Boot a release where nobody can be hurt: on volumes that nobody uses, without any way out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import compose, console, environment, report, run, volumes
from stack.engine import containers
from stack.errors import Refused, Unfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from docker import DockerClient

    from stack.engine.containers import Container
    from stack.run import Result
    from stack.settings import Settings
    from stack.volumes import Facts, Place

# Payload's own bookkeeping, which a start may clean up.
HOUSEKEEPING = ("payload_locked_documents", "payload_jobs", "payload_kv", "payload_query_presets")
LATE = 3  # seconds in which an engine notices that a container has ended


@dataclass(frozen=True)
class Trial:
    """How it went: ``first`` is the seconds until the first answer, ``migrations`` those that ran."""

    first: float
    migrations: tuple[str, ...]
    facts: Facts


def held(
    client: DockerClient, site: Settings, place: Place, before: Facts, *, accepted: Sequence[str] = ()
) -> Trial:
    """Let the release start on ``place``, migrate, and answer; compare its rows with those ``before``.

    A release that does not answer, stops answering or loses rows is :class:`Unfit`; of tables that are
    ``accepted`` it may lose some.
    """
    container = _started(client, site, place)
    try:
        first = _steady(client, site, container)
        containers.stop(client, container)
        after = volumes.inspect(site, place)
        if lost := [table for table in shrunk(before.rows, after.rows) if table not in accepted]:
            raise _lossy(lost, before, after, _said(client, site, container))
        return Trial(first, after.migrations[len(before.migrations) :], after)
    finally:
        containers.remove_beside(client, site.site)


def _started(client: DockerClient, site: Settings, place: Place) -> Container:
    done = _run(site, place)
    if volumes.NEVER_RAN in done.err:
        console.progress(f"  {_complaint(done)}: once more")
        containers.remove_beside(client, site.site)
        done = _run(site, place)
    found = containers.beside(client, site.site, "trial")
    if not done.ok or not found:
        raise Refused(
            "the trial could not be started",
            why=_complaint(done),
            fix="mend what it says, then run this again",
        )
    return found[0]


def _run(site: Settings, place: Place) -> Result:
    return run.capture(compose.trial(), cwd=site.root, env=compose.environment(site, place.variables))


def _complaint(done: Result) -> str:
    """Return the last line; where nothing ran that is Compose's, and the engine's says why."""
    lines = done.err.strip().splitlines() or [f"exit code {done.code}"]
    return next((line for line in lines if volumes.NEVER_RAN in line), lines[-1])


def _steady(client: DockerClient, site: Settings, container: Container) -> float:
    told = probe(site, container, limit=site.start_limit, steady=site.trial_seconds)
    if told.first is None or told.answers[-1] != 200:
        raise Unfit(
            "the trial failed: the release does not work on this data",
            why=_why(client, site, told),
            fix="the site is as it was; read what the application said, above",
            detail=_said(client, site, container),
        )
    return told.first


def _why(client: DockerClient, site: Settings, told: Answers) -> str:
    found = containers.beside(client, site.site, "trial")
    limits = (report.exhausted(client, each) for each in found)  # a second each, and nobody waits
    return next((limit for limit in limits if limit), "") or reason(found, told)


def reason(found: Iterable[Container], told: Answers) -> str:
    """Say why a release does not work: how its container ended, or else its last answer."""
    return next((death for death in map(report.death, found) if death), "") or told.why


def _said(client: DockerClient, site: Settings, container: Container) -> str:
    logs = containers.last_logs(client, container).rstrip()
    secrets = environment.inspected(site).values
    return "--- the trial's last log lines\n" + report.redacted(site, logs, secrets, container)


def _lossy(lost: list[str], before: Facts, after: Facts, detail: str) -> Unfit:
    tables = ", ".join(f"{table} ({before.rows[table]} -> {after.rows.get(table, 0)})" for table in lost)
    return Unfit(
        f"the trial failed: rows are gone from {tables}",
        why="the release removed them at its start",
        fix="look at its migrations; `./deploy.sh --accept-row-loss TABLE` takes what is meant so",
        detail=detail,
    )


def shrunk(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return the tables that have fewer rows than before, Payload's bookkeeping left out."""
    counted = (table for table in before if not table.startswith(HOUSEKEEPING))
    return [table for table in counted if after.get(table, 0) < before[table]]


@dataclass(frozen=True)
class Answers:
    """What the health route said: ``first`` is the seconds until its first 200, None where none came."""

    first: float | None
    answers: tuple[int | str, ...]
    said: str

    @property
    def why(self) -> str:
        """The last that is known of a release that did not answer as it should."""
        if not self.answers:
            return self.said
        last = self.answers[-1]
        return report.reason_of_status(last) if isinstance(last, int) else f"nothing answers there: {last}"


def probe(site: Settings, container: Container, *, limit: int, steady: int) -> Answers:
    """Ask a container's health route from inside: until it answers, then ``steady`` seconds more."""
    script = (volumes.INSIDE / "probe.mjs").read_text()
    argv = ["node", "--input-type=module", "--eval", script, str(limit), str(steady)]
    patience = limit + steady * 6 + 30
    done = run.capture(compose.inside_of(container.id, argv), cwd=site.root, timeout=patience, looking=True)
    if not done.ok:
        run.capture(compose.end_of(container.id), timeout=LATE, looking=True)
        return Answers(None, (), (done.err.strip().splitlines() or ["it has ended by itself"])[-1])
    told = json.loads(done.out)
    return Answers(told["first"], tuple(told["answers"]), "")
