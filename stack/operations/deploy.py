"""Bring this checkout up, and wait until a visitor would be served."""

from __future__ import annotations

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
    operation,
    payload,
    preflight,
    releases,
    report,
    run,
    settings,
    signals,
    start,
)
from stack.engine import client as engine
from stack.engine import images, objects
from stack.errors import Broken, Failure, Undone
from stack.operations.provision import provision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from docker import DockerClient

    from stack.build import Candidate
    from stack.operation import Operation
    from stack.settings import Settings


def deploy(root: Path, *, provision_first: bool = False) -> str:
    """Make the site run this checkout; return the release that now answers."""
    if provision_first:
        provision(root)
    site = settings.load(root)
    with engine.connected() as client, operation.begun(client, site, "deploy") as deploying:
        candidate = _prepare(client, site)
        _start(client, deploying, candidate)
        with signals.ignored():  # it is done
            gate.reload(site)
            console.progress(
                f"{site.site} answers at {site.gate_url}, its admin panel at {site.gate_url}/admin"
            )
            _warn_without_users(site)
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


def _start(client: DockerClient, deploying: Operation, candidate: Candidate) -> None:
    """Start the candidate and prove it; on failure the previous state comes back."""
    site = deploying.site
    deploying.touching(serving=candidate.before is not None)
    try:
        with console.step("Start") as step:
            start.up(site, step, image=candidate.image, secrets=candidate.env)
        with console.step("Health, through the gate") as step:
            step.say(start.healthy(client, site))
        with signals.ignored():
            _record(site, candidate)
            deploying.touching(serving=None)
    except BaseException as trouble:
        with signals.ignored():
            raise _undone(client, site, candidate, errors.of(trouble)) from trouble


def _undone(client: DockerClient, site: Settings, candidate: Candidate, failure: Failure) -> Failure:
    """Bring the previous state back, and return the failure that says so."""
    detail = _told_by_app(client, site, candidate)
    what = f"release {candidate.release} did not start"
    if candidate.before is None:
        return _taken_down(site, what, failure, detail)
    if candidate.before.image == candidate.image and failure.what != errors.INTERRUPTED:
        return Broken(
            f"release {candidate.release} does not answer with the present settings",
            why=failure.why,
            fix="correct .env or .env.production, then `./deploy.sh`",
            detail=detail,
        )
    return _way_back(client, site, candidate, what, failure, detail)


def _record(site: Settings, candidate: Candidate) -> None:
    """Make the candidate the live release: for plain Compose commands, and for the next deploy."""
    data.remember(site, candidate.env)
    envfile.write(site.dotenv, {"COMPOSE_PROJECT_NAME": site.site, "APP_IMAGE": candidate.image})


def _told_by_app(client: DockerClient, site: Settings, candidate: Candidate) -> str:
    try:
        return report.of_app(client, site, candidate.env)
    except Exception as second:  # noqa: BLE001 - the way back matters more than a complete report
        return f"--- app: {second!r}"


def _taken_down(site: Settings, what: str, failure: Failure, detail: str) -> Failure:
    """Leave nothing running where nothing ran."""
    with console.step("Take it down again"):
        done = run.capture(compose.down(), cwd=site.root, env=compose.environment(site))
    if not done.ok:
        return Broken(f"{what}, and could not be taken down", why=done.err, fix="`./stop.sh`", detail=detail)
    return Undone(f"{what}; nothing is left running", why=failure.why, fix=failure.fix, detail=detail)


def _way_back(  # noqa: PLR0913, PLR0917 - what failed and what was there
    client: DockerClient, site: Settings, candidate: Candidate, what: str, failure: Failure, detail: str
) -> Failure:
    """Start what ran before. What a migration of the failed release changed in the database stays."""
    image = candidate.before.image if candidate.before else ""
    try:
        with console.step(f"Back to {releases.of_image(image)}") as step:
            # waits for a stop that was begun: what is still stopping looks as if it ran
            start.perform(site, compose.stop("app"), step, "the application could not be stopped")
            start.up(site, step, image=image, secrets=candidate.env)
            step.say(start.healthy(client, site))
    except (Failure, OSError) as second:
        return Broken(
            f"{what}, and the previous release does not answer either",
            why=f"{failure.why}; then: {errors.of(second).why}",
            fix="read the logs: `bin/inv logs`",
            detail=detail,
        )
    if image == candidate.image:
        return Undone(
            f"{failure.what}; {candidate.release} is up and healthy", why=failure.why, fix=failure.fix
        )
    back = f"{what}; the previous one is back and healthy"
    return Undone(back, why=failure.why, fix=failure.fix, detail=detail)


def _warn_without_users(site: Settings) -> None:
    if payload.has_users(site) is False:
        console.warn(
            "no user exists yet: whoever opens /admin first becomes its administrator.\n"
            "         Do it now: bin/inv admin.create you@example.com"
        )
