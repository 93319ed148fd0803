"""A restore that cannot end well touches nothing, or leads back by itself."""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import archive, console, envfile, fill, hold, manifest, settings
from stack.errors import Refused
from stack.fill import Source
from stack.manifest import DATABASE, Member
from stack.volumes import Place
from tests.support import contents, forgery, visitor
from tests.support.restoring import RESTORE, backed_up, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.site import Site, State

NOTES = (".stack/log/", ".stack/reports/", ".stack/history", ".stack/archives")
# A release to which some data is a trap. One springs only where there is a network: not in the trial.
TRAPPED = """
const fs = require('fs'), os = require('os'), file = '/data/payload.db'
const titles = new Set()
if (fs.existsSync(file)) {
  const database = new (require('node:sqlite').DatabaseSync)(file)
  try { for (const row of database.prepare('select title from posts').all()) titles.add(row.title) } catch {}
  if (titles.has('loses rows')) database.exec("delete from posts where title <> 'kept'")
  database.close()
}
console.error('the secret is ' + process.env.PAYLOAD_SECRET)
if (titles.has('exits')) process.exit(3)
if (titles.has('exits on a network') && Object.keys(os.networkInterfaces()).length > 1) process.exit(3)
if (titles.has('hangs')) setInterval(() => {}, 1000)
else require('./server.js')
"""


@pytest.fixture(scope="module")
def live(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("refused")
    site.build_on(image, f"CMD {json.dumps(['node', '-e', TRAPPED])}")
    site.deploy()
    return site


@pytest.fixture(scope="module")
def sound(live: Site) -> Path:
    """Give an archive that could be restored, of a site that is newer by now."""
    editor = visitor.editor(live)
    for title in ("kept", "trap"):
        editor.publish(title)
    editor.upload("kept.png", visitor.picture())
    path = backed_up(live)
    editor.publish("newer")
    editor.upload("newer.png", visitor.picture((1, 2, 3)))
    return path


@pytest.fixture
def site(live: Site, sound: Path) -> Iterator[Site]:
    """Give a site that has newer content than the archive, and see that a restore did not touch it."""
    before, seen = untouched(live), contents.of(live)
    yield live
    assert untouched(live) == before
    assert contents.of(live) == seen
    assert live.is_healthy()


def untouched(site: Site) -> State:
    """Return the site's state without what is written about every attempt."""
    state = site.state()
    return replace(state, files={n: total for n, total in state.files.items() if not n.startswith(NOTES)})


def of_another_site(sound: Path, target: Path) -> Path:
    return forgery.written(sound, target, site="another")


def cut_off(sound: Path, target: Path) -> Path:
    target.write_bytes(sound.read_bytes()[:-100])
    return target


def with_a_bit_flipped(sound: Path, target: Path) -> Path:
    data = bytearray(sound.read_bytes())
    data[len(data) // 2] ^= 4
    target.write_bytes(data)
    return target


def with_an_empty_database(sound: Path, target: Path) -> Path:
    database, rows = forgery.emptied(sound, target.with_suffix(".db"))
    return forgery.written(sound, target, database=database, rows=rows)


def with_a_corrupt_database(sound: Path, target: Path) -> Path:
    return forgery.written(sound, target, database=forgery.corrupted(sound, target.with_suffix(".db")))


def with_other_rows(sound: Path, target: Path) -> Path:
    rows = archive.check(sound).rows
    return forgery.written(sound, target, rows={**rows, "posts": rows["posts"] + 1})


def with_no_database(sound: Path, target: Path) -> Path:
    return forgery.written(sound, target, database=b"something else")


def without_a_manifest(sound: Path, target: Path) -> Path:
    database = target.with_suffix(".db")
    database.write_bytes(contents.member(sound, DATABASE))
    with tarfile.open(target, "w:gz") as packed:
        packed.add(database, DATABASE)
    return target


def of_something_else(_: Path, target: Path) -> Path:
    target.write_text("It never was an archive.")
    return target


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (of_another_site, "is of another site: another"),
        (cut_off, "it is cut short"),
        (with_a_bit_flipped, r"is damaged|was changed after it was made"),
        (with_an_empty_database, "holds an empty database"),
        (with_a_corrupt_database, "it is corrupt"),
        (with_other_rows, "does not hold what its manifest says"),
        (with_no_database, "file is not a database"),
        (without_a_manifest, "there is no manifest.json in it"),
        (of_something_else, "is not a backup archive"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_an_archive_is_refused_and_nothing_touched(
    made: Callable[[Path, Path], Path], said: str, site: Site, sound: Path, tmp_path: Path
) -> None:
    path = made(sound, tmp_path / f"{made.__name__}.tar.zst")
    done = site.run(*RESTORE, str(path))
    assert done.returncode == 23, done.stderr
    assert re.search(said, done.stderr)
    assert done.stdout == ""


def test_an_archive_of_a_newer_format_is_refused_and_nothing_touched(
    site: Site, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(manifest, "FORMAT", 2)
        path = forgery.written(sound, tmp_path / "newer.tar.zst")
    done = site.run(*RESTORE, str(path))
    assert done.returncode == 23, done.stderr
    assert "was made by a newer version of this tool" in done.stderr


def test_an_archive_of_another_site_is_accepted_by_its_name(site: Site, sound: Path, tmp_path: Path) -> None:
    path = of_another_site(sound, tmp_path / "another.tar.zst")
    done = typed(site, "not now", "./restore.sh", str(path), "--from-site", "another")
    assert f"This puts {path.name} of " in done.stderr


def test_a_restore_that_nobody_confirms_is_not_begun(site: Site) -> None:
    done = site.run("./restore.sh")
    assert done.returncode == 2, done.stderr
    assert "nobody is here to confirm it" in done.stderr


def test_another_name_than_the_sites_confirms_nothing(site: Site) -> None:
    done = typed(site, "yes", "./restore.sh")
    assert done.returncode == 2, done.stderr
    assert f"Type the site's name, {site.name}, to go on:" in done.stderr
    assert "that is not the site's name" in done.stderr


@pytest.mark.parametrize(
    "flags", [("--db-only", "--media-only"), ("--undo", "--db-only"), ("--undo", "some.tar.zst")]
)
def test_flags_that_contradict_each_other_are_a_mistake(flags: tuple[str, ...], site: Site) -> None:
    assert site.run(*RESTORE, *flags).returncode == 2


def test_an_archive_that_is_not_there_and_an_undo_of_nothing_are_refused(site: Site) -> None:
    for argument, said in (("nowhere.tar.zst", "there is no archive"), ("--undo", "no restore to undo")):
        done = site.run(*RESTORE, argument)
        assert done.returncode == 11, done.stderr
        assert said in done.stderr


def test_a_volume_that_somebody_else_writes_is_left_alone(site: Site) -> None:
    now, name = settings.load(site.root), f"{site.name}-other"
    options = ("--rm", "--network", "none", "--volume", f"{now.db_volume}:/data", "--entrypoint", "sleep")
    other = site.run("docker", "run", "--detach", "--name", name, *options, now.gate_image, "60")
    assert other.returncode == 0, other.stderr
    try:
        done = site.run(*RESTORE)
    finally:
        site.run("docker", "rm", "--force", name)
    assert done.returncode == 11, done.stderr
    assert f"is used by container {name}" in done.stderr


def test_an_environment_file_that_is_wrong_ends_a_restore_before_it_begins(site: Site) -> None:
    file = site.root / ".env.production"
    before = file.read_text()
    file.write_text(f"{before}PAYLOAD_SECRET=short\n")
    done = site.run(*RESTORE)
    file.write_text(before)
    assert done.returncode == 10, done.stderr


def test_an_archive_that_takes_more_room_than_there_is_makes_no_volume(
    site: Site, sound: Path, engine: DockerClient
) -> None:
    """The claim of a manifest counts, before a byte is written."""
    told, now = archive.check(sound), settings.load(site.root)
    huge = replace(told, members=(*told.members, Member("media/huge.mov", 1 << 60, "0" * 64)))
    place = Place(now.app_image, "/data/payload.db", f"{site.name}_huge-db", f"{site.name}_huge-media")
    with pytest.raises(Refused, match="not enough room for the new volumes"), console.step("Fill") as step:
        fill.filled(engine, now, place, Source(sound, huge), step)


def trap(title: str, sound: Path, directory: Path) -> Path:
    """Make an archive of data that the release cannot live with."""
    database = forgery.retitled(sound, directory / "trap.db", "trap", title)
    return forgery.written(sound, directory / "trap.tar.zst", database=database)


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("exits", "the release does not work on this data"),
        ("hangs", "the release does not work on this data"),
        ("loses rows", "rows are gone from posts (2 -> 1)"),
    ],
)
def test_a_release_that_does_not_work_on_the_archived_data_is_found_out_in_the_trial(
    title: str, said: str, site: Site, sound: Path, tmp_path: Path
) -> None:
    env = (site.root / ".env").read_text()
    site.set(START_LIMIT="4")
    done = site.run(*RESTORE, str(trap(title, sound, tmp_path)))
    (site.root / ".env").write_text(env)
    assert done.returncode == 11, done.stderr
    assert f"the trial failed: {said}" in done.stderr
    assert_reported(site, done.stderr, said)


def test_a_release_that_fails_only_in_earnest_leads_back_by_itself(
    live: Site, sound: Path, tmp_path: Path
) -> None:
    seen, volumes = contents.of(live), contents.volumes(live)
    env = envfile.read(live.root / ".env")
    done = live.run(*RESTORE, str(trap("exits on a network", sound, tmp_path)))
    assert done.returncode == 20, done.stderr
    assert "the site is up and healthy, its data as before" in done.stderr
    assert live.is_healthy()
    assert contents.of(live) == seen
    assert contents.volumes(live) == volumes
    assert envfile.read(live.root / ".env") == env
    assert not hold.is_held(settings.load(live.root))
    assert_reported(live, done.stderr, "does not answer on the new volumes")


def assert_reported(site: Site, told: str, what: str) -> None:
    """See that the report is named, says what happened, and gives no secret away."""
    (named,) = re.findall(r"^report: (.+)$", told, re.MULTILINE)
    report = Path(named).read_text()
    assert Path(named).parent == site.root / ".stack" / "reports"
    assert what in report
    assert "the secret is [PAYLOAD_SECRET]" in report
    assert envfile.read(site.root / ".env.production")["PAYLOAD_SECRET"] not in report + told
