"""Streams of bytes to and from processes: real ones."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stack import run, signals
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUBBORN = ["sh", "-c", "trap '' TERM; echo; while :; do read x || sleep 1; done"]


class Heirs:
    """A pipe that all processes keep open which are started while it is watched, and those they start."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def are_gone(self) -> bool:
        os.close(self.writer)
        ended, _, _ = select.select([self.reader], [], [], 5)  # its end comes with that of the last of them
        os.close(self.reader)
        return bool(ended)


@pytest.fixture
def heirs() -> Iterator[Heirs]:
    """Watch what is started."""
    watched = Heirs()
    with run.keeping(watched.writer):
        yield watched


def leave_early(argv: list[str], trouble: BaseException) -> subprocess.Popen[bytes]:
    """Start ``argv``, wait for its first line, and leave it with trouble."""
    seen: list[subprocess.Popen[bytes]] = []

    def leave() -> None:
        with run.streaming(argv) as streams:
            seen.append(streams.process)
            streams.output.readline()
            raise trouble

    with pytest.raises(type(trouble)) as left:
        leave()
    assert left.value is trouble
    return seen[0]


def test_bytes_go_to_and_fro_as_they_are() -> None:
    with run.streaming(["cat"]) as streams:
        for data in (b"\xff\0\n", b"x" * (1 << 20)):
            streams.input.write(data[: 1 << 14])
            streams.input.flush()
            assert streams.output.read(len(data[: 1 << 14])) == data[: 1 << 14]
    assert streams.process.returncode == 0


def test_a_process_runs_where_and_with_what_it_is_told(tmp_path: Path) -> None:
    with run.streaming(["sh", "-c", "pwd; echo $ONLY $HOME"], cwd=tmp_path, env={"ONLY": "this"}) as streams:
        assert streams.output.read().decode() == f"{tmp_path}\nthis\n"


def test_what_is_left_at_the_end_is_read_so_that_the_process_can_end() -> None:
    with run.streaming(["sh", "-c", "head -c 1000000 /dev/zero; exit 3"]) as streams:
        assert streams.output.read(1) == b"\0"
    assert streams.process.returncode == 3


def test_a_process_is_out_of_the_reach_of_ctrl_c() -> None:
    with run.streaming(["sh", "-c", "ps -o sid= -p $$"]) as streams:
        assert int(streams.output.read()) == streams.process.pid


@pytest.mark.parametrize(
    "trouble", [ValueError("ours"), KeyboardInterrupt("SIGINT")], ids=["error", "ctrl-c"]
)
def test_who_leaves_early_ends_the_process_and_what_it_has_started(
    trouble: BaseException, heirs: Heirs
) -> None:
    assert leave_early(["sh", "-c", "sleep 60 >/dev/null & echo; sleep 60"], trouble).returncode == -15
    assert heirs.are_gone()


def test_a_process_that_is_deaf_is_killed(monkeypatch: pytest.MonkeyPatch, heirs: Heirs) -> None:
    monkeypatch.setattr(run, "GRACE", 0.05)
    assert leave_early(STUBBORN, ValueError("ours")).returncode == -9
    assert heirs.are_gone()


def test_a_process_that_does_not_end_with_its_input_is_ended(
    monkeypatch: pytest.MonkeyPatch, heirs: Heirs
) -> None:
    monkeypatch.setattr(run, "GRACE", 0.05)
    with pytest.raises(Refused, match="does not end"), run.streaming(STUBBORN) as streams:
        streams.output.readline()
    assert heirs.are_gone()


def test_ctrl_c_while_a_process_begins_ends_what_was_started(
    monkeypatch: pytest.MonkeyPatch, heirs: Heirs
) -> None:
    really = subprocess.Popen.__init__

    def interrupted(self: subprocess.Popen[bytes], *arguments: object, **options: object) -> None:
        really(self, *arguments, **options)  # type: ignore[call-overload]
        os.kill(os.getpid(), 2)

    monkeypatch.setattr(subprocess.Popen, "__init__", interrupted)
    with signals.heeded(), pytest.raises(KeyboardInterrupt), run.streaming(["sleep", "60"]):
        pytest.fail("nobody heeded it")
    assert heirs.are_gone()


def test_a_program_that_is_not_here_is_refused_by_name() -> None:
    with (
        pytest.raises(Refused, match="the program `no-such-program` is not here"),
        run.streaming(["no-such-program"]),
    ):
        pytest.fail("it runs")


# --- complaints --------------------------------------------------------------------------------

OF_NODE = """\
node:fs:573
  return binding.open(
                 ^

Error: EACCES: permission denied, open '/data/payload.db'
    at Object.openSync (node:fs:573:18)
    at [eval1]:3:4 {
  errno: -13,
  code: 'EACCES'
}

Node.js v24.11.0
"""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (OF_NODE, "Error: EACCES: permission denied, open '/data/payload.db'"),
        ("first\n  last words  \n\n", "last words"),
        ("Error response from daemon: no such image\nhint\n", "Error response from daemon: no such image"),
        (r"\377", "\ufffd"),
        ("", "exit code 7"),
    ],
    ids=["node", "last", "engine", "not-text", "silence"],
)
def test_of_what_a_process_complains_the_line_that_says_most_is_told(said: str, line: str) -> None:
    command = ["sh", "-c", 'printf "$0" >&2; exit 7', said.replace("%", "%%")]
    with run.streaming(command) as streams:
        assert streams.complaint() == line


def test_a_long_complaint_does_not_keep_a_process_from_ending() -> None:
    with run.streaming(["sh", "-c", "head -c 1000000 /dev/zero >&2; echo >&2; echo why >&2"]) as streams:
        assert streams.output.read() == b""
        assert streams.complaint() == "why"


# --- what is kept open -------------------------------------------------------------------------


def test_what_is_kept_goes_to_all_that_is_started_meanwhile_and_to_nothing_after(tmp_path: Path) -> None:
    look = ["sh", "-c", "readlink /proc/self/fd/$0 || true"]
    with (tmp_path / "lock").open("w") as file:
        ask = [*look, str(file.fileno())]
        with run.keeping(file.fileno()):
            inside = run.capture(ask).out.strip()
            with run.streaming(ask) as streams:
                streamed = streams.output.read().decode().strip()
        assert (inside, streamed) == (str(tmp_path / "lock"),) * 2
        assert run.capture(ask).out == ""


def test_what_was_kept_is_let_go_of_after_a_failure_too() -> None:
    with pytest.raises(ValueError, match="ours"), run.keeping(sys.stdout.fileno()):
        raise ValueError("ours")
    assert run._kept == []
