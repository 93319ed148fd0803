"""Backups that cannot be trusted are not published; what cannot be archived is told."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack import archive, envfile
from tests.support import archived, visitor
from tests.support.archived import DATABASE_FILE, MEDIA_DIR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import DockerClient

    from tests.support.site import Site

CRASHES = 'FROM {image}\nCMD ["node", "-e", "console.log(process.env.PAYLOAD_SECRET); process.exit(3)"]\n'
OPENED = f"const d = new (require('node:sqlite').DatabaseSync)('{DATABASE_FILE}')"
ROOT_PAGE = "d.prepare(`select rootpage as n from sqlite_schema where name = 'posts'`).get().n"
OVERWRITE = f"""
const page = {ROOT_PAGE}; d.close()
const fs = require('node:fs'), file = fs.openSync('{DATABASE_FILE}', 'r+')
fs.writeSync(file, Buffer.alloc(4096, 0xde), 0, 4096, (page - 1) * 4096)
"""
FOREIGN = f"rm {DATABASE_FILE}; node -e \"{OPENED}; d.exec('create table notes (text)')\""
FLAWS = {
    "a page is overwritten": (f'node -e "{OPENED}; {OVERWRITE}"'.replace("`", "\\`"), "it is corrupt: "),
    "the file is empty": (f": >{DATABASE_FILE}", "it is empty"),
    "the file is gone": (f"rm {DATABASE_FILE}", "there is no such file"),
    "another program's": (FOREIGN, "it is not Payload's: it has no table payload_migrations"),
    "not SQLite": (f"head -c 9000 /dev/urandom >{DATABASE_FILE}", "it is not a SQLite database"),
    "cut off": (f"truncate -s 9000 {DATABASE_FILE}", "it is corrupt: "),
}
ODD = {
    "link.png": "ln -s red.png link.png",
    "pipe": "mkfifo pipe",
    "two\nlines.png": "echo >'two\nlines.png'",
    "back\\slash.png": "echo >'back\\slash.png'",
    "\x1b[2Jclears.png": "echo >'\x1b[2Jclears.png'",
    "closed.png": "echo >closed.png; chmod 600 closed.png",
    "closed": "mkdir -m 700 closed; echo >closed/below.png",
}


@pytest.fixture(scope="module")
def kept(sibling: Callable[..., Site]) -> Site:
    site = sibling("refused")
    site.deploy()
    editor = visitor.editor(site)
    for number in range(20):
        editor.publish(f"number {number}")
    for name in ("red.png", "blue.png"):
        editor.upload(name, visitor.picture())
    archived.path_of(site.run("./backup.sh"))
    return site


@pytest.fixture
def site(kept: Site) -> Iterator[Site]:
    """Give a site with an archive; afterwards both are as they were, and nothing is left of a backup."""
    before, archives = kept.state(), archived.archives(kept)
    yield kept
    after = kept.state()
    assert (after.containers, after.volumes) == (before.containers, before.volumes)
    assert archived.archives(kept).items() >= archives.items()
    assert [name for name in archived.archives(kept) if not name.endswith(".tar.zst")] == []
    assert ".backup" not in archived.listed(kept)
    assert not (kept.root / ".stack" / "journal").exists()


@pytest.fixture
def crowded(site: Site) -> Iterator[Site]:
    """Give a site with 64 MB of media: its backup lasts long enough to be met half-way."""
    archived.beside(site, f"head -c 64000000 /dev/urandom >{MEDIA_DIR}/large; chmod 644 {MEDIA_DIR}/large")
    yield site
    archived.beside(site, f"rm {MEDIA_DIR}/large")


def refused(site: Site, code: int, *flags: str) -> str:
    """Back up in vain, and return what that said."""
    before = archived.archives(site)
    done = site.run("./backup.sh", *flags)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert archived.archives(site) == before
    return done.stderr


def test_a_directory_that_does_not_exist_is_not_made(site: Site, tmp_path: Path) -> None:
    assert "error: there is no directory" in refused(site, 11, "--output", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_directory_of_the_engine_is_no_place_for_backups(site: Site, engine: DockerClient) -> None:
    told = refused(site, 11, "--output", f"{engine.info()['DockerRootDir']}/volumes")
    assert "is inside the engine's own data" in told


def test_a_directory_that_cannot_be_written_is_refused(site: Site, small_disk: Callable[[str], Path]) -> None:
    told = refused(site, 11, "--output", str(small_disk("size=100m,ro")))
    assert "Read-only file system" in told


def test_a_disk_without_enough_room_is_refused_before_anything_is_written(
    site: Site, small_disk: Callable[[str], Path]
) -> None:
    place = small_disk("size=3m")
    assert "error: not enough room for the archive: 3 MiB free" in refused(site, 11, "--output", str(place))
    assert list(place.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_keeps_the_older_archives_and_no_part(
    crowded: Site, small_disk: Callable[[str], Path]
) -> None:
    place = small_disk("size=110m")
    older = archived.path_of(crowded.run("./backup.sh", "--db-only", "--output", str(place)))
    with half_way(crowded, place) as process:
        subprocess.run(["dd", "if=/dev/zero", f"of={place}/other"], check=False, capture_output=True)
    assert process.returncode == 11
    assert "No space left on device" in process.told
    assert sorted(place.iterdir()) == sorted([older, place / "other"])
    archive.check(older)


def test_a_file_that_becomes_shorter_meanwhile_is_read_again(crowded: Site, tmp_path: Path) -> None:
    with half_way(crowded, tmp_path) as process:
        archived.beside(crowded, f"truncate -s 1000 {MEDIA_DIR}/large")
    assert process.returncode == 0, process.told
    (path,) = tmp_path.iterdir()
    assert {member.name: member.size for member in archive.check(path).members}["media/large"] == 1000


def test_of_two_backups_at_once_the_second_is_told_who_is_at_work(crowded: Site) -> None:
    with half_way(crowded, crowded.root / "backups") as process:
        second = crowded.run("./backup.sh")
    assert second.returncode == 12, second.stderr
    assert f"backup, process {process.pid}, since " in second.stderr
    assert process.returncode == 0, process.told


@dataclass
class Process:
    """A backup that was held half-way, and then went on to its end."""

    pid: int
    returncode: int = -1
    told: str = ""


@contextmanager
def half_way(site: Site, place: Path) -> Iterator[Process]:
    """Hold a backup while its archive is being written."""
    with site.starting("./backup.sh", "--output", str(place)) as process:
        held = Process(process.pid)
        while not list(place.glob(".*.part")):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        try:
            yield held
        finally:
            process.send_signal(signal.SIGCONT)
            _, held.told = process.communicate()
            held.returncode = process.returncode


def test_what_is_no_plain_file_of_the_application_is_skipped_and_told(site: Site, tmp_path: Path) -> None:
    archived.beside(site, f"cd {MEDIA_DIR}; " + "; ".join(ODD.values()))
    done = site.run("./backup.sh")
    archived.beside(site, f"cd {MEDIA_DIR}; rm -r closed* link* pipe two* back* *clears*")
    found = archived.opened(archived.path_of(done), tmp_path)
    assert set(found.manifest.skipped) == set(ODD)
    assert found.files == {"red.png", "blue.png"}
    assert "warning: 7 thing(s) in media are no files that can be read: " in done.stderr
    assert "\x1b" not in done.stderr
    assert "\nlines.png" not in done.stderr


def test_a_row_whose_file_is_missing_on_the_site_too_is_told_and_no_reason_to_fail(
    site: Site, tmp_path: Path
) -> None:
    archived.beside(site, f"mv {MEDIA_DIR}/blue.png /data")
    done = site.run("./backup.sh")
    archived.beside(site, f"mv /data/blue.png {MEDIA_DIR}")
    found = archived.opened(archived.path_of(done), tmp_path)
    assert found.manifest.missing_media == ("blue.png",)
    assert "warning: 1 file(s) of uploads are missing on the site too: 'blue.png'" in done.stderr


@pytest.fixture(scope="module")
def stopped(kept: Site) -> Iterator[Site]:
    """Stop the site, with all of its database in one file."""
    assert kept.run("./stop.sh").returncode == 0
    archived.sqlite(kept, "pragma wal_checkpoint(truncate)")
    archived.beside(kept, f"rm -f {DATABASE_FILE}-*; cp -p {DATABASE_FILE} /data/whole")
    yield kept
    archived.beside(kept, "rm /data/whole")
    kept.deploy()


@pytest.fixture
def damaged(stopped: Site, site: Site) -> Iterator[Site]:
    yield site
    archived.beside(site, f"rm -f {DATABASE_FILE}*; cp -p /data/whole {DATABASE_FILE}")


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_database_that_cannot_be_trusted_is_not_archived(flaw: str, damaged: Site) -> None:
    damage, reason = FLAWS[flaw]
    archived.beside(damaged, damage, user="1000:1000")
    told = refused(damaged, 22)
    assert f"error: the database {DATABASE_FILE} cannot be backed up" in told
    assert f"why: {reason}" in told


def test_a_drill_of_a_release_that_crashes_publishes_nothing(stopped: Site, site: Site, image: str) -> None:
    crashing = f"{site.name}:crashing"
    site.run("docker", "build", "--tag", crashing, "-", stdin=CRASHES.format(image=image))
    site.set(APP_IMAGE=crashing)
    told = refused(site, 22, "--drill")
    site.set(APP_IMAGE=image)
    assert "error: the drill failed: the trial failed: the release does not work on this data" in told
    assert "[PAYLOAD_SECRET]" in told  # what the release says of it
    secret = envfile.read(site.root / ".env.production")["PAYLOAD_SECRET"]
    written = [file.read_text() for file in (site.root / ".stack").rglob("*") if file.is_file()]
    assert [text for text in [told, *written] if secret in text] == []
