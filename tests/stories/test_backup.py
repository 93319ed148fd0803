"""What `./backup.sh` promises: where the archive is, whose it is, what is in it, what is proven of it."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import subprocess
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from docker.errors import NotFound

from stack import archive, envfile
from stack.engine import containers
from tests.support import archived, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.site import Site

PICTURE = visitor.picture()
TITLE = "committed, and then it was killed"
IN_THE_WAL_ONLY = f"grep -q '{TITLE}' /data/payload.db-wal && ! grep -q '{TITLE}' /data/payload.db"


@pytest.fixture(scope="module")
def kept(sibling: Callable[..., Site]) -> Site:
    site = sibling("kept")
    site.deploy()
    visitor.editor(site).upload("red.png", PICTURE)
    return site


@pytest.fixture
def site(kept: Site) -> Iterator[Site]:
    """Give a healthy site with a picture; afterwards nothing is beside it, and nothing is unfinished."""
    before = kept.state()
    yield kept
    assert kept.state().volumes == before.volumes
    assert [name for name in archived.archives(kept) if name.endswith(".part")] == []
    assert not (kept.root / ".stack" / "journal").exists()
    assert ".backup" not in archived.listed(kept)
    kept.compose("up", "--detach", "--wait")
    assert kept.compose("ps", "--all", "--services").split() == ["app", "gate"]


def test_the_last_line_is_the_path_of_an_archive_for_its_owner_only(site: Site, tmp_path: Path) -> None:
    before = site.state()
    done = site.run("./backup.sh")
    path = archived.path_of(done)
    assert done.stdout == f"{path}\n"
    assert path.parent == site.root / "backups"
    assert re.fullmatch(rf"{site.name}-\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}}\.tar\.zst", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "read back" in done.stderr
    assert (site.state().containers, site.is_healthy()) == (before.containers, True)
    found = archived.opened(path, tmp_path).manifest
    assert (found.site, found.release) == (site.name, site.status()["release"])
    sums = {member.name: member.sha256 for member in found.members}
    assert sums["media/red.png"] == hashlib.sha256(PICTURE).hexdigest()


def test_tar_alone_unpacks_it(site: Site, tmp_path: Path) -> None:
    path = archived.path_of(site.run("./backup.sh"))
    (tmp_path / "plain.tar").write_bytes(archived.unpacked(path))
    subprocess.run(["tar", "-xf", "plain.tar"], cwd=tmp_path, check=True)
    assert (tmp_path / "media" / "red.png").read_bytes() == PICTURE
    assert json.loads((tmp_path / "manifest.json").read_text())["format"] == 1


def test_without_the_media_it_is_the_database_alone(site: Site, tmp_path: Path) -> None:
    found = archived.backed_up(site, tmp_path, "--db-only")
    assert [member.name for member in found.manifest.members] == ["database/payload.db"]
    assert found.manifest.media is False
    assert found.values("select filename from media") == ["red.png"]


def test_json_is_all_that_stdout_carries(site: Site) -> None:
    done = site.run("./backup.sh", "--json")
    told = json.loads(done.stdout)
    path = Path(told["archive"])
    assert archive.check(path).total > 0
    assert (told["size"], told["rows"]["media"]) == (path.stat().st_size, 1)
    assert told["missing_media"] == told["skipped"] == []


def test_another_directory_gets_the_archive_instead(site: Site, tmp_path: Path) -> None:
    before = archived.archives(site)
    path = archived.path_of(site.run("./backup.sh", "--output", str(tmp_path)))
    assert list(tmp_path.iterdir()) == [path]
    archive.check(path)
    assert archived.archives(site) == before


@pytest.mark.parametrize("afterwards", ["", "the stack is stopped", "its -shm is gone too"])
def test_what_a_killed_application_left_in_its_wal_is_in_the_archive(
    afterwards: str, site: Site, tmp_path: Path
) -> None:
    post = visitor.editor(site).publish(TITLE)
    site.compose("kill", "--signal", "KILL", "app")
    if afterwards:
        assert site.run("./stop.sh").returncode == 0
    if "-shm" in afterwards:
        archived.beside(site, "rm /data/payload.db-shm")
    archived.beside(site, IN_THE_WAL_ONLY)
    before = archived.listed(site)
    found = archived.backed_up(site, tmp_path)
    assert post in found.values("select id from posts")
    assert archived.listed(site) == before
    assert archived.beside(site, "find /data -user root") == ""


def test_the_archives_are_listed_with_what_is_known_of_each(site: Site) -> None:
    path = archived.path_of(site.run("./backup.sh"))
    newest = json.loads(site.inv("backups", "--json").stdout)[0]
    assert newest["archive"] == str(path)
    assert newest["size"] == path.stat().st_size
    assert newest["release"] == site.status()["release"]
    assert 0 <= newest["age"] < 60
    assert (newest["damaged"], newest["proven"]) == (False, None)
    told = site.inv("backups").stdout.splitlines()
    assert told[0].split() == ["archive", "age", "size", "holds", "verified", "proven", "release"]
    assert path.name in told[1]
    assert re.search(r" all +\d+ s ago +never ", told[1])


def test_a_damaged_archive_is_told_and_shown_as_damaged(site: Site) -> None:
    first, second = (archived.path_of(site.run("./backup.sh")) for _ in range(2))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    newest = site.inv("backups.verify")
    assert (newest.returncode, newest.stdout) == (0, f"{second}\n")
    every = site.inv("backups.verify", "--all")
    first_named = site.inv("backups.verify", first.name)
    assert (every.returncode, first_named.returncode) == (23, 23)
    assert str(second) in every.stdout
    assert str(first) not in every.stdout + first_named.stdout
    assert f"error: {first.name} " in every.stderr
    told = {line.split()[0]: line for line in site.inv("backups").stdout.splitlines()}
    assert "DAMAGED" in told[first.name]
    assert "DAMAGED" not in told[second.name]
    first.unlink()


def test_a_drill_proves_a_restore_and_leaves_nothing(site: Site) -> None:
    before = site.state()
    done = site.run("./backup.sh", "--drill")
    path = archived.path_of(done)
    assert re.search(r"  Trial +[\d.]+ s  answers after [\d.]+ s, no row lost", done.stderr)
    listed = json.loads(site.inv("backups", "--json").stdout)
    assert {found["archive"] for found in listed if found["proven"]} == {str(path)}
    assert site.state().containers == before.containers
    assert site.state().volumes == before.volumes


def test_no_secret_of_the_site_is_anywhere(site: Site, engine: DockerClient) -> None:
    with watched(site, engine) as seen:
        done = site.run("./backup.sh", "--drill")
    path = archived.path_of(done)
    kept = [file.read_bytes() for file in (site.root / ".stack").rglob("*") if file.is_file()]
    assert {"reader", "filler"} <= {found.rpartition(" ")[2] for found in seen}
    assert any("--eval" in found for found in seen)
    everything = b"\n".join(
        [
            done.stdout.encode(),
            done.stderr.encode(),
            path.read_bytes(),
            archived.unpacked(path),
            *kept,
            *map(str.encode, seen),
        ]
    )
    secrets = {
        value
        for key, value in envfile.read(site.root / ".env.production").items()
        if re.search("SECRET|KEY", key)
    }
    assert len(secrets) == 2
    assert [secret for secret in secrets if secret.encode() in everything] == []


@contextmanager
def watched(site: Site, engine: DockerClient) -> Iterator[set[str]]:
    """Collect command lines of this machine, and what the engine tells of containers beside the site."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.update(command_lines())
            seen.update(beside(site, engine))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def command_lines() -> Iterator[str]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            yield file.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def beside(site: Site, engine: DockerClient) -> Iterator[str]:
    """Give all that the engine tells of the reader and the filler, each with its service at the end."""
    labels = [f"{containers.PROJECT}={site.name}", f"{containers.ONE_OFF}=True"]
    for found in engine.containers.list(all=True, sparse=True, filters={"label": labels}):
        with suppress(NotFound):
            told = engine.api.inspect_container(str(found.id))
            service = told["Config"]["Labels"][containers.SERVICE]
            if service != "trial":  # it is the application, with the application's environment
                yield f"{json.dumps(told)} {service}"
