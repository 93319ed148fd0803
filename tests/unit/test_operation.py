"""One operation from its first step to its last, with its journal on the disk."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import envfile, journal, lock, operation
from stack.errors import Broken, Locked
from tests.unit.support.servers import Reply
from tests.unit.support.shop import IN_USE

if TYPE_CHECKING:
    from tests.unit.support.shop import Shop

# An operation that waits for a line in each step, and between its two steps.
STEPS = """
import sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
import docker
from stack import operation, settings

def wait(where):
    print(where, flush=True)
    sys.stdin.readline()

client = docker.DockerClient(base_url="tcp://127.0.0.1:1", version="1.51")  # nobody asks it anything
with operation.begun(client, settings.load(Path(sys.argv[1])), "backup") as backing_up:
    wait("begun")
    with backing_up.step("First"):
        wait("in the first")
    wait("after the first")
    backing_up.making(volumes=("shop_scratch",), files=(Path("/nowhere/part"),))
    with backing_up.step("Second"):
        backing_up.touching(serving=True)
        wait("in the second")
"""


# --- to its end --------------------------------------------------------------------------------


def test_an_operation_that_ends_well_leaves_no_journal_and_a_line_in_the_history(shop: Shop) -> None:
    with shop.operating() as restoring:
        assert journal.read(shop.site) == restoring.entry
        restoring.telling(restored="a.tar.zst")
    assert journal.read(shop.site) is None
    told = dict(shop.history)
    for time in (str(told.pop("began")), str(told.pop("ended"))):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time)
    assert told == {"id": restoring.id, "operation": "restore", "code": 0, "restored": "a.tar.zst"}
    assert shop.world.ran() == []


def test_each_operation_has_an_identity_of_its_own_that_sorts_by_time(shop: Shop) -> None:
    with shop.operating() as first:
        pass
    with shop.operating() as second:
        pass
    assert first.id != second.id
    assert first.id[:16] <= second.id[:16]
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", first.id)


def test_what_was_made_on_the_way_goes_at_the_end_too(shop: Shop, tmp_path: Path) -> None:
    part = tmp_path / "part"
    with shop.operating() as restoring:
        restoring.making(volumes=("shop_scratch",))
        restoring.making(files=(part,))
        part.touch()
        shop.has_scratch(Reply(204))
    assert not part.exists()
    assert "DELETE /volumes/shop_scratch" in shop.world.docker.asked


def test_a_volume_that_dotenv_names_by_now_stays(shop: Shop) -> None:
    shop.has_scratch(Reply(204))
    with shop.operating() as restoring:
        restoring.making(volumes=("shop_scratch",))
        envfile.write(shop.world.root / ".env", {"DB_VOLUME": "shop_scratch"})
    assert not [line for line in shop.world.docker.asked if line.startswith("DELETE")]


def test_what_is_told_is_kept_in_a_log_of_its_own_for_its_owner(shop: Shop) -> None:
    with shop.operating() as restoring, restoring.step("Fill new volumes") as step:
        step.say("12 MiB")
    (log,) = (shop.site.state / "log").iterdir()
    assert log.name == f"{restoring.id}-restore.log"
    assert re.fullmatch(r"\S+Z +Fill new volumes +\d+\.\d s  12 MiB\n", log.read_text())
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_one_operation_at_a_time(shop: Shop) -> None:
    with shop.operating() as first:
        with pytest.raises(Locked), shop.operating():
            pytest.fail("two at once")
        assert journal.read(shop.site) == first.entry
    with shop.operating():
        pass


@pytest.mark.parametrize("record", ["history", "scratch volume"])
def test_what_is_done_is_done_whatever_cannot_be_tidied(
    record: str, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.has_scratch(IN_USE)
    with shop.operating() as drilling:
        if record == "history":
            (shop.site.state / "history").mkdir()
        else:
            drilling.making(volumes=("shop_scratch",))
    told = capsys.readouterr().err
    assert ("volume is in use" in told, "it is not in the history" in told) == (
        record == "scratch volume",
        record == "history",
    )
    assert (journal.read(shop.site) is None) == (record == "history")  # the next operation tries again


def test_where_no_log_can_be_kept_nothing_is_begun(shop: Shop) -> None:
    shop.site.state.mkdir()
    (shop.site.state / "log").touch()
    with pytest.raises(FileExistsError), shop.operating():
        pytest.fail("it began")
    assert journal.read(shop.site) is None


# --- the journal -------------------------------------------------------------------------------


def test_the_journal_tells_where_an_operation_was_when_it_was_killed(shop: Shop) -> None:
    shop.site.state.mkdir()
    program = STEPS.format(checkout=str(Path(operation.__file__).resolve().parents[1]))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, shop.site.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        seen = []
        for _ in range(4):
            where = process.stdout.readline().strip()
            entry = journal.read(shop.site)
            assert entry
            seen.append((where, entry.step, entry.done, entry.serving, entry.volumes))
            if where == "in the second":
                process.kill()
            else:
                process.stdin.write("\n")
                process.stdin.flush()
        process.wait()
    assert seen == [
        ("begun", "", True, None, ()),
        ("in the first", "First", False, None, ()),
        ("after the first", "First", True, None, ()),
        ("in the second", "Second", False, True, ("shop_scratch",)),
    ]
    left = journal.read(shop.site)
    assert left
    assert (left.step, left.done, left.pid, left.files) == ("Second", False, process.pid, ("/nowhere/part",))


def test_what_a_killed_operation_left_is_made_good_before_the_next_begins(shop: Shop) -> None:
    with shop.operating() as killed:
        killed.touching(serving=True)
        entry = replace(killed.entry, step="Switch", done=False)
    journal.write(shop.site, entry)
    with shop.operating() as following:
        assert following.entry.serving is None
        assert shop.world.ran() == ["rm", "up"]
        assert shop.history["resumed"] is True
        assert shop.history["id"] == killed.id
    assert [told["code"] for told in journal.history(shop.site)] == [0, 20, 0]


@pytest.mark.parametrize("content", [b"", b'{"id": "1', b'{"format": 2}'], ids=["empty", "cut", "newer"])
def test_behind_a_journal_that_cannot_be_read_nothing_is_begun(content: bytes, shop: Shop) -> None:
    shop.site.state.mkdir()
    journal.path(shop.site).write_bytes(content)
    with pytest.raises(Broken) as refusal, shop.operating():
        pytest.fail("it began")
    assert refusal.value.code == 21
    assert journal.path(shop.site).read_bytes() == content
    assert shop.world.ran() == []
    assert journal.history(shop.site) == []
    assert not lock.is_held(shop.site)
