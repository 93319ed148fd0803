"""A restore brings back what an archive holds, to the row and the byte, and the way back is open."""

from __future__ import annotations

import itertools
import os
import shutil
import tarfile
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import archive, atomic, settings
from tests.support import contents, visitor
from tests.support.restoring import RESTORE, Life, backed_up, last_line, typed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.site import Site


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("restore")
    site.build_on(image)
    site.deploy()
    return site


@pytest.fixture(scope="module")
def life(site: Site) -> Life:
    return Life(visitor.editor(site))


def test_after_down_v_a_restore_brings_back_the_same_records_and_files(site: Site, life: Life) -> None:
    life.goes_on()
    picture = life.editor.upload("kept.png", visitor.picture((1, 2, 3)))
    before, path = contents.of(site), backed_up(site)
    site.compose("down", "--volumes")
    assert contents.volumes(site) == set()
    assert last_line(site.run(*RESTORE)) == str(path)
    assert contents.of(site) == before
    assert site.get(picture).content == visitor.picture((1, 2, 3))
    now = settings.load(site.root)
    assert {now.db_volume, now.media_volume} == contents.volumes(site)
    assert now.db_volume.startswith(f"{site.name}_payload-db-")
    assert site.is_healthy()


def test_on_an_empty_server_a_checkout_with_its_settings_and_an_archive_are_enough(
    sibling: Callable[..., Site], new_site: Callable[..., Site], image: str
) -> None:
    old = sibling("moving")
    old.build_on(image)
    old.deploy()
    Life(visitor.editor(old)).goes_on()
    before, path = contents.of(old), backed_up(old)
    old.compose("down", "--volumes")
    old.run("docker", "rmi", *old.images())

    names = {"COMPOSE_PROJECT_NAME": old.name, "HOST_PORT": str(old.port), "PROXY_NETWORK": old.network}
    checkout = new_site("empty", **names)
    new = replace(old, root=checkout.root)
    secrets = (old.root / ".env.production").read_text()
    atomic.replace(new.root / ".env.production", secrets, mode=0o600)
    new.build_on(image)
    carried = shutil.copy(path, new.root)
    assert last_line(new.run(*RESTORE, path.name)) == carried
    assert contents.of(new) == before
    assert new.images() != []


def test_a_stale_wal_never_undoes_a_restore_and_undo_brings_its_rows_back_as_long_as_they_are_there(
    site: Site, life: Life
) -> None:
    life.goes_on()
    path = backed_up(site)
    life.editor.publish("only in the write-ahead log")
    before = contents.of(site)
    site.compose("kill", "--signal", "KILL", "app")
    left = settings.load(site.root).db_volume
    assert "only in the" in contents.look(site, left, "strings payload.db-wal")
    assert "only in the" not in contents.look(site, left, "strings payload.db")
    sums = contents.sums(site, left)

    done = site.run(*RESTORE, path.name)
    assert last_line(done) == str(path)
    assert contents.rows(backed_up(site)) == contents.rows(path)
    assert "only in the write-ahead log" not in contents.of(site).posts.values()
    assert contents.sums(site, left) == sums
    restored = contents.of(site)

    assert last_line(site.run(*RESTORE, "--undo")) == left
    assert contents.of(site) == before
    assert "only in the write-ahead log" in contents.of(site).posts.values()

    now = settings.load(site.root)
    last_line(site.run(*RESTORE, "--undo"))
    assert contents.of(site) == restored

    site.run("docker", "volume", "rm", now.db_volume)
    done = site.run(*RESTORE, "--undo")
    assert done.returncode == 11, done.stderr
    assert f"the volume {left} from before the restore is gone" in done.stderr
    assert contents.of(site) == restored


def test_db_only_leaves_the_media_and_their_newer_files(site: Site, life: Life) -> None:
    path, before = backed_up(site), contents.of(site)
    newer = life.editor.upload("newer.png", visitor.picture((9, 9, 9)))
    volume = settings.load(site.root).media_volume
    assert last_line(site.run(*RESTORE, "--db-only", path.name)) == str(path)
    assert contents.of(site) == before
    assert settings.load(site.root).media_volume == volume
    assert "newer.png" in contents.look(site, volume, "ls"), newer


def test_media_only_leaves_the_database_and_its_newer_rows(site: Site, life: Life) -> None:
    life.goes_on()
    before, path = contents.of(site), backed_up(site)
    lost, _ = next(iter(before.files.items()))
    site.inside("app", "sh", "-c", f"rm /app/public/media/{lost}")
    newer = life.editor.publish("newer than the archive")
    volume = settings.load(site.root).db_volume
    assert last_line(site.run(*RESTORE, "--media-only", path.name)) == str(path)
    assert contents.of(site).files == before.files
    assert newer in contents.of(site).posts
    assert settings.load(site.root).db_volume == volume


def test_an_archive_that_was_unpacked_and_packed_by_hand_is_restored(
    site: Site, life: Life, tmp_path: Path
) -> None:
    before, path = contents.of(site), backed_up(site)
    life.goes_on()
    told = archive.check(path)
    for name in ("manifest.json", *(member.name for member in reversed(told.members))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(contents.member(path, name) if name != "manifest.json" else told.dump())
    with tarfile.open(tmp_path / "by-hand.tar.gz", "w:gz") as packed:
        for name in ("manifest.json", "media", "database"):
            packed.add(tmp_path / name, name)
    done = site.run(str(site.root / "restore.sh"), "--yes", "by-hand.tar.gz", cwd=tmp_path)
    assert last_line(done) == str(tmp_path / "by-hand.tar.gz")
    assert contents.of(site) == before


def test_no_visitor_fails_during_a_restore_and_what_is_answered_after_it_is_kept(
    site: Site, life: Life
) -> None:
    archived = set(contents.of(site).posts.values())
    backed_up(site)
    stopping = threading.Event()
    seen: list[int] = []
    published: dict[str, int] = {}

    def visit(number: int) -> None:
        for turn in itertools.count():
            if stopping.is_set():
                return
            seen.append(site.get("/api/posts?limit=1", timeout=60).status_code)
            title = f"visit {number}.{turn}"
            answer = site.post("/api/posts", json={"title": title}, headers=life.editor.headers, timeout=60)
            seen.append(answer.status_code)
            published[title] = time.time_ns()

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(3)]
    for thread in visitors:
        thread.start()
    done = site.run(*RESTORE)
    time.sleep(0.5)  # for visits after it
    stopping.set()
    for thread in visitors:
        thread.join()
    assert done.returncode == 0, done.stderr
    assert set(seen) == {200, 201}
    switched = (site.root / ".env").stat().st_mtime_ns
    after = {title for title, answered in published.items() if answered > switched}
    assert set() < after < set(published)
    assert set(contents.of(site).posts.values()) == archived | after


def test_whoever_types_the_sites_name_goes_on_and_is_told_what_changed_in_each_table(
    site: Site, life: Life
) -> None:
    path = backed_up(site)
    posts = len(contents.of(site).posts)
    life.goes_on()
    done = typed(site, site.name, "./restore.sh")
    assert last_line(done) == str(path)
    told = [line.split() for line in done.stderr.splitlines()]
    assert ["posts", str(posts + 1), "->", str(posts), "rows"] in told
    assert ["users", "1", "->", "1", "rows"] not in told
    assert len(contents.of(site).posts) == posts


def test_an_archive_is_found_by_its_name_by_a_path_from_where_one_stands_or_is_the_newest_that_is_sound(
    site: Site, tmp_path: Path
) -> None:
    first, second, newest = (backed_up(site) for _ in range(3))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert site.inv("backups.verify", newest.name).returncode == 23
    relative = os.path.relpath(first, tmp_path)
    restore = str(site.root / "restore.sh")
    for file, found in ((first.name, first), (relative, first), ("", second)):
        done = typed(site, "no", restore, *([file] if file else []), cwd=tmp_path)
        assert f"This puts {found.name} " in done.stderr
    newest.unlink()
