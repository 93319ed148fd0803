"""After an operation that failed or was killed: the site as `.env` says, nothing left of what was begun.

`.env` names image and volumes, and is replaced by one rename: so the site is wholly old, or wholly new.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stack import (
    aftermath,
    compose,
    console,
    environment,
    errors,
    hold,
    journal,
    preflight,
    releases,
    settings,
    start,
    upstream,
)
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
    preflight.name_is_ours(client, site)  # a journal goes along with a copy of the checkout
    console.progress(f'{entry.operation} of {entry.began} was broken off at "{entry.step}"; making it good')
    try:
        upstream.put_back(site.app_dir, entry.facts)
        bring_back(client, site, entry)
        tidied(client, site, entry)
    except (Failure, OSError) as trouble:
        raise Broken(
            f"{entry.operation} of {entry.began} was broken off and could not be made good",
            why=errors.of(trouble).why,
            fix=f"mend that, then `bin/inv resume`; if all is as you want it, move {journal.path(site)} away",
        ) from trouble
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = {"id": entry.id, "operation": entry.operation, "began": entry.began, "ended": ended}
    code = 0 if _is_done(site, entry) else 20
    journal.remember(site, {**told, "resumed": True, "code": code, **entry.facts})
    return entry


def after(client: DockerClient, site: Settings, entry: Entry, failure: Failure) -> Failure:
    """Make good what this operation began before it failed; return the failure that tells how that went."""
    try:
        comes = bring_back(client, site, entry)
        if comes:
            proved(client, site)
    except (Failure, OSError) as second:
        if entry.serving is not None:
            return _not_back(entry, failure, errors.of(second))
        console.progress(f"  what it made on the way is still there: {errors.of(second).why}")
        return failure  # the journal stays: it knows what that is
    _tidied_or_told(client, site, entry)
    done = _is_done(site, entry)
    if entry.serving is None and not done:
        return failure
    state = "up and healthy" if comes else "down" if entry.serving is not None else "up"
    told = {"why": failure.why, "fix": failure.fix, "detail": failure.detail}
    if done:
        new = "with the new release" if aftermath.is_of_a_swap(entry) else "on the new data"
        return Broken(f"{failure.what}; the site is {state}, {new}", **told)
    if "reverted" in entry.facts:
        return Undone(f"{failure.what}; the one before it is {state}, nothing written is lost", **told)
    return Undone(f"{failure.what}; the site is {state}, its data as before", **told)


def _not_back(entry: Entry, failure: Failure, second: Failure) -> Failure:
    return Broken(
        f"{entry.operation} failed, and the site is not back",
        why=f"{failure.what}: {failure.why}; then: {second.what}: {second.why}",
        fix="mend that, then `./deploy.sh`; read the report, and the logs: `bin/inv logs`",
        detail=failure.detail,
    )


def bring_back(client: DockerClient, site: Settings, entry: Entry) -> bool:
    """Make the site what `.env` says now, and end what was left beside it; tell whether it was brought up."""
    containers.remove_beside(client, site.site)
    comes = aftermath.is_of_a_swap(entry) and aftermath.settled(client, site, entry)
    if entry.serving is None:
        return False
    if not comes:
        now = settings.load(site.root)
        comes = _as_dotenv_says(client, now, serving=entry.serving or _is_done(site, entry))
    try:
        journal.write(site, replace(entry, serving=None))
    except OSError as trouble:  # a full disk; to remove the journal needs no room
        console.progress(f"  the journal cannot be written: {trouble}")
    return comes


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


def _tidied_or_told(client: DockerClient, site: Settings, entry: Entry) -> None:
    try:
        tidied(client, site, entry)
    except (Failure, OSError) as trouble:
        console.progress(f"  what it made on the way is still there: {errors.of(trouble).why}")


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


def _as_dotenv_says(client: DockerClient, site: Settings, *, serving: bool) -> bool:
    """Bring the site up, or down where it was down or its data is gone; tell whether it is up."""
    named = (site.db_volume, site.media_volume)
    gone = [volume for volume in named if not objects.volume_exists(client, volume)]
    if serving and gone:
        console.warn(f"volume {gone[0]} is gone: the site stays down, it would begin empty")
    comes = serving and not gone
    with console.step(f"Back to {releases.of_image(site.app_image)}" if comes else "Down") as step:
        if comes:
            # waits for a stop that was begun: what is still stopping looks as if it ran
            start.perform(site, compose.remove("app"), step, "the application could not be stopped")
            up(client, site, step)
        else:
            start.perform(site, compose.down(), step, "the containers could not be removed")
    return comes


def _is_done(site: Settings, entry: Entry) -> bool:
    """Tell whether `.env` names already what the operation wanted; of two volumes one may stay."""
    if aftermath.is_of_a_swap(entry):
        return aftermath.is_proven(entry)
    wanted = {volume for fact, volume in entry.facts.items() if fact in ("to_db", "to_media")}
    return bool(wanted) and wanted <= _named(site)


def _named(site: Settings) -> set[str]:
    now = settings.load(site.root)
    return {now.db_volume, now.media_volume}
