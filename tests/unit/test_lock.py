"""One operation at a time, with real processes."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import lock, run, settings
from stack.errors import Locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.settings import Settings

HOLDER = """
import subprocess, sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
from stack import lock, settings

with lock.held(settings.load(Path(sys.argv[1])), "deploy"):
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    print(child.pid, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(site: Settings) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock until its input ends, and has started a child."""
    program = HOLDER.format(checkout=str(Path(lock.__file__).resolve().parents[1]))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, site.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline().strip().isdigit()
        try:
            yield process
        finally:
            process.kill()


def test_the_second_is_told_at_once_who_is_at_work(site: Settings) -> None:
    with another_process(site) as holder:
        began = time.monotonic()
        with pytest.raises(Locked) as refusal, lock.held(site, "stop"):
            pytest.fail("two operations at once")
        assert time.monotonic() - began < 0.5
        assert refusal.value.code == 12
        assert "shop" in refusal.value.what
        assert re.fullmatch(
            rf"deploy, process {holder.pid}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC", refusal.value.why
        )


def test_the_lock_goes_with_a_holder_that_is_killed(site: Settings) -> None:
    with another_process(site) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with lock.held(site, "stop"):
            assert "stop, process" in (site.state / "lock").read_text()


def test_a_child_of_a_killed_holder_does_not_keep_it(site: Settings) -> None:
    go, end = os.pipe()  # the child lives as long as `end` is open here
    program = HOLDER.format(checkout=str(Path(lock.__file__).resolve().parents[1]))
    program = program.replace('["cat"], stdin=subprocess.PIPE', f'["cat"], stdin={go}')
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, site.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[go],
    ) as holder:
        os.close(go)
        assert holder.stdout
        child = int(holder.stdout.readline())
        holder.kill()
        holder.wait()
        os.kill(child, 0)  # it lives
        with lock.held(site, "stop"):
            pass
        os.close(end)


def test_it_is_free_again_after_success_and_after_failure(site: Settings) -> None:
    with lock.held(site, "deploy"):
        pass
    with pytest.raises(ValueError, match="broken"), lock.held(site, "deploy"):
        raise ValueError("broken")
    with lock.held(site, "deploy"):
        pass


def test_it_does_not_open_twice_in_one_process_either(site: Settings) -> None:
    with lock.held(site, "deploy"), pytest.raises(Locked), lock.held(site, "stop"):
        pytest.fail("two operations at once")


def test_another_site_is_not_held_up(site: Settings, tmp_path: Path) -> None:
    (tmp_path / "other" / "app").mkdir(parents=True)
    with lock.held(site, "deploy"), lock.held(settings.load(tmp_path / "other"), "deploy"):
        pass


def test_what_the_tool_keeps_is_closed_to_others(site: Settings) -> None:
    with lock.held(site, "deploy"):
        assert stat.S_IMODE(site.state.stat().st_mode) == 0o700


def test_only_the_latest_operation_is_named(site: Settings) -> None:
    with lock.held(site, "a-verb-with-a-long-name"):
        pass
    with lock.held(site, "stop"):
        assert (site.state / "lock").read_text().count("\n") == 1
        assert (site.state / "lock").read_text().startswith("stop, ")


# --- patience ----------------------------------------------------------------------------------


def test_who_is_patient_gets_it_when_its_holder_ends(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with another_process(site) as holder:

        def sleep(_: float) -> None:
            holder.kill()
            holder.wait()

        monkeypatch.setattr(time, "sleep", sleep)
        with lock.held(site, "resume", patience=30):
            assert (site.state / "lock").read_text().startswith("resume, ")


def test_patience_has_an_end_and_tells_the_holder_too(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    with another_process(site) as holder:
        with pytest.raises(Locked, match="another operation") as refusal, lock.held(site, "x", patience=30):
            pytest.fail("two operations at once")
        assert f"deploy, process {holder.pid}" in refusal.value.why
    assert naps == [0.1, 0.1]


# --- who only looks ----------------------------------------------------------------------------


def test_whether_it_is_held_can_be_seen_without_taking_it(site: Settings) -> None:
    assert not lock.is_held(site)
    assert not site.state.exists()
    with another_process(site):
        assert lock.is_held(site)
    assert not lock.is_held(site)
    with lock.held(site, "deploy"):
        assert lock.is_held(site)
        assert (site.state / "lock").read_text().startswith("deploy, ")


# --- what a holder has started -----------------------------------------------------------------

STARTER = """
import sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
from stack import lock, run, settings

with lock.held(settings.load(Path(sys.argv[1])), "restore"):
    {start}
"""
STARTS = {
    "streaming": "with run.streaming({argv!r}) as it: print(it.process.pid, flush=True); it.output.read()",
    "capture": "run.capture({argv!r})",
    "follow": "run.follow({argv!r}, on_line=print, secrets={{}})",
}


@pytest.mark.parametrize("how", STARTS)
def test_what_a_killed_holder_has_started_keeps_it_until_its_end(
    how: str, site: Settings, tmp_path: Path
) -> None:
    """Nobody may begin while the `docker compose up` of a killed operation is still at work."""
    ready, go = tmp_path / "ready", tmp_path / "go"
    os.mkfifo(ready)
    os.mkfifo(go)
    argv = ["sh", "-c", f"echo $$ >{ready}; read x <{go}"]
    program = STARTER.format(
        checkout=str(Path(lock.__file__).resolve().parents[1]), start=STARTS[how].format(argv=argv)
    )
    started = [sys.executable, "-W", "ignore", "-c", program, str(site.root)]
    with subprocess.Popen(started, stdout=subprocess.DEVNULL) as holder:
        child = int(ready.read_text())
        holder.kill()
    os.kill(child, 0)  # it lives
    assert lock.is_held(site)
    with pytest.raises(Locked), lock.held(site, "resume"):
        pytest.fail("it began beside what the killed one has started")
    go.write_text("on\n")
    with lock.held(site, "resume", patience=20):
        assert (site.state / "lock").read_text().startswith("resume, ")


def test_once_it_is_free_what_is_started_does_not_keep_it(site: Settings) -> None:
    with lock.held(site, "restore"):
        pass
    with run.streaming(["cat"]), lock.held(site, "stop"):
        pass
