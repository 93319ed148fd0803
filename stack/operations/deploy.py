"""Bring this checkout up, and wait until a visitor would be served."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stack import (
    build,
    compose,
    console,
    data,
    envfile,
    environment,
    errors,
    gate,
    kept,
    live,
    maintenance,
    migrator,
    operation,
    payload,
    preflight,
    pruning,
    report,
    rollout,
    run,
    settings,
    signals,
    start,
    swap,
)
from stack.engine import client as engine
from stack.engine import images, objects
from stack.errors import Broken, Failure, Undone
from stack.operations.provision import provision
from stack.volumes import Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from docker import DockerClient

    from stack.build import Candidate
    from stack.operation import Operation
    from stack.rollout import Terms
    from stack.settings import Settings


def deploy(root: Path, terms: Terms = rollout.AS_USUAL, *, provision_first: bool = False) -> str:
    """Make the site run this checkout; return the release that now answers."""
    if provision_first:
        provision(root)
    there = settings.load(root)
    with engine.connected() as client, operation.begun(client, there, "deploy") as deploying:
        site = deploying.site
        candidate = _prepare(client, site)
        if not _swap(client, deploying, candidate, terms):
            _up(client, deploying, candidate)
        with signals.ignored():  # it is done
            gate.reload(site)
            console.progress(
                f"{site.site} answers at {site.gate_url}, its admin panel at {site.gate_url}/admin"
            )
            _warn_without_users(site)
            maintenance.remind(site)
    return candidate.release


def _prepare(client: DockerClient, site: Settings) -> Candidate:
    """Do all that can be done while the site is as it was."""
    preflight.machine(client, site)
    data.check(client, site)
    preflight.place(client, site)
    env = _environment_file(client, site)
    preflight.files(client, site, env)
    _network(client, site)
    _data(client, site, env)
    candidate = build.chosen(client, site, env)
    if candidate.new:
        pruning.old_releases(client, site)
        pruning.old_volumes(client, site)
        build.perform(client, site, candidate)
    if candidate.before:
        images.keep_name(client, candidate.before.image_id, candidate.before.image)
    data.check(client, site)  # again: a build is long enough for somebody else to begin
    return candidate


def _environment_file(client: DockerClient, site: Settings) -> dict[str, str]:
    with console.step("Environment file") as step:
        if not site.env_production.exists() and not objects.volume_exists(client, site.db_volume):
            environment.create(site)
            step.say("written: .env.production with new secrets; set NEXT_PUBLIC_SERVER_URL in it")
        return environment.checked(site, warn=console.warn)


def _network(client: DockerClient, site: Settings) -> None:
    with console.step(f"Network {site.proxy_network}") as step:
        created = objects.ensure_network(client, site.proxy_network)
        step.say("created" if created else "")


def _data(client: DockerClient, site: Settings, env: Mapping[str, str]) -> None:
    """Say where the data is; never let Compose make a new, empty volume unnoticed."""
    with console.step("Data") as step:
        data.check_file(site, env)
        step.say(data.place(client, site))
        for volume in data.left_alone(client, site):
            console.warn(
                f"volume {volume} holds a database that nothing uses. If it is this site's: "
                f"DB_VOLUME={volume} in .env, or the old COMPOSE_PROJECT_NAME"
            )


def _swap(client: DockerClient, deploying: Operation, candidate: Candidate, terms: Terms) -> bool:
    """Replace the release that served last; False where none did, or where it would be the same again."""
    site, old = deploying.site, candidate.before
    served = old or (site.app_image and site.app_image != candidate.image)
    if not served or not objects.volume_exists(client, site.db_volume):
        return False
    place = _place(site, candidate)
    there = replace(place, image=live.image(client, site) or candidate.image)
    if old is None and data.is_to_begin(site, there):
        return False
    change = swap.prepared(client, deploying, old, place, candidate.env)
    if change is None:
        return False
    rollout.perform(client, deploying, change, there, terms, by_command=site.by_command)
    return True


def _up(client: DockerClient, deploying: Operation, candidate: Candidate) -> None:
    """Make the containers what the files say, and prove that they serve."""
    site = deploying.site
    if not _serves(candidate):
        deploying.touching(serving=False)
    try:
        if site.by_command and not _serves(candidate):
            migrator.first(client, deploying, _place(site, candidate))
        with console.step("Start") as step:
            start.up(site, step, image=candidate.image, secrets=candidate.env)
        with console.step("Health, through the gate") as step:
            step.say(start.healthy(client, site))
        with signals.ignored():
            _record(deploying, candidate)
            deploying.touching(serving=None)
    except BaseException as trouble:
        with signals.ignored():
            if isinstance(trouble, KeyboardInterrupt) and _serves(candidate):
                raise  # it is as it was
            raise _undone(client, site, candidate, errors.of(trouble)) from trouble


def _place(site: Settings, candidate: Candidate) -> Place:
    """Return where the candidate finds its data."""
    return Place(candidate.image, live.database(candidate.env), site.db_volume, site.media_volume)


def _serves(candidate: Candidate) -> bool:
    return bool(candidate.before and candidate.before.running)


def _record(deploying: Operation, candidate: Candidate) -> None:
    """Make the candidate the live release: for plain Compose commands, and for the next deploy."""
    site = deploying.site
    data.remember(site, candidate.env)
    envfile.write(site.dotenv, {"COMPOSE_PROJECT_NAME": site.site, "APP_IMAGE": candidate.image})
    if site.app_image != candidate.image:
        kept.saved(site, deploying.entry)


def _undone(client: DockerClient, site: Settings, candidate: Candidate, failure: Failure) -> Failure:
    """Leave nothing running where nothing ran; return the failure that says so."""
    detail = _told_by_app(client, site, candidate)
    if _serves(candidate):
        return Broken(
            f"release {candidate.release} is live already, and does not answer",
            why=failure.why,
            fix="read what the application says; `bin/inv restart` starts it anew",
            detail=detail,
        )
    what = f"release {candidate.release} did not start"
    with console.step("Take it down again"):
        done = run.capture(compose.down(), cwd=site.root, env=compose.environment(site))
    if not done.ok:
        return Broken(f"{what}, and could not be taken down", why=done.err, fix="`./stop.sh`", detail=detail)
    return Undone(f"{what}; nothing is left running", why=failure.why, fix=failure.fix, detail=detail)


def _told_by_app(client: DockerClient, site: Settings, candidate: Candidate) -> str:
    try:
        return report.of_app(client, site, candidate.env)
    except Exception as second:  # noqa: BLE001 - the way back matters more than a complete report
        return f"--- app: {second!r}"


def _warn_without_users(site: Settings) -> None:
    if payload.has_users(site) is False:
        console.warn(
            "no user exists yet: whoever opens /admin first becomes its administrator.\n"
            "         Do it now: bin/inv admin.create you@example.com"
        )
