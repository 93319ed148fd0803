"""Take the site down: visitors' requests are finished first, data stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import compose, console, data, operation, preflight, settings, signals, start
from stack.engine import client as engine
from stack.engine import containers

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings


def stop(root: Path) -> None:
    """Stop the gate, then the application, and remove both containers; volumes and images stay."""
    site = settings.load(root)
    with engine.connected() as client, operation.begun(client, site, "stop") as stopping:
        preflight.name_is_ours(client, site)
        if not containers.of_site(client, site.site):
            console.progress(f"{site.site} is not running")
            _tell_of_a_former_name(site)
            return
        stopping.touching(serving=False)  # what is half down goes down
        with signals.ignored(), stopping.step(f"Stop {site.site}") as step:
            start.perform(site, compose.stop("gate"), step, "the gate could not be stopped")
            start.perform(site, compose.down(), step, "the containers could not be removed")


def _tell_of_a_former_name(site: Settings) -> None:
    if former := data.former_name(site):
        console.warn(f"this checkout served as {former}: `docker compose -p {former} down` stops that one")
