"""Migrations by Payload's own command, for an application that does not migrate at its start.

Its exit code is not trusted: where Payload asks a question it ends with 0, and nothing has run. The rows that
it leaves in `payload_migrations` are.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stack import compose, console, envfile, environment, releases, run, volumes
from stack.engine import containers, images
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import DockerClient

    from stack.operation import Operation
    from stack.run import Result
    from stack.settings import Settings
    from stack.volumes import Facts, Place

PAYLOAD = "node_modules/.bin/payload"
ELSEWHERE = ("--no-TTY", "--env", "DATABASE_URI=file:/tmp/none.db", "--env", "DATABASE_URL=file:/tmp/none.db")
LATE = 30  # seconds in which the engine starts a container, and notices its end
KILLED = (124, 137)
COLOUR = re.compile(r"\033\[[\d;?]*[a-zA-Z]")
LISTED = re.compile(r"│ *(\S+) *│[^│]*│ *(?:Yes|No) *│")  # a line of `payload migrate:status`


@dataclass(frozen=True)
class Migration:
    """What a database has to have had, by name, and the seconds that it took a copy to get there."""

    names: tuple[str, ...]
    seconds: float


def prepared(
    client: DockerClient, operation: Operation, place: Place, before: Facts | None
) -> Migration | None:
    """Run what the project brings and a database that nobody uses has not had; None where that is nothing."""
    site = operation.site
    with operation.step("Migrate") as step:
        names = brought(client, site, place.image)
        had = before.migrations if before else ()
        if set(names) <= set(had):
            step.say("nothing to do")
            return None
        began = time.monotonic()
        perform(client, site, place, names, within=site.start_limit)
        step.say(f"{len(set(names) - set(had))} migration(s) ran")
        return Migration(names, time.monotonic() - began)


def first(client: DockerClient, operation: Operation, place: Place) -> None:
    """Bring a database up to date before an application starts that does not serve yet."""
    prepared(client, operation, place, _found(operation.site, place))


def brought(client: DockerClient, site: Settings, image: str) -> tuple[str, ...]:
    """Ask Payload which migrations a release brings, past every database of the site."""
    if images.find(client, releases.migrator(image)) is None:
        raise Refused(
            f"no migrator of {releases.of_image(image)} is here",
            why="MIGRATE=command in .env came after that release, or somebody removed its image",
            fix="`./deploy.sh` builds it",
        )
    done = _run(client, site, {"APP_IMAGE": image}, "migrate:status", site.start_limit, options=ELSEWHERE)
    names = tuple(LISTED.findall(done.out))
    if not names:
        raise Refused(
            "Payload names no migration of this project",
            why=_reason(done, site.start_limit),
            fix="`bin/inv migrate.create initial` writes the first one; or take MIGRATE=command out of .env",
            detail=_said(done),
        )
    return names


def perform(
    client: DockerClient, site: Settings, place: Place, names: Sequence[str], *, within: float
) -> None:
    """Run `payload migrate`, ``within`` seconds; a database that then lacks one of ``names`` is Refused."""
    done = _run(client, site, place.variables, "migrate", within)
    found = _found(site, place)
    if absent := [name for name in names if not found or name not in found.migrations]:
        raise Refused(
            f"not all migrations ran: {', '.join(absent)}",
            why=_reason(done, within),
            fix="mend what `payload migrate` says above, then `./deploy.sh`",
            detail=_said(done),
        )


def _found(site: Settings, place: Place) -> Facts | None:
    """Tell what a database holds; None where there is none yet."""
    try:
        return volumes.inspect(site, place)
    except volumes.Unsound as finding:
        if finding.kind not in ("missing", "empty"):
            raise
        return None


def _run(  # noqa: PLR0913, PLR0917 - where, what, for how long
    client: DockerClient,
    site: Settings,
    variables: Mapping[str, str],
    command: str,
    within: float,
    options: Sequence[str] = ("--no-TTY",),
) -> Result:
    """Run one of Payload's commands beside the site; nothing of it is left when this returns."""
    bounded = ["timeout", "-s", "KILL", str(math.ceil(within)), PAYLOAD, command]
    argv = compose.beside("migrator", bounded, options)
    env = compose.environment(site, variables)
    try:
        done = run.capture(argv, cwd=site.root, env=env, timeout=within + LATE)
        if volumes.NEVER_RAN in done.err:
            console.progress(f"  {volumes.NEVER_RAN}: once more")
            done = run.capture(argv, cwd=site.root, env=env, timeout=within + LATE)
    finally:
        for left in containers.beside(client, site.site, "migrator"):
            containers.remove(client, left)
    return replace(done, out=_shown(site, done.out), err=_shown(site, done.err))


def _shown(site: Settings, text: str) -> str:
    """Take out colours and secrets."""
    return envfile.redacted(COLOUR.sub("", text), dict(environment.inspected(site).values))


def _reason(done: Result, within: float) -> str:
    """Return the line that says most: the first that tells of an error, or else the last one."""
    if done.code in KILLED:
        return f"it was ended: {within:.0f} s had passed, or its memory did not suffice"
    lines = [line.strip() for line in f"{done.err}\n{done.out}".splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\b(ERROR|\w*Error)\b", line)]
    return next(iter([*errors, *reversed(lines)]), f"it said nothing, and ended with {done.code}")


def _said(done: Result) -> str:
    last = f"{done.err}\n{done.out}".strip().splitlines()[-run.TAIL_LINES :]
    return "\n".join(["--- the last words of Payload's command", *last])
