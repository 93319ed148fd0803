"""Which migrations the site's database has had, which are still to come, and how a new one is written."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from stack import (
    build,
    console,
    draft,
    environment,
    live,
    migrations,
    migrator,
    operation,
    preflight,
    releases,
    settings,
)
from stack.engine import client as engine
from stack.engine import images
from stack.errors import Usage
from stack.migrations import PUSHED
from stack.volumes import Place

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
        if site.by_command:
            told = replace(told, brought=migrator.brought(client, site, place.image) or told.brought)
    found = _found(told)
    if as_json:
        console.result_json(found)
    else:
        _shown(found)
    if told.pushed:
        console.warn("a development server changed this database: docs/troubleshooting.md mends that")


def create(root: Path, name: str, *, blank: bool) -> None:
    """Write a migration for what has changed in the collections since the last one; print its path."""
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise Usage(
            f"{name!r} is no name for a migration",
            why="it becomes part of a file's name and of the code",
            fix="a-z, 0-9 and _, such as add_author_to_posts",
        )
    there = settings.load(root)
    with engine.connected() as client, operation.begun(client, there, "migrate.create") as creating:
        site = creating.site
        preflight.machine(client, site)
        env = environment.checked(site, warn=console.warn)
        preflight.base_image(client, site.node_image)
        image = releases.image(site.site, "draft")
        try:
            build.migrator(site, image, env)
            written = draft.written(creating, Place(image, live.database(env), "", ""), name, blank=blank)
        finally:
            if images.find(client, releases.migrator(image)):
                images.remove(client, releases.migrator(image))
    if written:
        console.result(str(written))
    else:
        console.progress("no change in the schema: nothing to migrate; `--blank` writes an empty migration")


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
