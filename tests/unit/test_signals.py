"""Interruptions, sent to real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(signals.__file__).resolve().parents[1]
BEGIN = f"""
import os, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
from stack import console, signals
def ready(): print("ready", flush=True)
"""
ENDING = ["SIGINT", "SIGTERM", "SIGHUP"]


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start programs that are not deaf to signals, as a shell's background jobs are, and wait for them."""
    started = []

    def start(program: str, *before: str) -> subprocess.Popen[str]:
        file = tmp_path / "program.py"
        file.write_text(BEGIN + program)
        argv = [*before, sys.executable, str(file)]
        process = subprocess.Popen(
            ["env", "--default-signal=INT,HUP,TERM", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ENDING)
def test_each_signal_that_ends_programs_interrupts_and_is_named(
    name: str, starting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = starting("""
try:
    with signals.heeded():
        ready()
        time.sleep(10)
except KeyboardInterrupt as interruption:
    print(interruption.args)
""")
    process.send_signal(signal.Signals[name])
    assert process.communicate(timeout=10)[0] == f"('{name}',)\n"


def test_the_way_back_is_not_interrupted_again(starting: Callable[..., subprocess.Popen[str]]) -> None:
    process = starting("""
with signals.heeded():
    try:
        ready()
        time.sleep(10)
    except KeyboardInterrupt:
        for number in signals.ENDING:
            os.kill(os.getpid(), number)
        print("back")
""")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert (out, process.returncode) == ("back\n", 0)
    assert "going on: what has begun must not be left half done" in err


@pytest.mark.parametrize("name", ENDING)
def test_what_must_not_be_left_half_done_is_finished(
    name: str, starting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = starting(f"""
with signals.heeded():
    with signals.ignored():
        os.kill(os.getpid(), signal.{name})
        ready()
    print("finished", flush=True)
    time.sleep(10)
""")
    assert process.stdout
    assert process.stdout.readline() == "finished\n"
    process.send_signal(signal.SIGINT)  # heeded again
    assert "KeyboardInterrupt" in process.communicate(timeout=10)[1]


def test_what_was_started_to_outlive_its_terminal_goes_on(
    starting: Callable[..., subprocess.Popen[str]],
) -> None:
    process = starting(
        """
with signals.heeded():
    ready()
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGHUP)
    print("finished")
""",
        "nohup",
    )
    assert process.communicate(timeout=10)[0] == "finished\n"


def test_an_operation_whose_progress_nobody_reads_any_more_ends(
    starting: Callable[..., subprocess.Popen[str]],
) -> None:
    process = starting("""
with signals.heeded():
    ready()
    sys.stdin.read()
    try:
        console.progress("nobody reads this")
    except KeyboardInterrupt as interruption:
        print(interruption.args)
""")
    assert process.stderr
    process.stderr.close()
    process.stderr = None
    assert process.communicate(timeout=10)[0] == "('SIGHUP',)\n"


def test_an_operation_on_its_way_back_does_not_mind_that_nobody_reads(
    starting: Callable[..., subprocess.Popen[str]],
) -> None:
    process = starting("""
with signals.heeded(), signals.ignored():
    ready()
    sys.stdin.read()
    console.progress("nobody reads this")
    with console.step("Back"):
        console.progress("nor this")
print("finished")
""")
    assert process.stderr
    process.stderr.close()
    process.stderr = None
    assert process.communicate(timeout=10)[0] == "finished\n"


def test_outside_an_operation_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals.heeded(), signals.ignored():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    signals.hang_up()  # would end this process
