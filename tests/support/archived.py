"""What is in a site's volumes and in its archives, seen and tampered with past the tool."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stack import archive, compression, settings
from stack.manifest import DATABASE, MEDIA

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from stack.manifest import Manifest
    from tests.support.site import Site

DATABASE_FILE, MEDIA_DIR = "/data/payload.db", "/app/public/media"
# Names, owners and modes of what is in both volumes; of files sizes and times too, of the database its sum.
LISTING = f"""
find /data {MEDIA_DIR} ! -name '*-shm' -exec stat -c '%n %u:%g %a' {{}} + | sort
find /data {MEDIA_DIR} ! -name '*-shm' -type f -exec stat -c '%n %s %y' {{}} + | sort
find /data -name 'payload.db' -o -name 'payload.db-wal' | sort | xargs sha256sum
"""


@dataclass(frozen=True)
class Archived:
    """An archive that was read to its last byte, and the database that was in it."""

    manifest: Manifest
    database: Path

    @property
    def files(self) -> set[str]:
        """The names of the media."""
        return {member.name.removeprefix(MEDIA) for member in self.manifest.members[1:]}

    def values(self, query: str) -> list[Any]:
        """Return the first column of what the archived database answers."""
        with closing(sqlite3.connect(self.database)) as database:
            return [row[0] for row in database.execute(query)]


def opened(path: Path, directory: Path) -> Archived:
    """Check an archive, and unpack its database into ``directory``."""
    manifest, database = archive.check(path), directory / f"{path.name}.db"
    for _, content in archive.members(path, manifest, wanted=lambda name: name == DATABASE):
        with database.open("wb") as file:
            while piece := content.read(1 << 20):
                file.write(piece)
    return Archived(manifest, database)


def unpacked(path: Path) -> bytes:
    """Return all of the tar stream."""
    with compression.opened(path) as packed:
        stream = packed.whole(lambda _: None)
        return b"".join(iter(lambda: stream.read(1 << 20), b""))


def backed_up(site: Site, directory: Path, *flags: str) -> Archived:
    """Back up, and open the archive that the last line of stdout names."""
    return opened(path_of(site.run("./backup.sh", *flags)), directory)


def path_of(done: CompletedProcess[str]) -> Path:
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


def archives(site: Site) -> dict[str, bytes]:
    """Return everything in `backups/`, whatever its name."""
    return {path.name: path.read_bytes() for path in (site.root / "backups").iterdir()}


def beside(site: Site, script: str, *, user: str = "0:0") -> str:
    """Run shell text in a container that has the site's volumes; return what it says."""
    now = settings.load(site.root)
    mounts = ("--volume", f"{now.db_volume}:/data", "--volume", f"{now.media_volume}:{MEDIA_DIR}")
    beside = ("docker", "run", "--rm", "--network", "none", "--user", user, *mounts)
    done = site.run(*beside, now.app_image, "sh", "-euc", script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sqlite(site: Site, *statements: str, file: str = DATABASE_FILE) -> None:
    """Run statements on the database of a stopped site, as the application's user."""
    script = f"const d = new (require('node:sqlite').DatabaseSync)('{file}')"
    calls = "".join(f"; d.exec(`{statement}`)" for statement in statements)
    beside(site, f'node -e "{script}{calls}; d.close()"'.replace("`", "\\`"), user="1000:1000")


def listed(site: Site) -> str:
    """Return :data:`LISTING` of the site's volumes."""
    return beside(site, LISTING)
