"""Put a proven archive back, on new volumes: wholly, or not at all; the old volumes stay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stack import (
    backups,
    build,
    changes,
    consent,
    console,
    data,
    drill,
    environment,
    errors,
    fill,
    live,
    migrator,
    operation,
    preflight,
    pruning,
    settings,
    signals,
    switch,
    trial,
    volumes,
)
from stack.engine import client as engine
from stack.engine import objects
from stack.errors import Failure, Refused, Rejected, Usage
from stack.fill import Source
from stack.manifest import DATABASE
from stack.volumes import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

    from stack.manifest import Manifest
    from stack.operation import Operation
    from stack.settings import Settings
    from stack.volumes import Facts


@dataclass(frozen=True)
class Wish:
    """An archive, the newest where none is named; or the volumes before the last restore."""

    file: str = ""
    undo: bool = False
    db_only: bool = False
    media_only: bool = False
    from_site: str = ""
    yes: bool = False


def restore(root: Path, wish: Wish) -> None:
    """Make the site what an archive holds; print the archive, or for an undo the volume, last."""
    _makes_sense(wish)
    site = settings.load(root)
    with engine.connected() as client, operation.begun(client, site, "restore") as restoring:
        preflight.machine(client, site)
        preflight.place(client, site)
        env = environment.checked(site, warn=console.warn)
        preflight.files(client, site, env)
        data.one_writer(client, site)
        objects.ensure_network(client, site.proxy_network)
        there = Place(_image(client, site, env), live.database(env), site.db_volume, site.media_volume)
        before = _present(client, site, there)
        if wish.undo:
            _undo(client, restoring, wish, there, before)
        else:
            _put_back(client, restoring, wish, there, before)
        with signals.ignored():  # it is done
            _tell(client, restoring, there, before)
            _prune(client, restoring, there)
    console.result(str(restoring.entry.facts["restored"]))


def _tell(client: DockerClient, restoring: Operation, there: Place, before: Facts | None) -> None:
    try:
        after = volumes.inspect(restoring.site, _now(restoring.site, there))
        changes.tell(before.rows if before else {}, after.rows)
    except (Failure, OSError) as trouble:  # of the summary, which takes nothing back
        console.progress(f"  what changed could not be counted: {errors.of(trouble).why}")
    _tell_of_the_way_back(client, restoring.entry.facts)


def _prune(client: DockerClient, restoring: Operation, there: Place) -> None:
    """Make room, but leave alone what this restore has made and what it came from."""
    keeping = (there.db_volume, there.media_volume, *restoring.entry.volumes)
    try:
        pruning.old_volumes(client, settings.load(restoring.site.root), keeping=keeping)
    except (Failure, OSError) as trouble:  # the next build does it
        console.progress(f"  old volumes are still there: {errors.of(trouble).why}")


def _makes_sense(wish: Wish) -> None:
    if wish.db_only and wish.media_only:
        raise Usage(
            "--db-only and --media-only exclude each other",
            why="together they leave nothing to put back",
            fix="name one, or none",
        )
    if wish.undo and (wish.file or wish.db_only or wish.media_only):
        raise Usage(
            "--undo stands alone", why="it takes back the last restore, whole", fix="`./restore.sh --undo`"
        )
    if not wish.yes:
        consent.can_be_given("./restore.sh")


def _image(client: DockerClient, site: Settings, env: Mapping[str, str]) -> str:
    """Return the image that the site runs; on a machine without one it is built."""
    found = live.image(client, site)
    if found:
        return found
    candidate = build.chosen(client, site, env)
    if candidate.new:
        build.perform(client, site, candidate)
    return candidate.image


def _present(client: DockerClient, site: Settings, there: Place) -> Facts | None:
    """Tell what the present database holds; None where there is none, or none that can be read."""
    if not all(objects.volume_exists(client, volume) for volume in (there.db_volume, there.media_volume)):
        return None
    try:
        return volumes.inspect(site, there)
    except volumes.Unsound as finding:
        console.progress(f"  the present database is no use: {finding.why}")
        return None


def _put_back(
    client: DockerClient, restoring: Operation, wish: Wish, there: Place, before: Facts | None
) -> None:
    site = restoring.site
    path = backups.find(site, wish.file, Path.cwd()) if wish.file else backups.newest(site).path
    with restoring.step("Check the archive") as step:
        manifest = backups.verify(site, path, step)
        step.say(f"{path.name} is sound")
    _accept(site, wish, manifest, path, before)
    if not (manifest.media or wish.db_only):
        _tell_of_missing_media(client, there, path)
    if before and not wish.media_only and not wish.yes and dict(before.rows) != dict(manifest.rows):
        console.progress("it differs from what is there now:")
        changes.tell(before.rows, manifest.rows)
    _confirm(site, wish, f"{path.name} of {manifest.created}")
    new = drill.new_volumes(restoring, there)
    place = _target(client, wish, manifest, there, new)
    expected = before
    source = Source(path, manifest, lambda name: _wanted(wish, name))
    with restoring.step("Fill new volumes") as step:
        found = fill.filled(client, site, new, source, step)
    if found and site.by_command:
        migrator.prepared(client, restoring, place, found)
    if found:
        with restoring.step("Trial on them") as step:
            told = trial.held(client, site, place, found)
            expected = told.facts
            step.say(_outcome(told))
    restoring.telling(restored=str(path), **_moved(there, place))
    switch.to(client, restoring, place, expected)
    with signals.ignored():
        if found:
            backups.remember(site, path, sound=True, proven=True)


def _accept(site: Settings, wish: Wish, manifest: Manifest, path: Path, before: Facts | None) -> None:
    """Refuse what would put something else in the place of this site."""
    expected = wish.from_site or site.site
    if manifest.site != expected:
        raise Rejected(
            f"{path.name} is of another site: {manifest.site}",
            why=f"one of {expected} is wanted",
            fix=f"if you mean it: `./restore.sh {path} --from-site {manifest.site}`",
        )
    if wish.media_only and before is None:
        raise Refused(
            "there is no database here that could stay",
            why="with --media-only the site would begin with a new, empty one",
            fix="restore all of it: `./restore.sh`",
        )
    if wish.media_only and not manifest.media:
        raise Rejected(
            f"{path.name} holds no media", why="it was made with --db-only", fix="choose another archive"
        )
    full = _content(before.rows) if before else 0
    if full and not wish.media_only and not _content(manifest.rows):
        raise Rejected(
            f"{path.name} holds an empty database",
            why=f"the site has {full} rows of content; they would be gone",
            fix="choose another archive: `bin/inv backups`",
        )


def _tell_of_missing_media(client: DockerClient, there: Place, path: Path) -> None:
    """Tell what becomes of the uploads with an archive that has none."""
    if objects.volume_exists(client, there.media_volume):
        console.warn(f"{path.name} was made with --db-only: the uploads stay as they are now")
    else:
        console.warn(
            f"{path.name} was made with --db-only, and there are no uploads here: the site will have none"
        )


def _content(rows: Mapping[str, int]) -> int:
    """Count the rows that are not Payload's own."""
    return sum(count for table, count in rows.items() if not table.startswith("payload_"))


def _confirm(site: Settings, wish: Wish, what: str) -> None:
    if not wish.yes:
        consent.given(
            site,
            f"This puts {what} in the place of what {site.site} holds now.",
            "The present volumes stay: `./restore.sh --undo` goes back to them.",
        )


def _target(client: DockerClient, wish: Wish, manifest: Manifest, there: Place, new: Place) -> Place:
    """Return where the site will be: on new volumes for what is put back, else where it is."""
    stays = objects.volume_exists(client, there.media_volume)
    media = new.media_volume if manifest.media and not wish.db_only else there.media_volume
    return replace(
        there,
        db_volume=there.db_volume if wish.media_only else new.db_volume,
        media_volume=media if media != there.media_volume or stays else new.media_volume,
    )


def _wanted(wish: Wish, name: str) -> bool:
    return not (wish.media_only if name == DATABASE else wish.db_only)


def _outcome(told: trial.Trial) -> str:
    migrated = f", {len(told.migrations)} migration(s) ran" if told.migrations else ""
    return f"answers after {told.first:.1f} s{migrated}"


def _undo(client: DockerClient, restoring: Operation, wish: Wish, there: Place, before: Facts | None) -> None:
    """Go back to the volumes from before the last restore; those of now stay too."""
    site = restoring.site
    moved = data.last_move(site)
    if moved is None:
        raise Refused(
            "there is no restore to undo",
            why="the site is not on volumes that a restore has filled",
            fix="`bin/inv backups` lists what can be restored",
        )
    place = replace(there, db_volume=moved["from_db"], media_volume=moved["from_media"])
    for volume in (place.db_volume, place.media_volume):
        if not objects.volume_exists(client, volume):
            raise Refused(
                f"the volume {volume} from before the restore is gone",
                why="somebody removed it, or there was none",
                fix="restore an archive: `bin/inv backups`",
            )
    data.one_writer(client, replace(site, db_volume=place.db_volume))
    if before:  # what cannot be read has not to be protected from an undo
        _not_migrated_since(site, place, before)
    _confirm(site, wish, f"volume {place.db_volume}, as it was before the restore of {moved['began']},")
    restoring.telling(restored=place.db_volume, **_moved(there, place))
    switch.to(client, restoring, place, None)


def _not_migrated_since(site: Settings, place: Place, before: Facts) -> None:
    """Refuse to start a release on the only copy of older data that it would change."""
    then = volumes.inspect(site, place).migrations
    if newer := sorted(set(before.migrations) - set(then)):
        raise Refused(
            "the database was migrated since that restore",
            why=f"the release would run {', '.join(newer)} on the only copy of the older data",
            fix="restore an archive of that time, which is tried out first: `bin/inv backups`",
        )


def _moved(there: Place, place: Place) -> dict[str, str]:
    return {
        "from_db": there.db_volume,
        "from_media": there.media_volume,
        "to_db": place.db_volume,
        "to_media": place.media_volume,
    }


def _now(site: Settings, there: Place) -> Place:
    now = settings.load(site.root)
    return replace(there, db_volume=now.db_volume, media_volume=now.media_volume)


def _tell_of_the_way_back(client: DockerClient, moved: Mapping[str, str]) -> None:
    """Name the volumes that are left; after a `docker compose down --volumes` there are none."""
    old = [moved[f"from_{kind}"] for kind in ("db", "media") if moved[f"from_{kind}"] != moved[f"to_{kind}"]]
    if left := [volume for volume in old if objects.volume_exists(client, volume)]:
        console.progress("the data from before is still there: `./restore.sh --undo` goes back to it,")
        console.progress(f"and `docker volume rm {' '.join(left)}` removes it")
