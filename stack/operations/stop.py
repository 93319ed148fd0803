"""Take the site down: visitors' requests are finished first, data stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import compose, console, lock, preflight, settings, start
from stack.engine import client as engine
from stack.engine import containers

if TYPE_CHECKING:
    from pathlib import Path


def stop(root: Path) -> None:
    """Stop the gate, then the application, and remove both containers; volumes and images stay."""
    site = settings.load(root)
    with engine.connected() as client, lock.held(site, "stop"):
        preflight.name_is_ours(client, site)
        if not containers.of_site(client, site.site):
            console.progress(f"{site.site} is not running")
            return
        with console.step(f"Stop {site.site}") as step:
            start.perform(site, compose.down(), step, "the containers could not be removed")
