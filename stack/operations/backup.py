"""Write a proven archive of database and media."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import (
    backups,
    console,
    drill,
    environment,
    live,
    operation,
    preflight,
    settings,
    sizes,
    snapshot,
)
from stack.engine import client as engine
from stack.manifest import shown

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from stack.manifest import Manifest
    from stack.operation import Operation
    from stack.volumes import Place


def backup(root: Path, *, db_only: bool, output: str, drilled: bool, as_json: bool) -> None:
    """Print the path of the new archive last; it got its name when it was proven."""
    site = settings.load(root)
    with engine.connected() as client, operation.begun(client, site, "backup") as backing_up:
        preflight.name_is_ours(client, site)
        env = environment.checked(site, warn=console.warn)
        place = live.place(client, site, env)
        directory = live.outside(client, backups.directory(site, output))
        part = directory / f".{backups.name(site, backing_up.id)}.part"
        backing_up.making(files=(part,))
        manifest = _taken(client, backing_up, place, part, media=not db_only)
        if drilled:
            drill.held(client, backing_up, place, part, manifest)
        final = directory / part.name.removeprefix(".").removesuffix(".part")
        backups.publish(part, final)
        backups.remember(site, final, sound=True, proven=drilled)
        backing_up.telling(archive=str(final))
    _tell(final, manifest, as_json=as_json)


def _taken(client: DockerClient, backing_up: Operation, place: Place, part: Path, *, media: bool) -> Manifest:
    order = snapshot.ordered(client, backing_up, place, part, media=media)
    with backing_up.step("Database and media" if media else "Database") as step:
        manifest = snapshot.taken(client, order, step)
        step.say(f"{sizes.human(part.stat().st_size)}, {len(manifest.members)} file(s), read back")
    return manifest


def _tell(path: Path, manifest: Manifest, *, as_json: bool) -> None:
    if manifest.missing_media:
        names = _some(manifest.missing_media)
        console.warn(f"{len(manifest.missing_media)} file(s) of uploads are missing on the site too: {names}")
    if manifest.skipped:
        names = _some(manifest.skipped)
        console.warn(f"{len(manifest.skipped)} thing(s) in media are no files that can be read: {names}")
    if manifest.foreign_key_violations:
        tables = _some(tuple(manifest.foreign_key_violations))
        console.warn(f"rows refer to others that do not exist, on the site too: {tables}")
    if as_json:
        console.result_json(
            {
                "archive": str(path),
                "size": path.stat().st_size,
                "release": manifest.release,
                "created": manifest.created,
                "rows": dict(manifest.rows),
                "files": len(manifest.members) - 1,
                "missing_media": list(manifest.missing_media),
                "skipped": list(manifest.skipped),
            }
        )
    else:
        console.result(str(path))


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(map(shown, names[:5])) + (" ..." if len(names) > 5 else "")
