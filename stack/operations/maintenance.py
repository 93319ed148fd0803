"""Show visitors a page instead of the site, and end that; the operator sees the site all the while."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from stack import console, gate, health, maintenance, operation, preflight, report, settings, signals
from stack.engine import client as engine
from stack.engine import containers
from stack.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from stack.settings import Settings


def on(root: Path, message: str = "") -> None:
    """Let the gate answer visitors with a page; print the link by which a browser comes through, last."""
    text = maintenance.text_of(message)
    site = settings.load(root)
    with engine.connected() as client, operation.begun(client, site, "maintenance"):
        preflight.name_is_ours(client, site)
        before = maintenance.is_on(site)
        serves = containers.running(client, site.site, "gate")
        if serves:
            gate.fresh(site)
        with signals.ignored():
            maintenance.begin(site, text)
            if serves:
                _seen(site)
        console.progress(_told(site, before=before, serves=serves))
        console.progress("the site itself, for you, and for whoever else has this link:")
        console.result(maintenance.link(site))


def off(root: Path) -> None:
    """Let visitors in again; the link means nothing from then on."""
    site = settings.load(root)
    with engine.connected() as client, operation.begun(client, site, "maintenance"):
        preflight.name_is_ours(client, site)
        before = maintenance.is_on(site)
        maintenance.end(site)
        console.progress(_told_of_the_end(client, site) if before else "maintenance is off already")


def _seen(site: Settings) -> None:
    """Look as a visitor does; a gate that shows no page shows none later."""
    answer = health.ask(site.gate_url + site.health_path)
    if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
        maintenance.end(site)
        raise Refused(
            "the gate does not show the page",
            why=report.reason_of_answer(answer),
            fix="`docker compose up --detach --force-recreate gate`, then run this again",
        )


def _told(site: Settings, *, before: bool, serves: bool) -> str:
    if not serves:
        return f"{site.site} is not running: visitors see the page from its next start on"
    return "the page is a new one, the link is the same" if before else "visitors see the page now"


def _told_of_the_end(client: DockerClient, site: Settings) -> str:
    if containers.running(client, site.site, "gate"):
        return "visitors come in again"
    return f"{site.site} is not running: visitors come in from its next start on"
