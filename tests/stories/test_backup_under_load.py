"""Backups while people write: nobody is refused, nothing that was acknowledged is missing."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.support import archived, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.site import Site
    from tests.support.visitor import Editor

DURATION = 20  # seconds
UPLOADED = "select filename from media"
THUMBNAILS = "select sizes_thumbnail_filename from media where sizes_thumbnail_filename <> ''"
WITHOUT_WAL = "RUN --network=none sed -i 's/wal:!0/wal:!1/' $(grep -rl 'wal:!0' .next/server)"
GROWING = """
const fs = require('node:fs'), file = fs.openSync(process.env.MEDIA_DIR + '/growing.bin', 'a')
fs.writeSync(file, Buffer.alloc(64 << 20)) // reading it takes longer than a container may be made to pause
console.log('it grows')
while (fs.fstatSync(file).nlink) fs.writeSync(file, 'x')
"""


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site]) -> Site:
    site = sibling("busy")
    site.deploy()
    return site


@dataclass
class Author:
    """Somebody who writes without a pause; what was acknowledged stands in ``posts`` and ``files``."""

    editor: Editor
    posts: list[int] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    waited: float = 0.0
    _names: Iterator[int] = field(default_factory=count)

    def publish(self) -> None:
        began = time.monotonic()
        self.posts.append(self.editor.publish("constantly"))
        self.waited = max(self.waited, time.monotonic() - began)

    def upload(self) -> None:
        content = visitor.noise(side=80 + next(self._names) % 400)
        path = self.editor.upload(f"upload-{next(self._names)}.png", content)
        self.files[path.rpartition("/")[2]] = hashlib.sha256(content).hexdigest()


@contextmanager
def constantly(*acts: Callable[[], None]) -> Iterator[None]:
    """Do each again and again, in a thread of its own; who fails ends, and fails the test in the end."""
    over = threading.Event()

    def repeat(act: Callable[[], None]) -> None:
        while not over.is_set():
            act()

    with ThreadPoolExecutor(len(acts)) as pool:
        running = [pool.submit(repeat, act) for act in acts]
        try:
            yield
        finally:
            over.set()
    for each in running:
        each.result()


def test_every_backup_of_a_busy_site_holds_what_was_acknowledged_before_it_and_can_be_restored(
    site: Site, tmp_path: Path
) -> None:
    author = Author(visitor.editor(site))
    ends, backups = time.monotonic() + DURATION, 0
    with constantly(author.publish, author.publish, author.upload):
        while time.monotonic() < ends:
            posts, files = list(author.posts), dict(author.files)
            assert_complete(archived.backed_up(site, tmp_path), posts, files)
            backups += 1
    assert backups > 1
    assert min(len(posts), len(files)) > 10
    assert site.run("./restore.sh", "--yes").returncode == 0
    assert_served(site, posts, files)


def assert_complete(archive: archived.Archived, posts: list[int], files: dict[str, str]) -> None:
    """Check that what was acknowledged is in an archive, and all that the archive itself speaks of."""
    assert set(posts) <= set(archive.values("select id from posts"))
    uploaded = set(archive.values(UPLOADED))
    assert set(files) <= uploaded
    assert uploaded | set(archive.values(THUMBNAILS)) <= archive.files
    sums = {member.name: member.sha256 for member in archive.manifest.members}
    assert {name: sums[f"media/{name}"] for name in files} == files
    assert archive.manifest.missing_media == ()


def assert_served(site: Site, posts: list[int], files: dict[str, str]) -> None:
    found = site.get("/api/posts", params={"pagination": "false"}).json()["docs"]
    assert set(posts) <= {post["id"] for post in found}
    served = {name: site.get(f"/api/media/file/{name}").content for name in files}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in served.items()} == files


def test_without_wal_visitors_wait_and_none_is_refused(
    sibling: Callable[..., Site], image: str, tmp_path: Path
) -> None:
    site = sibling("journal")
    site.build_on(image, "USER root", WITHOUT_WAL, "USER 1000:1000")
    site.deploy()
    author = Author(visitor.editor(site))
    with constantly(author.publish, author.publish, lambda: assert_ok(site)):
        while len(author.posts) < 20:
            time.sleep(0.05)
        posts, author.waited = list(author.posts), 0.0
        done = site.run("./backup.sh")
        went_on = len(author.posts)
        while len(author.posts) < went_on + 10:
            time.sleep(0.05)
    archive = archived.opened(archived.path_of(done), tmp_path)
    assert archive.manifest.journal_mode == "delete"
    assert set(posts) <= set(archive.values("select id from posts"))
    assert "warning: the database is not in WAL mode: visitors wait while it is copied" in done.stderr
    assert author.waited > 0.4  # at the gate; a write alone takes hundredths


def assert_ok(site: Site) -> None:
    assert site.get("/api/posts").status_code == 200


def test_a_file_that_an_editor_deletes_meanwhile_takes_its_row_along(site: Site, tmp_path: Path) -> None:
    editor, content = visitor.editor(site), visitor.noise()
    for number in range(8):
        editor.upload(f"large-{number}.png", content)
    read_last = [name for name in listed_by_the_system(site) if name.startswith("large-")][-1]
    with site.starting("./backup.sh") as process:
        database_is_copied(site)
        process.send_signal(signal.SIGSTOP)  # what it reads from waits too, with most of the files to come
        delete(editor, read_last)
        process.send_signal(signal.SIGCONT)
        out, told = process.communicate()
    assert process.returncode == 0, told
    archive = archived.opened(site.root / out.strip(), tmp_path)
    assert archive.manifest.missing_media == ()
    assert read_last not in archive.values(UPLOADED)
    assert set(archive.values(UPLOADED)) <= archive.files


def listed_by_the_system(site: Site) -> list[str]:
    return site.inside(
        "app", "find", archived.MEDIA_DIR, "-type", "f", "-exec", "basename", "{}", ";"
    ).split()


def database_is_copied(site: Site) -> None:
    """Wait until an archive is begun: its database is read and checked by then."""
    while not list((site.root / "backups").glob(".*.part")):
        time.sleep(0.001)


def delete(editor: Editor, name: str) -> None:
    found = editor.site.get("/api/media", params={"where[filename][equals]": name}).json()["docs"]
    assert editor.site.delete(f"/api/media/{found[0]['id']}", headers=editor.headers).status_code == 200


def test_a_file_that_never_stops_growing_is_read_again_and_then_refused(site: Site) -> None:
    before = archived.archives(site)
    with site.starting("docker", "compose", "exec", "--no-TTY", "app", "node", "-e", GROWING) as growing:
        assert growing.stdout
        assert growing.stdout.readline() == "it grows\n"
        done = site.run("./backup.sh")
        site.inside("app", "rm", f"{archived.MEDIA_DIR}/growing.bin")
    assert done.returncode == 22, done.stderr
    assert "error: the media change while they are read" in done.stderr
    assert "media/growing.bin was being written, 3 times in a row" in done.stderr
    assert done.stdout == ""
    assert archived.archives(site) == before
