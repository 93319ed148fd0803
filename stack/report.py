"""Say why something failed, in the words of those who know: engine, health checks, application."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from stack import envfile, environment, kept, records
from stack.engine import containers, objects
from stack.errors import Refused
from stack.host import disk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from docker import DockerClient

    from stack.engine.containers import Container
    from stack.errors import Failure
    from stack.health import Answer
    from stack.journal import Entry
    from stack.run import Result
    from stack.settings import Settings

RESTARTS_ENOUGH = 2  # the engine restarts a container that exits; one that does so twice will go on


def of_app(client: DockerClient, site: Settings, env: Mapping[str, str]) -> str:
    """Return state, health checks and last log lines of the application, without its secrets."""
    parts = []
    try:
        found = containers.of_site(client, site.site, "app")
    except Refused as gone:  # the first error is the one to tell
        return gone.why
    for app in found:
        parts += [f"--- app: {app.state}, health {app.health}, exit code {app.exit_code}"]
        parts += [f"    health check: {said}" for said in app.health_log[-3:] if said]
        parts += ["--- its last log lines", _last_logs(client, app)]
    return redacted(site, "\n".join(parts), env, *found)


def redacted(site: Settings, text: str, env: Mapping[str, str], *found: Container) -> str:
    """Return ``text`` without the secrets of the environment file, as it is and as containers got it."""
    names = {*env, *kept.variables(site)}
    text = envfile.redacted(text, env)
    for app in found:  # the file can have been changed since, be gone, or be another release's
        started_with = {key: value for key, value in app.env.items() if key in names or not env}
        text = envfile.redacted(text, started_with)
    return text


def collected(client: DockerClient, site: Settings) -> str:
    """Return what a person would look at first, without secrets: containers, disks, names of variables."""
    env = dict(environment.inspected(site).values)
    room = [disk.room(str(site.root))]
    parts = [of_app(client, site, env)]
    try:
        room.append(disk.room(objects.data_directory(client)))
    except Refused as gone:
        parts.append(gone.why)
    parts += [f"--- disk of {at.path}: {at.free >> 20} of {at.total >> 20} MiB free" for at in room]
    return "\n".join([*parts, f"--- variables of .env.production: {', '.join(sorted(env))}"])


def write(site: Settings, entry: Entry, failure: Failure, seen: str) -> Path:
    """Write what failed, what to do next and what was seen into a file of its own; return its path."""
    file = records.file(site, "reports", f"{entry.id}-{entry.operation}.txt")
    what = f"{entry.operation} {entry.id}, begun {entry.began}"
    ended = f"{what}, failed at '{entry.step}' with exit code {failure.code}."
    file.write_text(f"{ended}\n\n{failure}\n\n{seen}\n", encoding="utf-8")
    return file


def _last_logs(client: DockerClient, app: Container) -> str:
    try:
        return containers.last_logs(client, app).rstrip()
    except Refused as gone:  # the first error is the one to tell
        return gone.why


def death(container: Container) -> str | None:
    """Return why a container will not become healthy by waiting, or None."""
    if container.oom_killed:
        limit = f"{container.memory_limit >> 20} MiB"
        return f"{container.service} was killed: it needs more than its memory limit of {limit}"
    if container.restarts >= RESTARTS_ENOUGH or container.state in ("exited", "dead"):
        return f"{container.service} exits by itself with code {container.exit_code}"
    return None


def exhausted(client: DockerClient, container: Container) -> str | None:
    """Return which limit keeps a running container from working, or None."""
    if container.running and containers.usage(client, container).pids >= container.pids_limit > 0:
        return f"{container.service} is at its limit of {container.pids_limit} processes and threads"
    return None


def reason_of_answer(answer: Answer) -> str:
    if answer.status is None:
        return answer.said
    said = "" if answer.said.lstrip().startswith("<") else f": {answer.said.strip()}"  # a page for people
    return reason_of_status(answer.status, said)


def reason_of_status(status: int, said: str = "") -> str:
    route = "; is HEALTH_PATH in .env right?" if status == HTTPStatus.NOT_FOUND else ""
    return f"its health route answers {status}{said}{route}"


def reason_of_build(output: str) -> str:
    """Return the line of a build's output that says most."""
    lines = [re.sub(r"^(#\d+ )?(\d+\.\d+ +)?", "", line) for line in output.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith("ERROR: ")]
    for saying_most, place in ((r"(\w+ )?\w*[Ee]rror: ", 0), (r"(?i).*(error|failed|not found|cannot)", -1)):
        if found := [line for line in said if re.match(saying_most, line)]:
            return found[place]
    return said[-1] if said else "docker compose build failed"


def compose_refused(done: Result, what: str) -> Refused:
    lines = [line for line in done.err.splitlines() if line.strip()]
    return Refused(
        what, why=(lines or [f"exit code {done.code}"])[-1], fix="mend what Compose says, then run this again"
    )
