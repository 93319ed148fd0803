"""Processes: real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stack import run
from stack.errors import Refused

ROOT = Path(run.__file__).resolve().parents[1]
ALL = dict(os.environ)


def python(program: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"]


# --- capture -----------------------------------------------------------------------------------


def test_what_a_command_says_and_how_it_ends_is_captured() -> None:
    done = run.capture(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.out, done.err, done.code, done.ok) == ("out\n", "err\n", 3, False)
    assert run.capture(["true"]).ok


def test_no_argument_is_interpreted_by_a_shell(tmp_path: Path) -> None:
    argument = f"$(touch {tmp_path}/canary); `touch {tmp_path}/canary` | * 'x"
    done = run.capture(["printf", "%s", argument])
    assert done.out == argument
    assert not list(tmp_path.iterdir())


def test_a_command_can_be_shown_as_one_would_type_it() -> None:
    assert run.Result(("echo", "two words", "it's"), 0, "", "").command == """echo 'two words' 'it'"'"'s'"""


def test_a_command_gets_nothing_of_the_terminal() -> None:
    ours, (reader, writer) = os.dup(0), os.pipe()
    os.write(writer, b"typed by the operator\n")
    os.close(writer)
    os.dup2(reader, 0)
    try:
        assert run.capture(["cat"]).out == ""
    finally:
        os.dup2(ours, 0)
        os.close(ours)
        os.close(reader)


def test_a_command_runs_where_and_with_what_it_is_told(tmp_path: Path) -> None:
    done = run.capture(["sh", "-c", "pwd; echo $ONLY $HOME"], cwd=tmp_path, env={"ONLY": "this"})
    assert done.out == f"{tmp_path}\nthis\n"


def test_output_that_is_not_text_is_no_obstacle() -> None:
    assert run.capture(["printf", r"\377ok"]).out == "\ufffdok"


def test_a_command_that_takes_too_long_counts_as_124() -> None:
    began = time.monotonic()
    done = run.capture(["sleep", "30"], timeout=0.05)
    assert done.code == 124
    assert "no answer within" in done.err
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "start",
    [
        run.capture,
        lambda argv: run.follow(argv, on_line=print, secrets={}),
        lambda argv: run.become(argv, cwd=Path.cwd(), env=ALL),
        lambda argv: run.attached(argv, cwd=Path.cwd(), env=ALL),
        run.capture_bytes,
        lambda argv: run.piped(argv, cwd=Path.cwd(), env=ALL).__enter__(),
    ],
    ids=["capture", "follow", "become", "attached", "capture_bytes", "piped"],
)
def test_a_program_that_is_not_here_is_refused_by_name(
    start: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(start)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(Refused, match="the program `no-such-program` is not here"):
        start(["no-such-program", "--version"])


def test_a_program_that_may_not_be_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "docker").touch(mode=0o644)
    with pytest.raises(Refused):
        run.capture([str(tmp_path / "docker")])


def test_a_directory_that_is_gone_is_not_called_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="gone") as trouble:
        run.capture(["true"], cwd=tmp_path / "gone")
    assert "program `true`" not in str(trouble.value)


# --- capture_bytes -----------------------------------------------------------------------------


def test_bytes_arrive_as_they_are() -> None:
    assert run.capture_bytes(["printf", r"\377\000\n"]) == b"\xff\x00\n"


def test_bytes_of_a_command_that_failed_are_an_error_of_ours() -> None:
    with pytest.raises(Refused):
        run.capture_bytes(["false"])


# --- follow ------------------------------------------------------------------------------------


def test_each_line_is_handed_on_while_the_command_goes_on(tmp_path: Path) -> None:
    seen: list[str] = []
    answer = tmp_path / "answer"
    os.mkfifo(answer)

    def on_line(line: str) -> None:
        seen.append(line)
        if line == "first":  # the command waits for this
            answer.write_text("go on\n")

    done = run.follow(["sh", "-c", f"echo first; read x <{answer}; echo $x >&2"], on_line=on_line, secrets={})
    assert seen == ["first", "go on"]
    assert (done.ok, done.err) == (True, "first\ngo on")


def test_the_last_40_lines_are_kept_for_the_report() -> None:
    seen: list[str] = []
    done = run.follow(["sh", "-c", "seq 100; exit 7"], on_line=seen.append, secrets={})
    assert seen == [str(n) for n in range(1, 101)]
    assert done.err.splitlines() == seen[-40:]
    assert done.code == 7


def test_secrets_are_taken_out_of_what_is_shown_and_of_what_is_kept() -> None:
    seen: list[str] = []
    secrets = {"PAYLOAD_SECRET": "0123456789abcdef"}
    done = run.follow(["echo", "key 0123456789abcdef!"], on_line=seen.append, secrets=secrets)
    assert seen == ["key [PAYLOAD_SECRET]!"]
    assert done.err == seen[0]


def test_a_line_that_is_drawn_over_itself_counts_as_lines() -> None:
    seen: list[str] = []
    run.follow(["printf", r"10%%\r100%%\n\377\n"], on_line=seen.append, secrets={})
    assert seen == ["10%", "100%", "\ufffd"]


def test_a_reader_that_fails_does_not_leave_the_command_behind() -> None:
    def on_line(line: str) -> None:
        pids.append(int(line))
        raise ValueError(line)

    pids: list[int] = []
    with pytest.raises(ValueError, match=r"\d+"):
        run.follow(["sh", "-c", "while echo $$; do :; done"], on_line=on_line, secrets={})
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


# --- piped -------------------------------------------------------------------------------------


def test_lines_go_to_and_fro_while_the_command_runs() -> None:
    with run.piped(["sh", "-c", "read x; echo $x >&2; cat; exit 3"], cwd=Path.cwd(), env=ALL) as piped:
        piped.tell("first")
        said = piped.said()
        assert next(said) == "first"
        assert piped.runs
        piped.tell("second")
        assert next(said) == "second"
        assert piped.end() == 3
        assert not piped.runs


def test_who_has_ended_cannot_be_told_anything() -> None:
    with run.piped(["true"], cwd=Path.cwd(), env=ALL) as piped:
        assert list(piped.said()) == []
        piped.process.wait()
        with pytest.raises(BrokenPipeError):
            piped.tell("too late")


def test_a_piped_command_is_out_of_the_reach_of_ctrl_c() -> None:
    with run.piped(["sh", "-c", "ps -o sid= -p $$; cat"], cwd=Path.cwd(), env=ALL) as piped:
        assert int(next(piped.said())) == piped.process.pid


def test_a_piped_command_that_does_not_end_with_its_input_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GRACE", 0.05)
    with run.piped(["sh", "-c", "sleep 60; :"], cwd=Path.cwd(), env=ALL) as piped:
        assert piped.end() is None
    assert piped.process.returncode == -signal.SIGKILL


# --- attached, become, detach ------------------------------------------------------------------


def test_an_attached_command_has_our_own_output(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run.attached(["sh", "-c", "pwd; exit 5"], cwd=tmp_path, env=ALL) == 5
    assert capfd.readouterr().out == f"{tmp_path}\n"


def test_becoming_a_command_keeps_process_number_and_signals(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from stack import run
here = Path({str(tmp_path)!r})
run.become(["sh", "-c", 'echo $$ $ONLY; pwd; exec sleep 60'], cwd=here, env={{"ONLY": "this"}})
"""
    with subprocess.Popen(python(program), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == f"{process.pid} this\n"
        assert process.stdout.readline() == f"{tmp_path}\n"
        process.send_signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM


def test_a_detached_command_outlives_its_starter_in_a_session_of_its_own(tmp_path: Path) -> None:
    go, log = tmp_path / "go", tmp_path / "log"
    os.mkfifo(go)
    log.write_text("before\n")
    child = f"echo $$ $(ps -o sid= -p $$); pwd; read x <{go}; echo $x; echo err >&2; echo >{go}"
    program = f"""
import warnings; warnings.simplefilter("ignore")
from pathlib import Path
from stack import run
run.detach(["sh", "-c", {child!r}], log=Path({str(log)!r}))
"""
    done = subprocess.run(python(program), capture_output=True, text=True, check=True, timeout=20)
    go.write_text("still here\n")  # waits until the command reads
    go.read_text()  # waits until it has ended
    before, ids, place, *rest = log.read_text().splitlines()
    pid, session = ids.split()
    assert before == "before"
    assert pid == session
    assert place == "/"
    assert rest == ["still here", "err"]
    assert done.stdout == ""
