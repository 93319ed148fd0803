"""Start the application anew; visitors wait at the gate meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import compose, console, operation, preflight, settings, signals, start
from stack.engine import client as engine
from stack.engine import containers
from stack.errors import Broken, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from stack.settings import Settings


def restart(root: Path) -> None:
    site = settings.load(root)
    with engine.connected() as client, operation.begun(client, site, "restart"):
        preflight.name_is_ours(client, site)
        if not containers.of_site(client, site.site, "app"):
            raise Refused(
                f"{site.site} is not running", why="it has no containers", fix="`./deploy.sh` starts it"
            )
        with signals.ignored(), console.step("Restart the application") as step:
            start.perform(site, compose.restart("app"), step, "the application could not be restarted")
        with console.step("Health, through the gate") as step:
            step.say(_healthy_again(client, site))


def _healthy_again(client: DockerClient, site: Settings) -> str:
    try:
        return start.healthy(client, site)
    except Refused as failure:
        raise Broken(f"{site.site} was restarted and is down", why=failure.why, fix=failure.fix) from failure
