"""What an operator sees: progress on stderr, the result on stdout."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from stack import console
from stack.errors import Refused


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_on_stderr(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal there; not a fixture, because pytest's own capture comes after those."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return made


def test_only_the_result_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console.progress("at work")
    console.warn("careful")
    console.error("error: broken")
    console.result("shop:1")
    assert capsys.readouterr() == ("shop:1\n", "at work\nwarning: careful\nerror: broken\n")


def test_what_is_recorded_is_in_the_transcript_and_not_told_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with console.transcript(tmp_path / "log"):
        console.record("error: broken")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ error: broken\n", (tmp_path / "log").read_text())
    assert capsys.readouterr() == ("", "")


def test_a_result_for_scripts_is_json_in_the_order_of_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    console.result_json({"b": 1, "a": None})
    out = capsys.readouterr().out
    assert json.loads(out) == {"b": 1, "a": None}
    assert out.index('"b"') < out.index('"a"')


def test_a_step_is_one_line_with_its_time_and_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    with console.step("Network proxy") as step:
        step.progress("not shown where nobody watches")
        step.say("created")
    with console.step("Start"):
        pass
    assert re.fullmatch(
        r"  Network proxy {22} +\d\.\d s  created\n  Start {30} +\d\.\d s\n", capsys.readouterr().err
    )


def test_a_step_that_fails_says_so_and_lets_the_error_through(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused), console.step("Build"):
        raise Refused("what", why="why", fix="fix")
    assert re.fullmatch(r"  Build +failed after +\d\.\d s\n", capsys.readouterr().err)


def test_a_step_that_is_interrupted_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), console.step("Build"):
        raise KeyboardInterrupt
    assert "interrupted after" in capsys.readouterr().err


def test_no_colours_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    console.warn("careful")
    console.error("detail\n\nerror: broken\n  why: old")
    assert "\033" not in capsys.readouterr().err


def test_on_a_terminal_the_error_is_red_and_its_detail_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on_stderr(monkeypatch)
    console.error("line of a log\n\nerror: broken\n  why: old")
    assert terminal.getvalue() == "line of a log\n\n\033[31merror: broken\033[0m\n  why: old\n"


def test_on_a_terminal_a_step_shows_what_is_going_on(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on_stderr(monkeypatch)
    with console.step("Build") as step:
        step.progress("#12 [builder 3/9] RUN npm run build " + "x" * 100)
    assert "Build" in terminal.getvalue()
    assert re.search(r"  Build {30} +\d\.\d s\n$", terminal.getvalue())


def test_brackets_of_a_build_are_not_taken_for_colours() -> None:
    shown: list[str] = []
    console.Step("Build", show=shown.append).progress("[red]x[/red] [builder 3/9]")
    assert shown == [r"Build  [dim]\[red]x\[/red] \[builder 3/9][/dim]"]


def test_a_reader_that_went_away_does_not_stop_an_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering=1) as gone:  # noqa: PTH123 - a descriptor has no path
        monkeypatch.setattr(sys, "stderr", gone)
        try:
            with console.step("Start"):
                pass
        finally:
            os.dup2(os.open(os.devnull, os.O_WRONLY), writer)


# --- transcripts -------------------------------------------------------------------------------


def test_a_transcript_is_plain_text_with_the_time_of_each_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    terminal = terminal_on_stderr(monkeypatch)
    with console.transcript(tmp_path / "log"):
        console.warn("careful")
        console.error("error: broken\n  why: old")
        with console.step("Build") as step:
            step.progress("#12 [builder 3/9] RUN npm run build")
            step.say("shop:1")
    assert "\033[33m" in terminal.getvalue()
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        rf"{time} warning: careful\n{time} error: broken\n  why: old\n{time}   Build +\d\.\d s  shop:1\n",
        (tmp_path / "log").read_text(),
    )


def test_a_transcript_has_what_is_told_while_it_is_kept_and_not_the_result(tmp_path: Path) -> None:
    console.progress("before")
    with console.transcript(tmp_path / "log"):
        console.progress("meanwhile")
        console.result("backups/shop.tar.zst")
    console.progress("after")
    assert re.fullmatch(r"\S+Z meanwhile\n", (tmp_path / "log").read_text())


def test_a_transcript_is_on_the_disk_while_the_operation_goes_on(tmp_path: Path) -> None:
    with console.transcript(tmp_path / "log"):
        console.progress("one")
        assert "one" in (tmp_path / "log").read_text()


def test_a_transcript_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with console.transcript(tmp_path / "log"):
            console.progress(text)
    assert [line.split()[1] for line in (tmp_path / "log").read_text().splitlines()] == ["first", "second"]


def test_a_name_that_is_no_text_is_no_obstacle(tmp_path: Path) -> None:
    with console.transcript(tmp_path / "log"):
        console.progress(os.fsdecode(b"media/\xff.png"))
    assert r"media/\udcff.png" in (tmp_path / "log").read_text()


def test_a_full_disk_ends_the_transcript_and_not_the_operation(capsys: pytest.CaptureFixture[str]) -> None:
    with console.transcript(Path("/dev/full")):
        with console.step("Back to the old release"):
            pass
        console.progress("going on")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "  /dev/full tells no more: No space left on device"
    assert told[1].startswith("  Back to the old release")
    assert told[2:] == ["going on"]


def test_a_failure_on_a_full_disk_is_the_one_that_is_told() -> None:
    failure = Refused("the archive cannot be written", why="no room", fix="make room")
    with pytest.raises(Refused) as ended, console.transcript(Path("/dev/full")), console.step("Database"):
        raise failure
    assert ended.value is failure
