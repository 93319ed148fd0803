"""The copy of a stopped database from before an update: whole, and put back wherever that was cut off.

What an update does with it is told by other stories.
"""

from __future__ import annotations

import itertools
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from stack import compose, settings, volumes
from stack.volumes import Place, Unsound
from tests.support.archived import DATABASE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stack.run import Streams
    from tests.support.site import Site

ID = "20261123T051558Z-0a1b2c3d"
SCRIPT = "\n".join((volumes.INSIDE / f"{name}.mjs").read_text() for name in ("database", "keep"))
OPENED = "const d = new (require('node:sqlite').DatabaseSync)(process.argv[1]); d.exec(process.argv[2])"
KILLED = f"{OPENED}; process.kill(process.pid, 'SIGKILL')"
OLD = """
create table posts (title text); pragma journal_mode = wal; pragma wal_autocheckpoint = 0;
insert into posts values ('one'), ('two')
"""
MIGRATED = """
delete from posts; create table pages (title text); pragma wal_checkpoint; insert into pages values ('one')
"""
LARGE = "insert into posts values (hex(zeroblob(50000)))"  # more than SQLite takes beside it
# Kills itself in place of the nth thing it does to the disk.
MORTAL = """
let left = Number(process.argv.pop())
for (const name of ['copyFileSync', 'fsyncSync', 'linkSync', 'mkdirSync', 'renameSync', 'rmSync']) {
  const real = fs[name]
  fs[name] = (...given) => {
    if (left-- === 0) process.kill(process.pid, 'SIGKILL')
    return real(...given)
  }
}
"""
# Is killed at the first step, and done again; then at the second, and so on: until it came to its end.
AT_EACH_STEP = """
code=137; n=0
cd /data; mkdir before; mv payload.db* before; [ ! -e .releases ] || mv .releases before
while [ $code = 137 ]; do
  rm -rf now; cp -a before now
  code=0; echo | node --input-type=module --eval "$1" "$3" ID /data/now/payload.db $n >said 2>&1 || code=$?
  [ $code = 0 ] || echo | node --input-type=module --eval "$2" "$3" ID /data/now/payload.db >said
  echo "ended with $code, at step $n: $(cat said)"
  (cd now; find . -type f ! -name '*-shm' | sort | xargs sha256sum)
  n=$((n + 1))
done
"""
Sums = dict[str, str]


@dataclass(frozen=True)
class Data:
    """A volume, read and written past the tool in containers like those that the tool has beside a site."""

    site: Site
    place: Place

    def beside(self, script: str, *arguments: str, code: int = 0) -> str:
        argv = compose.beside("reader", ["sh", "-euc", script, "sh", *arguments])
        done = self.site.run(*argv, env=self.place.variables)
        assert done.returncode == code, done.stderr
        return done.stdout

    def write(self, sql: str) -> None:
        self.beside('node -e "$1" /data/payload.db "$2"', OPENED, sql)

    def write_and_die(self, sql: str) -> None:
        """Leave a log that nobody has taken into the database yet."""
        self.beside('node -e "$1" /data/payload.db "$2"', KILLED, sql, code=137)

    def sums(self) -> Sums:
        """Return the sum of each file below the volume, but for what SQLite makes anew."""
        told = self.beside("cd /data; find . -type f ! -name '*-shm' | sort | xargs sha256sum")
        return _sums(told.splitlines())

    @contextmanager
    def keeping(self, verb: str, identity: str = ID, *others: str) -> Iterator[Streams]:
        site = settings.load(self.site.root)
        arguments = (verb, identity, self.place.database, *others)
        with volumes.running(site, self.place, "reader", "keep", *arguments) as process:
            assert verb != "keep" or volumes.heard(process) == {"ready": True}
            yield process

    def keep(self, identity: str = ID, *others: str) -> dict[str, Any]:
        with self.keeping("keep", identity, *others) as process:
            volumes.say(process, b"\n")
            return volumes.heard(process)

    def put_back(self) -> None:
        with self.keeping("put-back") as process:
            volumes.heard(process)


def _sums(lines: list[str]) -> Sums:
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def below(directory: str, sums: Sums) -> Sums:
    """Return the sums of what lies directly in a directory."""
    places = {name: name.rpartition("/") for name in sums}
    return {place[2]: sums[name] for name, place in places.items() if place[0] == directory}


def live(sums: Sums) -> Sums:
    return below(".", sums)


def kept(sums: Sums, identity: str = ID) -> Sums:
    return below(f"./.releases/{identity}", sums)


def refused(sums: Sums) -> Sums:
    found = below(f"./.releases/{ID}.put-back", sums)
    return {name.replace("refused", "payload"): digest for name, digest in found.items()}


@pytest.fixture(scope="module")
def ground(sibling: Callable[..., Site]) -> Site:
    """Give a site that is never started."""
    return sibling("kept")


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def empty(ground: Site, image: str, numbers: Iterator[int]) -> Data:
    """Give a volume of its own, which belongs to the application's user."""
    named = f"{ground.name}_payload-db-{next(numbers)}", f"{ground.name}_media-uploads"
    data = Data(ground, Place(image, DATABASE_FILE, *named))
    done = ground.run(*compose.beside("filler", ["true"]), env=data.place.variables)
    assert done.returncode == 0, done.stderr
    return data


@pytest.fixture
def data(empty: Data) -> Data:
    """Give a database whose application was killed: some of it stands in the write-ahead log only."""
    empty.write_and_die(OLD)
    assert set(live(empty.sums())) == {"payload.db", "payload.db-wal"}
    return empty


# --- keep --------------------------------------------------------------------------------------


def test_the_copy_is_the_stopped_database_with_its_log_byte_for_byte(data: Data) -> None:
    before = live(data.sums())
    size = int(data.beside("cat /data/payload.db /data/payload.db-wal | wc -c"))
    assert data.keep() == {"kept": size}
    after = data.sums()
    assert (live(after), kept(after)) == (before, before)
    assert data.beside(f"stat -c %a /data/.releases /data/.releases/{ID}").split() == ["700", "700"]


def test_it_is_made_when_it_is_asked_for_and_not_before(data: Data) -> None:
    with data.keeping("keep") as process:
        data.write_and_die("insert into posts values ('until the end')")
        assert ".releases" not in data.beside("ls -A /data")
        volumes.say(process, b"\n")
        volumes.heard(process)
    after = data.sums()
    assert kept(after) == live(after)


def test_copies_that_are_not_named_are_dropped_before_it_is_made(data: Data) -> None:
    for identity, *others in (("a",), ("b", "a"), ("c", "a", "b")):
        data.keep(identity, *others)
    assert data.beside("ls /data/.releases").split() == ["a", "b", "c"]
    with data.keeping("keep", ID, "b", "not there"):
        assert data.beside("ls /data/.releases").split() == ["b"]


def test_one_that_is_not_asked_for_is_not_made(data: Data) -> None:
    """As when the operation was killed while the application stopped."""
    before = data.sums()
    told = data.beside('node --input-type=module --eval "$1" keep ID /data/payload.db', SCRIPT, code=3)
    assert json.loads(told.splitlines()[-1])["refused"] == "cut-off"
    assert data.sums() == before


def test_a_database_without_a_log_of_its_own_gets_one_and_its_copy_has_none(empty: Data) -> None:
    empty.write("create table posts (title text)")
    before = live(empty.sums())
    empty.keep()
    assert kept(empty.sums()) == before
    mode = OPENED.replace("d.exec(process.argv[2])", "console.log(d.prepare('pragma journal_mode').get())")
    assert "'wal'" in empty.beside('node -e "$1" /data/payload.db', mode)
    empty.put_back()
    assert live(empty.sums()) == before


def test_a_database_that_is_not_there_is_told(empty: Data) -> None:
    with pytest.raises(Unsound, match="there is no such file"):
        empty.keep()


# --- put back ----------------------------------------------------------------------------------


def test_what_was_kept_comes_back_byte_for_byte_and_what_was_refused_stays_readable(data: Data) -> None:
    before = live(data.sums())
    data.keep()
    data.write_and_die(MIGRATED)
    bad = live(data.sums())
    assert bad.keys() == before.keys()
    assert not bad.items() & before.items()
    data.put_back()
    after = data.sums()
    assert (live(after), refused(after), kept(after)) == (before, bad, {})
    assert "payload.db-shm" not in data.beside("ls -A /data")


def test_done_again_it_takes_nothing_that_was_written_since(data: Data) -> None:
    data.keep()
    data.write(MIGRATED)
    data.put_back()
    data.write_and_die("insert into posts values ('since')")
    since = data.sums()
    data.put_back()
    assert data.sums() == since


def test_a_log_that_the_bad_release_left_does_not_get_into_what_comes_back(empty: Data) -> None:
    empty.write("create table posts (title text); pragma journal_mode = wal")
    before = live(empty.sums())
    empty.keep()
    empty.write_and_die(MIGRATED)
    assert set(live(empty.sums())) == {"payload.db", "payload.db-wal"}
    empty.put_back()
    assert live(empty.sums()) == before


def test_where_nothing_was_kept_the_database_stays_and_that_is_told(data: Data) -> None:
    before = data.sums()
    with pytest.raises(Unsound, match="there is no such file"):
        data.put_back()
    assert data.sums() == before


def test_to_put_it_back_needs_no_room(ground: Site, image: str) -> None:
    script = """
    node -e "$2" /small/payload.db "$3" || [ $? = 137 ]
    cp /small/payload.db* /tmp
    echo | node --input-type=module --eval "$1" keep ID /small/payload.db
    node -e "$2" /small/payload.db "$4" || [ $? = 137 ]
    ! dd if=/dev/zero of=/small/rest bs=1k 2>/dev/null
    ! echo more >/small/more 2>/dev/null || exit 3
    rm /small/more
    node --input-type=module --eval "$1" put-back ID /small/payload.db
    cmp /tmp/payload.db /small/payload.db; cmp /tmp/payload.db-wal /small/payload.db-wal
    """
    tmpfs = "--tmpfs", "/small:size=1m,mode=1777", "--tmpfs", "/tmp:mode=1777"  # noqa: S108 - in a container
    argv = "docker", "run", "--rm", "--network", "none", *tmpfs, image, "sh", "-euc", script, "sh"
    done = ground.run(*argv, SCRIPT, KILLED, f"{OLD}; {LARGE}", MIGRATED)
    assert done.returncode == 0, done.stderr


# --- wherever it is killed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "left_behind"), [("keep", "a log"), ("put-back", "a log"), ("put-back", "none")]
)
def test_killed_at_any_step_and_done_again_it_is_as_if_it_was_done_once(
    verb: str, left_behind: str, data: Data
) -> None:
    if verb == "put-back":
        data.keep(identity="ID")
        (data.write_and_die if left_behind == "a log" else data.write)(MIGRATED)
    mortal = SCRIPT.replace("// VERB ID", f"{MORTAL}// VERB ID")
    told = data.beside(AT_EACH_STEP, mortal, SCRIPT, verb)
    *killed, whole = re.split(r"^ended with .*\n", told, flags=re.MULTILINE)[1:]
    assert len(killed) > 8
    assert set(killed) == {whole}, told
    assert re.findall("ended with ([0-9]+)", told) == ["137"] * len(killed) + ["0"]
