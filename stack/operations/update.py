"""Bring in the newest version, and let it deploy itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stack import operation, preflight, registry, run, settings, upstream
from stack.engine import client as engine

if TYPE_CHECKING:
    from typing import NoReturn

    from stack.operation import Operation

Flag = bool | str | list[str]


def update(root: Path, **flags: Flag) -> NoReturn:
    """Bring in the newest version; what becomes of it is decided by its own code, so that starts anew.

    ``flags`` are those of a deploy, which they are handed on to.
    """
    site = settings.load(root)
    with engine.connected() as client, operation.begun(client, site, "update") as updating:
        preflight.name_is_ours(client, site)
        if site.image_source:
            registry.pull(site)
        else:
            _pull(updating)
    run.become([str(root / "bin" / "inv"), "deploy", *words(flags)], cwd=Path.cwd(), env=os.environ)


def _pull(updating: Operation) -> None:
    """Bring the repository that holds the application to the newest commit of its upstream."""
    with updating.step("Newest version") as step:
        checkout = upstream.of(updating.site.app_dir)
        branch = upstream.branch(checkout)
        upstream.unchanged(checkout)
        newest = upstream.fetched(checkout, branch)
        commits = upstream.distance(checkout, branch, newest)
        if commits:
            upstream.bring_in(updating, checkout, newest)
        step.say(f"{commits} commit(s), now {newest[:12]}" if commits else "nothing new")


def words(flags: dict[str, Flag]) -> list[str]:
    """Return flags as they are typed: ``{"yes": True, "only": ["a"]}`` is ``--yes --only=a``."""
    typed = []
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            typed += [flag] if value else []
        else:
            typed += [f"{flag}={each}" for each in ([value] if isinstance(value, str) else value) if each]
    return typed
