"""Fill new volumes from an archive, and see through a normal open that the database is what was archived."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import archive, volumes
from stack.engine import objects
from stack.errors import Refused, Rejected
from stack.host import disk
from stack.host.disk import Need
from stack.manifest import DATABASE
from stack.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docker import DockerClient

    from stack.console import Step
    from stack.manifest import Manifest
    from stack.run import Streams
    from stack.settings import Settings
    from stack.volumes import Facts, Place


@dataclass(frozen=True)
class Source:
    """An archive, its manifest, and which of its members are wanted."""

    path: Path
    manifest: Manifest
    wanted: Callable[[str], bool] = lambda _: True

    @property
    def total(self) -> int:
        """Bytes of what is wanted."""
        return sum(member.size for member in self.manifest.members if self.wanted(member.name))


MARGIN = 64 << 20  # bytes: the journal of a database that is opened, and what its migrations take


def filled(client: DockerClient, site: Settings, place: Place, source: Source, step: Step) -> Facts | None:
    """Put the wanted members into the volumes of ``place``, which must be new; return what is found there.

    None where no database is wanted. Content that is not what the manifest says is :class:`Rejected`.
    """
    for volume in (place.db_volume, place.media_volume):
        _is_new(client, volume)
    need = Need(free=source.total + MARGIN, inodes=len(source.manifest.members) + 100)
    disk.need(need, objects.data_directory(client), "for the new volumes")
    try:
        with volumes.running(site, place, "filler", "fill", place.database, site.media_dir) as process:
            volumes.heard(process)
            _sent(process, source, step)
            told = volumes.heard(process)
    except volumes.Unsound as finding:
        raise Rejected(
            f"{source.path.name} cannot be restored", why=finding.why, fix=finding.fix
        ) from finding
    facts = volumes.facts(told) if "facts" in told else None
    if facts:
        _same(source.path, source.manifest, facts)
    return facts


def _is_new(client: DockerClient, volume: str) -> None:
    if objects.volume_exists(client, volume):
        raise Refused(
            f"the volume {volume} is there already", why="only new volumes are filled", fix="run this again"
        )


def _sent(process: Streams, source: Source, step: Step) -> None:
    meter = Meter(step, source.total)
    for member, content in archive.members(source.path, source.manifest, wanted=source.wanted):
        head = {"name": member.name, "size": member.size, "sha256": member.sha256}
        volumes.say(process, json.dumps(head).encode() + b"\n")
        while piece := content.read(volumes.CHUNK):
            volumes.say(process, piece)
            meter.passed(len(piece))
    volumes.say(process, b'{"end": true}\n')


def _same(path: Path, manifest: Manifest, facts: Facts) -> None:
    """Compare with the manifest, through a normal open: a sum that is right proves nothing about that."""
    differing = [
        name
        for name, archived, found in (
            ("rows", dict(manifest.rows), dict(facts.rows)),
            ("migrations", manifest.migrations, facts.migrations),
            ("user_version", manifest.user_version, facts.user_version),
            ("foreign keys", dict(manifest.foreign_key_violations), dict(facts.foreign_key_violations)),
        )
        if archived != found
    ]
    if differing:
        raise Rejected(
            f"{path.name} does not hold what its manifest says",
            why=f"these differ: {', '.join(differing)} of {DATABASE}",
            fix="choose another archive: `bin/inv backups`",
        )
