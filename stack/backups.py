"""The archives of a site: where they are, what is known of each, which one is the newest."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stack import archive, atomic, console, ownership
from stack.errors import Newer, Refused, Rejected
from stack.meter import Meter

if TYPE_CHECKING:
    from stack.console import Step
    from stack.manifest import Manifest
    from stack.settings import Settings

SUFFIXES = (".tar.zst", ".tar.gz")
STAMP, TIME = "%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"
NAME = re.compile(r"(?P<site>.+)-(?P<created>\d{8}T\d{6}Z)-[0-9a-f]{8}\.tar\.(zst|gz)")


@dataclass(frozen=True)
class Known:
    """What was seen of an archive: when it was read whole (UTC), how that went, when it was booted."""

    size: int
    changed: int
    checked: str = ""
    sound: bool = False
    proven: str = ""


@dataclass(frozen=True)
class Backup:
    """One archive. ``size`` is in bytes; without a readable manifest ``release`` is empty, ``media`` None."""

    path: Path
    created: datetime
    size: int
    release: str
    media: bool | None
    known: Known

    @property
    def verified(self) -> str:
        """The time at which it was last read whole and found sound, else empty."""
        return self.known.checked if self.known.sound else ""

    @property
    def damaged(self) -> bool:
        return bool(self.known.checked) and not self.known.sound


def directory(site: Settings, chosen: str = "") -> Path:
    """Return the directory for archives: one's own choice, which exists, or `backups/`, which is made."""
    if chosen:
        place = Path(chosen).absolute()
        if not place.is_dir():
            raise Refused(
                f"there is no directory {place}", why="--output names where archives go", fix="make it first"
            )
        return place
    place = site.root / "backups"
    place.mkdir(mode=0o700, exist_ok=True)
    ownership.hand_over(place)
    return place


def name(site: Settings, identity: str) -> str:
    """Return the name of a new archive: its time sorts it, its random end keeps it from being replaced."""
    return f"{site.site}-{identity}{SUFFIXES[0]}"


def publish(part: Path, final: Path) -> None:
    """Give a proven archive its name, for good."""
    if final.exists():
        raise Refused(f"{final} exists", why="archives are never replaced", fix="run this again")
    part.rename(final)
    ownership.hand_over(final)
    atomic.sync_directory(final.parent)


def every(site: Settings, place: Path | None = None) -> list[Backup]:
    """Return the archives of a directory, newest first, without those of other sites."""
    files = sorted((place or site.root / "backups").glob("*.tar.*"))
    known = _all_known(site)
    dated = [(file, _created(site, file.name)) for file in files if file.is_file()]
    found = [_backup(file, created, known) for file, created in dated if created]
    return sorted(found, key=lambda backup: backup.created, reverse=True)


def newest(site: Settings) -> Backup:
    """Return the newest archive that is not known to be damaged."""
    for backup in every(site):
        if not backup.damaged:
            return backup
    raise none_of(site)


def none_of(site: Settings) -> Refused:
    return Refused(
        f"there is no archive of {site.site}",
        why=f"{site.root / 'backups'} has none that could be restored",
        fix="`./backup.sh` makes one; one that lies elsewhere can be named by its path",
    )


def find(site: Settings, named: str, working: Path) -> Path:
    """Return the archive that a person means by a path, or by its name alone."""
    for path in (working / named, site.root / "backups" / named):
        if path.is_file():
            return path
    raise Refused(
        f"there is no archive {named}", why="neither here nor in backups/", fix="`bin/inv backups` lists them"
    )


def verify(site: Settings, path: Path, step: Step) -> Manifest:
    """Read an archive whole, and remember how that went."""
    try:
        manifest = archive.check(path, on_bytes=Meter(step, path.stat().st_size).passed)
    except Newer:
        raise
    except Rejected:
        remember(site, path, sound=False)
        raise
    remember(site, path, sound=True)
    return manifest


def remember(site: Settings, path: Path, *, sound: bool, proven: bool = False) -> None:
    """Note that an archive was read whole, or booted, just now."""
    now = f"{datetime.now(timezone.utc):{TIME}}"
    before = _known(path, _all_known(site))
    known = Known(before.size, before.changed, now, sound, now if proven else before.proven)
    kept = {key: value for key, value in _all_known(site).items() if Path(key).exists()}
    text = json.dumps({**kept, str(path.resolve()): asdict(known)}, indent=2) + "\n"
    site.state.mkdir(mode=0o700, exist_ok=True)  # on a new server nothing else may have run before
    ownership.hand_over(site.state)
    try:
        atomic.replace(_note(site), text, mode=0o600)
    except OSError as trouble:  # of a note, which takes nothing back
        console.progress(f"  it is not noted that {path.name} was read: {trouble.strerror}")


def _created(site: Settings, name: str) -> datetime | None:
    """Return the time in the name of an archive; None where it is no name of an archive of this site."""
    named = NAME.fullmatch(name)
    if named is None or named["site"] != site.site:
        return None
    try:
        return datetime.strptime(named["created"], STAMP).replace(tzinfo=timezone.utc)
    except ValueError:  # a 13th month: somebody else's
        return None


def _backup(path: Path, created: datetime, known: dict[str, Any]) -> Backup:
    try:
        told = archive.manifest_of(path)
        release, media = told.release, told.media
    except Rejected:
        release, media = "", None
    return Backup(path, created, path.stat().st_size, release, media, _known(path, known))


def _known(path: Path, all_known: dict[str, Any]) -> Known:
    """Return what is known of a file as it is now: of one that was changed nothing is."""
    status = path.stat()
    now = Known(status.st_size, status.st_mtime_ns)
    try:
        told = Known(**all_known[str(path.resolve())])
    except (KeyError, TypeError):  # nothing is noted, or something in the words of another version
        return now
    return told if (told.size, told.changed) == (now.size, now.changed) else now


def _all_known(site: Settings) -> dict[str, Any]:
    try:
        told = json.loads(_note(site).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _note(site: Settings) -> Path:
    return site.state / "archives"
