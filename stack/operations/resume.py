"""Make good what an operation left that was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import console, lock, recovery, settings
from stack.engine import client as engine
from stack.engine import containers

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 120  # seconds for what a killed operation has started


def resume(root: Path) -> None:
    """Make the site wholly old or wholly new; with nothing unfinished, do nothing."""
    site = settings.load(root)
    with engine.connected() as client, lock.held(site, "resume", patience=PATIENCE):
        entry = recovery.earlier(client, site)
        if entry and containers.of_site(client, site.site, "app"):
            recovery.proved(client, settings.load(root))
    console.progress(f"{entry.operation} of {entry.began} is made good" if entry else "nothing is unfinished")
