"""Ask the site for its health, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import console, health, maintenance, report, settings
from stack.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


def check(root: Path) -> None:
    """Print what the health route says, through the gate; anything but 200 is an error."""
    site = settings.load(root)
    answer = health.ask(maintenance.past(site, site.health_path))
    if not answer.healthy:
        raise Refused(
            f"{site.site} is not healthy",
            why=report.reason_of_answer(answer),
            fix="look at `bin/inv status` and `bin/inv logs`",
        )
    console.result(answer.said)
