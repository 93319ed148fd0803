"""Which migrations the site's database has had, and which are still to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import console, environment, live, migrations, settings
from stack.engine import client as engine
from stack.migrations import PUSHED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from stack.migrations import Told


def status(root: Path, *, as_json: bool) -> None:
    """Print the migrations of the live release, in the order in which they run.

    JSON gives the batch of each, null for one that has not run, and null for ``brought`` where the image
    does not tell which it brings.
    """
    site = settings.load(root)
    with engine.connected() as client:
        place = live.place(client, site, environment.checked(site, warn=console.warn))
        told = migrations.told(site, place)
    found = _found(told)
    if as_json:
        console.result_json(found)
    else:
        _shown(found)
    if told.pushed:
        console.warn("a development server changed this database: docs/troubleshooting.md mends that")


def _found(told: Told) -> list[dict[str, Any]]:
    applied, brought = told.applied, told.brought
    names = [*applied, *(name for name in brought or () if name not in applied)]
    return [
        {
            "name": name,
            "batch": applied.get(name),
            "brought": None if brought is None else name in brought,
        }
        for name in names
    ]


def _shown(found: Sequence[Mapping[str, Any]]) -> None:
    if found:
        console.result_table([("migration", "state"), *((each["name"], _state(each)) for each in found)])
    else:
        console.progress("no migration has run, and the live release brings none")


def _state(migration: Mapping[str, Any]) -> str:
    if migration["batch"] is None:
        return "pending: it runs at the next start"
    if migration["batch"] == PUSHED:
        return "pushed by a development server"
    absent = migration["brought"] is False
    return f"applied, batch {migration['batch']}" + (", not in the live release" if absent else "")
