"""Which releases are here, and how everything that was done to the site ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import backups, console, journal, kept, releases, settings, sizes
from stack.engine import client as engine
from stack.engine import containers, images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from docker import DockerClient

    from stack.kept import Note
    from stack.settings import Settings

LATEST = 20  # lines of a history that fit a terminal
Facts = dict[str, object]


def listed(root: Path, *, as_json: bool) -> None:
    """Print the releases whose images are here, newest first.

    JSON gives times in UTC, sizes in bytes, the trial in seconds, null for what is not known here.
    """
    site = settings.load(root)
    with engine.connected() as client:
        found = _found(client, site)
    if as_json:
        console.result_json(found)
    elif found:
        head = ("release", "", "age", "size", "migrations", "trial", "data from before")
        console.result_table([head, *map(_row, found)])
    else:
        console.progress(f"no release of {site.site} is here; `./deploy.sh` makes one")


def history(root: Path, *, as_json: bool) -> None:
    """Print how operations ended, the latest last; JSON gives all of them."""
    told = journal.history(settings.load(root))
    if as_json:
        console.result_json(told)
    elif told:
        console.result_table([("began", "operation", "code", "how"), *map(_ended, told[-LATEST:])])
    else:
        console.progress("nothing was done here yet")


def _found(client: DockerClient, site: Settings) -> list[Facts]:
    here, notes = images.named(client, site.site), kept.notes(site)
    app = containers.present(client, site.site, "app")
    live = app.image if app and app.running else site.app_image
    before = kept.previous(notes, live)
    ours = (name for name in here if not name.endswith(releases.MIGRATOR))
    names = sorted(ours, key=releases.of_image, reverse=True)
    return [
        {
            **_of_name(releases.of_image(name)),
            **_of_notes([note for note in notes if note.image == name]),
            "size": here[name].size,
            "live": name == live,
            "previous": before is not None and name == before.image,
        }
        for name in names
    ]


def _of_name(release: str) -> Facts:
    built = releases.built(release)
    return {
        "release": release,
        "built": f"{built:{backups.TIME}}" if built else None,
        "revision": releases.revision(release) or None,
    }


def _of_notes(notes: Sequence[Note]) -> Facts:
    """Sum up how a release came, each time that it did: the data from before is that of the first time."""
    ran = [note.migrations for note in notes if note.migrations is not None]
    archive = notes[0].archive if notes else None
    return {
        "migrations": [name for names in ran for name in names] if ran else None,
        "trial": next((note.trial for note in notes if note.trial is not None), None),
        "snapshot": str(archive) if archive else None,
    }


def _row(facts: Facts) -> tuple[str, ...]:
    built = releases.built(str(facts["release"]))
    ran, trial = facts["migrations"], facts["trial"]
    return (
        str(facts["release"]),
        "live" if facts["live"] else "previous" if facts["previous"] else "",
        sizes.age(sizes.since(built)) if built else "-",
        sizes.human(facts["size"]),
        str(len(ran)) if isinstance(ran, list) else "-",
        f"{trial:.1f} s" if isinstance(trial, float) else "-",
        "kept" if facts["snapshot"] else "-",
    )


def _ended(told: Facts) -> tuple[str, ...]:
    """Return one line; an operation that a later one made good says so."""
    how = str(told.get("what", "")) or (_brought(told) if told["code"] == 0 else "")
    resumed = "broken off, made good" if told.get("resumed") else ""
    began = str(told["began"])
    return began, str(told["operation"]), str(told["code"]), ": ".join(filter(None, (resumed, how)))


def _brought(told: Facts) -> str:
    image = told.get("to_image")
    return releases.of_image(str(image)) if image else ""
