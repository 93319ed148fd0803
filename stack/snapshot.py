"""Write database and media of a site into an archive while it serves, and prove that nothing was lost."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from stack import archive, console, hold, releases, volumes
from stack.engine import containers, images
from stack.errors import Refused, Rejected, Untrusted
from stack.host import disk
from stack.host.disk import Need
from stack.manifest import DATABASE, Manifest
from stack.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

    from stack.archive import Writer
    from stack.console import Step
    from stack.manifest import Member
    from stack.operation import Operation
    from stack.run import Streams
    from stack.settings import Settings
    from stack.volumes import Facts, Place

ATTEMPTS = 3
MARGIN = 32 << 20  # bytes, for what compression cannot save


@dataclass(frozen=True)
class Order:
    """What to archive and where to; ``media`` is False for the database only."""

    site: Settings
    place: Place
    path: Path
    id: str
    release: str
    image_id: str
    created: datetime
    media: bool


def ordered(client: DockerClient, operation: Operation, place: Place, path: Path, *, media: bool) -> Order:
    """Return what an operation archives now."""
    image = images.find(client, place.image)
    return Order(
        site=operation.site,
        place=place,
        path=path,
        id=operation.id,
        release=releases.of_image(place.image),
        image_id=image.id if image else "",
        created=datetime.now(timezone.utc),
        media=media,
    )


class _Again(Exception):  # noqa: N818 - not a failure yet
    """Something was changed or deleted between the copy of the database and that of the media."""


def taken(client: DockerClient, order: Order, step: Step) -> Manifest:
    """Write an archive and read it back. What cannot be trusted is :class:`Untrusted`."""
    try:
        manifest = _attempts(client, order, step)
        reading = Meter(step, order.path.stat().st_size, "reading it back, ")
        archive.check(order.path, on_bytes=reading.passed)
    except volumes.Unsound as finding:
        raise failure(finding, order.place) from finding
    except Rejected as damage:
        raise Untrusted(
            "the archive is not what was written", why=damage.why, fix="check this machine's memory and disk"
        ) from damage
    return manifest


def failure(finding: volumes.Unsound, place: Place) -> Refused | Untrusted:
    if finding.kind == "room":
        return Refused(
            f"not enough room for a copy of the database on volume {place.db_volume}",
            why=finding.why,
            fix="`docker system df` shows what can go; or enlarge the disk",
        )
    return Untrusted(
        f"the database {place.database} cannot be backed up",
        why=finding.why,
        fix="older archives are as they were: `bin/inv backups`, then `./restore.sh`",
    )


def _attempts(client: DockerClient, order: Order, step: Step) -> Manifest:
    again = "media"
    for left in reversed(range(ATTEMPTS)):
        manifest, again = _tried(client, order, step, last=left == 0)
        if manifest:
            return manifest
        order.path.unlink()
        step.progress("media changed meanwhile: once more")
    raise Untrusted(
        "the media change while they are read",
        why=f"{again} was being written, {ATTEMPTS} times in a row",
        fix="wait until that upload has ended, then run this again",
    )


def _tried(client: DockerClient, order: Order, step: Step, *, last: bool) -> tuple[Manifest | None, str]:
    """Return the manifest, or None and the file that was changed meanwhile."""
    try:
        return _attempt(client, order, step, last=last), ""
    except _Again as change:
        return None, str(change)


def _attempt(client: DockerClient, order: Order, step: Step, *, last: bool) -> Manifest:
    site, directories = order.site, [order.site.media_dir] if order.media else []
    arguments = [order.id, order.place.database, *directories]
    with volumes.running(site, order.place, "reader", "snapshot", *arguments) as process:
        sizes = volumes.heard(process)["sizes"]
        total = sizes["database"] + sizes["media"]
        disk.need(Need(free=total + MARGIN, inodes=10), str(order.path.parent), "for the archive")
        with _readable(client, site, sizes["journal_mode"]):
            volumes.say(process, b"\n")
            facts = volumes.facts(volumes.heard(process))
        with archive.Writer(order.path, created=order.created) as writer:
            members, end = _written(process, writer, Meter(step, total))
            _nothing_lost(facts, members, end, last=last)
            manifest = _manifest(order, facts, members, end)
            writer.finish(manifest)
    return manifest


@contextmanager
def _readable(client: DockerClient, site: Settings, journal_mode: str) -> Iterator[None]:
    """Keep visitors waiting while a database is copied that cannot be read and written at once."""
    with ExitStack() as stack:
        if journal_mode != "wal" and containers.running(client, site.site, "app"):
            console.warn(
                "the database is not in WAL mode: visitors wait while it is copied, and a write that comes "
                "past the gate can fail. Give the database adapter `wal: true`"
            )
            if containers.running(client, site.site, "gate"):
                stack.enter_context(hold.leased(site)).drained()
        yield


def _written(process: Streams, writer: Writer, meter: Meter) -> tuple[list[Member], dict[str, Any]]:
    """Write what the container hands out until it tells the end."""
    members: list[Member] = []
    while True:
        told = volumes.heard(process)
        if "again" in told:
            raise _Again(told["again"])
        if "end" in told:
            return members, told["end"]
        size = told["size"]
        content = volumes.Content(process.output, size, meter.passed)
        members.append(writer.add(told["name"], size, content))


def _nothing_lost(facts: Facts, members: list[Member], end: dict[str, Any], *, last: bool) -> None:
    """Compare what came with what was there: the copy's sum, and a file for each row of an upload."""
    if (members[0].name, members[0].sha256) != (DATABASE, facts.sha256):
        raise Untrusted(
            "the copy of the database changed on its way into the archive",
            why="its sum differs from that of the copy that was checked",
            fix="check this machine's memory and disk, then run this again",
        )
    if end["lost"]:
        raise Untrusted(
            f"{len(end['lost'])} file(s) of uploads did not come into the archive",
            why=f"they are on the volume and could not be read: {', '.join(end['lost'][:5])}",
            fix="run this again; if it is the same files, look at them",
        )
    if end["deleted"] and not last:
        raise _Again(end["deleted"][0])


def _manifest(order: Order, facts: Facts, members: list[Member], end: dict[str, Any]) -> Manifest:
    return Manifest(
        site=order.site.site,
        release=order.release,
        image=order.image_id,
        created=f"{order.created:%Y-%m-%dT%H:%M:%SZ}",
        journal_mode=facts.journal_mode,
        user_version=facts.user_version,
        migrations=facts.migrations,
        rows=facts.rows,
        media=order.media,
        members=tuple(members),
        missing_media=tuple(sorted({*end["missing"], *end["deleted"]})),
        skipped=tuple(sorted(end["skipped"])),
        foreign_key_violations=facts.foreign_key_violations,
    )
