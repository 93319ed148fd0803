"""Go back to a release that served before: its image, its files, and with a word of the operator its data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stack import (
    archive,
    changes,
    consent,
    console,
    data,
    drill,
    earlier,
    formerly,
    gate,
    live,
    operation,
    preflight,
    rehearsal,
    releases,
    rollout,
    settings,
    signals,
    swap,
    volumes,
)
from stack.engine import client as engine
from stack.engine import containers, images, objects
from stack.errors import Refused, Usage
from stack.fill import Source
from stack.meter import Meter
from stack.rollout import Staying, Terms
from stack.volumes import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from docker import DockerClient

    from stack.earlier import Release
    from stack.manifest import Manifest
    from stack.operation import Operation
    from stack.settings import Settings
    from stack.volumes import Facts


@dataclass(frozen=True)
class Wish:
    """A release, the one before where none is named; and what becomes of data that was migrated since."""

    release: str = ""
    with_data: bool = False
    code_only: bool = False
    paged: bool = False
    yes: bool = False


def rollback(root: Path, wish: Wish) -> str:
    """Let an earlier release serve again, by the way of an update and without a build; return its name."""
    _makes_sense(wish)
    there = settings.load(root)
    with engine.connected() as client, operation.begun(client, there, "rollback") as going_back:
        site = going_back.site
        preflight.machine(client, site)
        data.check(client, site)
        preflight.place(client, site)
        release = _chosen(client, going_back, wish)
        place = _place(client, going_back, release)
        if wish.with_data:
            _with_its_data(client, going_back, release, place, wish)
        else:
            _code_only(client, going_back, release, place, wish)
        with signals.ignored():  # it is done
            gate.reload(settings.load(root))
            _tell(going_back)
    return release.name


def _makes_sense(wish: Wish) -> None:
    if wish.with_data and wish.code_only:
        raise Usage(
            "--with-data and --code-only exclude each other",
            why="either the data goes back too, or it stays",
            fix="name one, or none",
        )
    if wish.with_data and not wish.yes:
        consent.can_be_given("bin/inv rollback --with-data")


def _chosen(client: DockerClient, going_back: Operation, wish: Wish) -> Release:
    with going_back.step("Earlier release") as step:
        release = earlier.chosen(client, going_back.site, wish.release)
        step.say(release.name)
    if differing := formerly.differing(going_back.site, release.note):
        console.progress(f"  as it was then: {', '.join(differing)}")
    return release


def _place(client: DockerClient, going_back: Operation, release: Release) -> Place:
    """Return where the release will be, on the present volumes."""
    site, env = going_back.site, release.env
    data.check_file(site, env)
    as_it_was = formerly.variables(going_back, release.note)
    preflight.files(client, site, env, as_it_was)
    objects.ensure_network(client, site.proxy_network)
    going_back.telling(came=release.note.id)
    return Place(release.note.image, live.database(env), site.db_volume, site.media_volume, as_it_was)


def _there(client: DockerClient, site: Settings, place: Place) -> Place:
    """Return where the data is now, with what serves it."""
    return replace(place, image=live.image(client, site) or place.image, formerly={})


def _code_only(
    client: DockerClient, going_back: Operation, release: Release, place: Place, wish: Wish
) -> None:
    site = going_back.site
    there = _there(client, site, place)
    now = volumes.inspect(site, there)
    newer = release.newer(now.migrations)
    if newer != [] and not wish.code_only:
        raise _migrated_since(release, newer, now)
    old = containers.present(client, site.site, "app")
    if change := swap.prepared(client, going_back, old, place, release.env):
        by_command = site.by_command and images.find(client, releases.migrator(place.image)) is not None
        terms = Terms(paged=wish.paged)
        rollout.perform(client, going_back, change, there, terms, by_command=by_command)


def _migrated_since(release: Release, newer: Sequence[str] | None, now: Facts) -> Refused:
    """Say what there is to choose from."""
    with_data = "no database of that time is kept"
    if release.data:
        then = archive.manifest_of(release.data)
        lost = {table: was - is_ for table, (was, is_) in changes.of_rows(now.rows, then.rows).items()}
        rows = ", ".join(f"{count} of {table}" for table, count in lost.items() if count > 0)
        with_data = (
            f"`--with-data` brings back the database of {then.created}: {rows or 'no row'} would be lost"
        )
    return Refused(
        f"the database was migrated since release {release.name}",
        why=f"{', '.join(newer)} ran" if newer else "it is not known which migrations that release had",
        fix=f"{with_data}; with `--code-only` the data stays, and that release may not work with it",
    )


def _with_its_data(
    client: DockerClient, going_back: Operation, release: Release, place: Place, wish: Wish
) -> None:
    """Let the release have its last database on a new volume; the present one stays as it is."""
    site = going_back.site
    path, manifest = _its_data(going_back, release)
    there = _there(client, site, place)
    console.progress(f"the database goes back to {manifest.created}, the uploads stay:")
    _tell_what_goes(site, there, manifest)
    if not wish.yes:
        consent.given(site, f"What was written since stays in volume {site.db_volume}, and visitors miss it.")
    new = drill.new_volumes(going_back, place)
    own = replace(place, db_volume=new.db_volume)
    told = rehearsal.on(client, going_back, new, own, Source(path, manifest), title="Fill a new volume")
    going_back.telling(
        from_db=site.db_volume, from_media=site.media_volume, to_db=own.db_volume, to_media=own.media_volume
    )
    old = containers.present(client, site.site, "app")
    if change := swap.prepared(client, going_back, old, own, release.env):
        terms = Terms(paged=wish.paged)
        rollout.swapped(client, going_back, change, told, terms, _staying(site, manifest))


def _tell_what_goes(site: Settings, there: Place, manifest: Manifest) -> None:
    try:
        changes.tell(volumes.inspect(site, there).rows, manifest.rows)
    except volumes.Unsound as finding:  # may be why somebody wants to go back
        console.progress(f"  the present database is no use: {finding.why}")


def _its_data(going_back: Operation, release: Release) -> tuple[Path, Manifest]:
    path = release.data
    if path is None:
        raise Refused(
            f"no database of release {release.name} is kept",
            why="it was not replaced by an update, or what was kept of that is gone",
            fix="`--code-only`, or first `./restore.sh` with an archive of that time: `bin/inv backups`",
        )
    with going_back.step("Check its database") as step:
        manifest = archive.check(path, on_bytes=Meter(step, path.stat().st_size).passed)
        step.say(f"of {manifest.created}, sound")
    return path, manifest


def _staying(site: Settings, manifest: Manifest) -> Staying:
    return Staying(
        f"it has the database of {manifest.created}",
        f"what was written since is in volume {site.db_volume}: `./deploy.sh`, then `./restore.sh --undo`",
    )


def _tell(going_back: Operation) -> None:
    site = going_back.site
    replaced = formerly.set_aside(site, going_back.id)
    if replaced.exists():
        console.progress(f"what the checkout said before is in {replaced}")
    if "to_db" in going_back.entry.facts:
        console.progress(f"what was written since is in volume {site.db_volume}: to have it again,")
        console.progress("`./deploy.sh` the newer release, then `./restore.sh --undo`")
    else:
        console.progress("the checkout has the newer application: mend it before the next `./deploy.sh`")
