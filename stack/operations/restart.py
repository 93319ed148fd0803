"""Start the application anew; visitors wait at the gate meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import compose, console, lock, report, run, settings, start
from stack.engine import client as engine
from stack.engine import containers
from stack.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


def restart(root: Path) -> None:
    site = settings.load(root)
    with engine.connected() as client, lock.held(site, "restart"):
        if not containers.of_site(client, site.site, "app"):
            raise Refused(
                f"{site.site} is not running", why="it has no containers", fix="`./deploy.sh` starts it"
            )
        with console.step("Restart the application") as step:
            env = compose.environment(site)
            done = run.follow(
                compose.restart("app"), on_line=step.progress, secrets={}, cwd=site.root, env=env
            )
            if not done.ok:
                raise report.compose_refused(done)
        with console.step("Health, through the gate") as step:
            step.say(start.healthy(client, site))
