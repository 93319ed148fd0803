"""After an operation that failed or was killed: the site as `.env` says, nothing left of what was begun.

`.env` names image and volumes, and is replaced by one rename: so the site is wholly old, or wholly new.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from stack import compose, console, environment, errors, hold, journal, releases, settings, start
from stack.engine import containers, objects
from stack.errors import Broken, Failure, Refused, Undone

if TYPE_CHECKING:
    from docker import DockerClient

    from stack.console import Step
    from stack.journal import Entry
    from stack.settings import Settings

PATIENCE = 10  # seconds
INTERVAL = 0.2


def earlier(client: DockerClient, site: Settings) -> Entry | None:
    """Make good what an operation left that was killed; return it, or None where there is none.

    Whether the site then answers is for the next operation to see, which may be the one that mends it.
    """
    entry = journal.read(site)
    if entry is None:
        return None
    console.progress(f'{entry.operation} of {entry.began} was broken off at "{entry.step}"; making it good')
    settle(client, site, entry)
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = {"id": entry.id, "operation": entry.operation, "began": entry.began, "ended": ended}
    code = 0 if _is_done(site, entry) else 20
    journal.remember(site, {**told, "resumed": True, "code": code, **entry.facts})
    return entry


def after(client: DockerClient, site: Settings, entry: Entry, failure: Failure) -> Failure:
    """Make good what this operation began before it failed; return the failure that tells how that went."""
    try:
        settle(client, site, entry)
        if entry.serving:
            proved(client, site)
    except (Failure, OSError) as second:
        if entry.serving is not None:
            return _not_back(entry, failure, errors.of(second))
        console.progress(f"  what it made on the way is still there: {errors.of(second).why}")
    if entry.serving is None:
        return failure
    state = "up and healthy" if entry.serving else "down, as it was"
    told = {"why": failure.why, "fix": failure.fix, "detail": failure.detail}
    if _is_done(site, entry):
        return Broken(f"{failure.what}; the site is {state}, on the new data", **told)
    return Undone(f"{failure.what}; the site is {state}, its data as before", **told)


def _not_back(entry: Entry, failure: Failure, second: Failure) -> Failure:
    return Broken(
        f"{entry.operation} failed, and the site is not back",
        why=f"{failure.what}: {failure.why}; then: {second.what}: {second.why}",
        fix="mend that, then `./deploy.sh`; read the report, and the logs: `bin/inv logs`",
        detail=failure.detail,
    )


def settle(client: DockerClient, site: Settings, entry: Entry) -> None:
    """Make the site what `.env` says now; whatever the operation made and `.env` does not name is removed."""
    containers.remove_beside(client, site.site)
    now = settings.load(site.root)
    if entry.serving is not None:
        _as_dotenv_says(client, now, serving=entry.serving)
    tidied(client, now, entry)


def up(client: DockerClient, site: Settings, step: Step) -> None:
    """Start what `.env` names, let it come back by itself, and let the visitors in."""
    secrets = dict(environment.inspected(site).values)
    start.up(site, step, image=site.app_image, secrets=secrets)
    containers.restart(client, site.site, "app", policy="always")
    hold.unpin(site)


def proved(client: DockerClient, site: Settings) -> None:
    """Wait for health through the gate; where that does not come there is nothing more to bring back."""
    try:
        with console.step("Health, through the gate") as step:
            step.say(start.healthy(client, site))
    except Refused as failure:
        raise Broken(
            "the site is up as `.env` says, and does not answer", why=failure.why, fix=failure.fix
        ) from failure


def tidied(client: DockerClient, site: Settings, entry: Entry) -> None:
    """Remove what the operation made and `.env` does not name, and end its journal."""
    for volume in set(entry.volumes) - _named(site):
        _remove(client, site, volume)
    for file in map(Path, entry.files):
        if file.exists():  # where nothing can be written, even what is not there cannot be removed
            file.unlink()
    journal.clear(site)


def _remove(client: DockerClient, site: Settings, volume: str) -> None:
    """Remove a volume. An engine goes on making the container that somebody asked for who was ended."""
    deadline = time.monotonic() + PATIENCE
    while why := objects.remove_volume(client, volume):
        if time.monotonic() >= deadline:
            raise Refused(
                f"the volume {volume} cannot be removed",
                why=why,
                fix=f"remove what has it: `docker ps --all --filter volume={volume}`; then `bin/inv resume`",
            )
        time.sleep(INTERVAL)
        containers.remove_beside(client, site.site)


def _as_dotenv_says(client: DockerClient, site: Settings, *, serving: bool) -> None:
    with console.step(f"Back to {releases.of_image(site.app_image)}" if serving else "Down again") as step:
        if serving:
            # waits for a stop that was begun: what is still stopping looks as if it ran
            start.perform(site, compose.stop("app"), step, "the application could not be stopped")
            up(client, site, step)
        else:
            start.perform(site, compose.down(), step, "the containers could not be removed")


def _is_done(site: Settings, entry: Entry) -> bool:
    """Tell whether `.env` names already what the operation wanted; of two volumes one may stay."""
    wanted = {volume for fact, volume in entry.facts.items() if fact in ("to_db", "to_media")}
    return bool(wanted) and wanted <= _named(site)


def _named(site: Settings) -> set[str]:
    now = settings.load(site.root)
    return {now.db_volume, now.media_volume}
