"""Exit codes and last words that scripts rely on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invoke.collection import Collection
from invoke.exceptions import Exit, UnexpectedExit
from invoke.runners import Result
from invoke.tasks import task

import stack
import tasks
from stack import errors
from stack.cli import Stack
from stack.errors import Failure
from stack.operations.restore import Wish
from stack.operations.rollback import Wish as BackWish
from stack.rollout import Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.context import Context

ROOT = Path(tasks.__file__).resolve().parent
CODES = {
    errors.Usage: 2,
    errors.Invalid: 10,
    errors.Refused: 11,
    errors.Locked: 12,
    errors.Undone: 20,
    errors.Broken: 21,
    errors.Untrusted: 22,
    errors.Rejected: 23,
}
WAITS = """
import sys, time
sys.path.insert(0, {root!r})
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from stack import console
from stack.cli import main

@task
def wait(_: Context) -> None:
    with console.step("Wait"):
        print("ready", flush=True)
        time.sleep(30)

main(Collection(wait))
"""


def ends_with(argv: list[str], namespace: Collection = tasks.ns) -> object:
    """Run the command line in this process and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        Stack(version=stack.__version__, name="inv", binary="inv", namespace=namespace).run(["inv", *argv])
    return ended.value.code


def raising(trouble: BaseException) -> Collection:
    @task
    def go(_: Context) -> None:
        raise trouble

    return Collection(go)


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["nope"], "'nope'"),
        (["deploy", "--nope"], "'--nope'"),
        (["deploy", "extra"], "'extra'"),
        (["logs", "--since"], "since"),
        (["admin.create"], "'email'"),
        (["env"], "'env'"),
        (["--help", "nope"], "'nope'"),
        (["--nope"], "'--nope'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_line_without_sense_ends_with_2_and_explains_itself_on_stderr(
    argv: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(argv) == 2
    out, err = capsys.readouterr()
    what, why, fix = err.splitlines()
    assert what == "error: this command line makes no sense"
    assert why.startswith("  why: ")
    assert named in why
    assert fix == "  fix: `bin/inv --list`, `bin/inv --help TASK`"
    assert out == ""


def test_a_slip_of_the_pen_is_answered_with_the_nearest_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(["depoly"]) == 2
    assert "fix: did you mean `bin/inv deploy`?" in capsys.readouterr().err


def test_two_words_that_are_tasks_of_their_own_stay_two(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for each in ("bench.deploy", "bench.update", "update.update"):
        monkeypatch.setattr(f"stack.operations.{each}", lambda *_, each=each, **__: done.append(each))
    Stack(name="inv", binary="inv", namespace=tasks.ns).run(["inv", "bench", "update"])
    assert done == ["bench.deploy", "update.update"]


@pytest.mark.parametrize("argv", [["maintenance"], ["maintenance", "of"], ["maintenance", "--message", "on"]])
def test_maintenance_without_on_or_off_is_neither(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(argv) == 2
    assert "fix: did you mean `bin/inv maintenance.on`?" in capsys.readouterr().err


def test_a_flag_that_wants_a_number_and_gets_a_word_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ends_with(["logs", "--lines", "many"]) == 2
    assert "many" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--list"], ["--help"], ["--version"], ["--help", "deploy"], []])
def test_asking_what_there_is_ends_with_0_and_answers_on_stdout(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(argv) == 0
    out, err = capsys.readouterr()
    assert out.strip()
    assert err == ""


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    ends_with(["--version"])
    assert capsys.readouterr().out.split() == ["inv", stack.__version__]


@pytest.mark.parametrize(
    ("kind", "code"), CODES.items(), ids=lambda value: getattr(value, "__name__", str(value))
)
def test_each_failure_ends_with_the_code_that_is_promised(
    kind: type[Failure], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(["go"], raising(kind("it broke", why="it was old", fix="buy a new one"))) == code
    out, err = capsys.readouterr()
    assert err == "error: it broke\n  why: it was old\n  fix: buy a new one\n"
    assert out == ""


def test_no_failure_is_without_a_promised_code() -> None:
    assert set(Failure.__subclasses__()) == set(CODES)


def test_the_tree_of_failures_in_the_documentation_is_the_real_one() -> None:
    documented = [line.split() for line in (errors.__doc__ or "").splitlines() if "──" in line]
    assert {(words[1], int(words[2])) for words in documented} == {
        (kind.__name__, code) for kind, code in CODES.items()
    }


def test_an_error_shows_its_detail_first_so_that_the_reason_stands_last_on_the_screen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failure = errors.Refused("the build failed", why="no room", fix="make room", detail="line 1\nline 2\n\n")
    ends_with(["go"], raising(failure))
    assert capsys.readouterr().err.splitlines() == [
        "line 1",
        "line 2",
        "",
        "error: the build failed",
        "  why: no room",
        "  fix: make room",
    ]


@pytest.mark.parametrize(
    ("trouble", "code", "said"),
    [
        (Exit("last words", code=7), 7, "last words\n"),
        (Exit(code=3), 3, ""),
        (UnexpectedExit(Result(exited=9)), 9, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=["exit-with-message", "exit", "a-command-that-failed", "interrupt"],
)
def test_what_invoke_itself_ends_with_keeps_its_code(
    trouble: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(["go"], raising(trouble)) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", said)


def test_ctrl_c_ends_a_real_process_with_130_and_no_traceback(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(WAITS.format(root=str(ROOT)))
    # a job that a shell put into the background is born deaf to SIGINT
    argv = ["env", "--default-signal=INT", sys.executable, str(program), "wait"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Wait" in err
    assert "interrupted after" in err


@pytest.mark.parametrize("flag", ["--dry", "-R", "--echo", "--warn-only", "--command-timeout=5"])
def test_a_flag_of_invokes_that_nothing_heeds_is_refused_and_nothing_is_done(flag: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tasks.py", flag, "stop"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "has no meaning here" in done.stderr


def test_a_reader_that_goes_away_brings_no_traceback(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    waits = WAITS.format(root=str(ROOT))
    program.write_text(re.sub("print.*|time.sleep.*", "console.result('a line of a long list')", waits))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, program, "wait"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert "Wait" in done.stderr  # it went on to its end


def _remembering(calls: list[tuple[tuple[object, ...], dict[str, object]]]) -> Callable[..., str]:
    def operation(*arguments: object, **options: object) -> str:
        calls.append((arguments, options))
        return "20261122T181500Z-0123456789ab"

    return operation


@pytest.mark.parametrize(
    ("argv", "operation", "arguments", "options"),
    [
        (["deploy"], "deploy.deploy", (Terms(),), {"provision_first": False}),
        (["deploy", "--provision"], "deploy.deploy", (Terms(),), {"provision_first": True}),
        (
            ["deploy", "--accept-row-loss", "posts", "--accept-row-loss", "tags"],
            "deploy.deploy",
            (Terms(["posts", "tags"]),),
            {"provision_first": False},
        ),
        (["deploy", "--maintenance"], "deploy.deploy", (Terms(paged=True),), {"provision_first": False}),
        (["rollback"], "rollback.rollback", (BackWish(),), {}),
        (
            ["rollback", "--with-data", "1", "--yes"],
            "rollback.rollback",
            (BackWish("1", with_data=True, yes=True),),
            {},
        ),
        (
            ["rollback", "1", "--code-only", "--maintenance"],
            "rollback.rollback",
            (BackWish("1", code_only=True, paged=True),),
            {},
        ),
        (["maintenance.on"], "maintenance.on", ("",), {}),
        (["maintenance", "on", "--message", "Back at 8"], "maintenance.on", ("Back at 8",), {}),
        (["maintenance", "off"], "maintenance.off", (), {}),
        (["migrate", "status", "--json"], "migrate.status", (), {"as_json": True}),
        (["maintenance.off"], "maintenance.off", (), {}),
        (["deploy", "--plan", "--json"], "plan.deploy", (), {"as_json": True, "paged": False}),
        (["update", "--plan"], "plan.update", (), {"as_json": False, "paged": False}),
        (["provision"], "provision.provision", (), {}),
        (["stop"], "stop.stop", (), {}),
        (["restart"], "restart.restart", (), {}),
        (["logs"], "logs.logs", (), {"follow": False, "since": "", "lines": 100}),
        (
            ["logs", "--follow", "--since", "10m", "--lines=5"],
            "logs.logs",
            (),
            {"follow": True, "since": "10m", "lines": 5},
        ),
        (["status", "--json"], "status.status", (), {"as_json": True}),
        (["health"], "health.check", (), {}),
        (
            ["env.init", "--server-url", "https://a.example"],
            "env.init",
            (),
            {"server_url": "https://a.example"},
        ),
        (["env.check", "--json"], "env.check", (), {"as_json": True}),
        (["env.set", "SMTP_PASSWORD"], "env.set_value", ("SMTP_PASSWORD",), {}),
        (["admin.create", "me@example.com"], "admin.create", ("me@example.com",), {}),
        (
            ["test", "--unit", "--only", "lock"],
            "test.test",
            (),
            {"unit": True, "provision_first": False, "only": "lock"},
        ),
        (
            ["backup"],
            "backup.backup",
            (),
            {"db_only": False, "output": "", "drilled": False, "as_json": False},
        ),
        (
            ["backup", "--db-only", "--output", "/mnt", "--drill", "--json"],
            "backup.backup",
            (),
            {"db_only": True, "output": "/mnt", "drilled": True, "as_json": True},
        ),
        (["backups", "--json"], "backups.listed", (), {"as_json": True}),
        (["releases", "--json"], "releases.listed", (), {"as_json": True}),
        (["migrate.status", "--json"], "migrate.status", (), {"as_json": True}),
        (["history"], "releases.history", (), {"as_json": False}),
        (["resume"], "resume.resume", (), {}),
        (["bench", "--rounds", "3"], "bench.deploy", (), {"rounds": 3}),
        (["bench.update"], "bench.update", (), {"full": False, "proof_only": False, "picture": ""}),
        (
            ["bench.update", "--full", "--proof", "--picture", "ways.svg"],
            "bench.update",
            (),
            {"full": True, "proof_only": True, "picture": "ways.svg"},
        ),
        (["lint"], "lint.lint", (), {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_task_hands_its_flags_to_the_operation(
    argv: list[str],
    operation: str,
    arguments: tuple[object, ...],
    options: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []
    monkeypatch.setattr(f"stack.operations.{operation}", _remembering(calls))
    Stack(name="inv", binary="inv", namespace=tasks.ns).run(["inv", *argv])
    assert calls == [((ROOT, *arguments), options)]


def test_the_release_is_the_last_line_of_stdout_after_a_deploy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stack.operations.deploy.deploy", _remembering([]))
    Stack(name="inv", binary="inv", namespace=tasks.ns).run(["inv", "deploy"])
    assert capsys.readouterr() == ("20261122T181500Z-0123456789ab\n", "")


# --- the archive that stands alone -------------------------------------------------------------


def wished(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> Wish:
    """Return what `restore` is asked for."""
    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []
    monkeypatch.setattr("stack.operations.restore.restore", _remembering(calls))
    Stack(name="inv", binary="inv", namespace=tasks.ns).run(["inv", "restore", *argv])
    (((root, wish), _),) = calls
    assert root == ROOT
    assert isinstance(wish, Wish)
    return wish


@pytest.mark.parametrize(
    ("argv", "wish"),
    [
        ([], Wish()),
        (["a.tar.zst"], Wish("a.tar.zst")),
        (["--file", "a.tar.zst"], Wish("a.tar.zst")),
        (["--file=a.tar.zst"], Wish("a.tar.zst")),
        (["--yes", "a.tar.zst"], Wish("a.tar.zst", yes=True)),
        (["a.tar.zst", "--yes"], Wish("a.tar.zst", yes=True)),
        (["--db-only", "a.tar.zst", "--yes"], Wish("a.tar.zst", db_only=True, yes=True)),
        (["--media-only", "a.tar.zst"], Wish("a.tar.zst", media_only=True)),
        (["--undo", "--yes"], Wish(undo=True, yes=True)),
        (["--from-site", "museum"], Wish(from_site="museum")),
        (["--from-site=museum", "a.tar.zst"], Wish("a.tar.zst", from_site="museum")),
        (["--from-site", "museum", "a.tar.zst"], Wish("a.tar.zst", from_site="museum")),
        (["a.tar.zst", "--from-site", "museum"], Wish("a.tar.zst", from_site="museum")),
        (["../old backups/a=b.tar.zst"], Wish("../old backups/a=b.tar.zst")),
        (["restore"], Wish("restore")),
        (["./-odd.tar.zst"], Wish("./-odd.tar.zst")),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_an_archive_can_stand_alone_before_or_behind_flags(
    argv: list[str], wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wished(argv, monkeypatch) == wish


@pytest.mark.parametrize(
    ("argv", "arguments", "every"),
    [
        ([], "", False),
        (["a.tar.zst"], "a.tar.zst", False),
        (["--all"], "", True),
        (["--all", "a.tar.zst"], "a.tar.zst", True),
        (["--file=a.tar.zst"], "a.tar.zst", False),
    ],
    ids=str,
)
def test_an_archive_to_be_verified_can_stand_alone_too(
    argv: list[str], arguments: str, every: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []
    monkeypatch.setattr("stack.operations.backups.verify", _remembering(calls))
    Stack(name="inv", binary="inv", namespace=tasks.ns).run(["inv", "backups.verify", *argv])
    assert calls == [((ROOT, arguments, Path.cwd()), {"every": every})]


@pytest.mark.parametrize(
    "argv",
    [
        ["restore", "a.tar.zst", "b.tar.zst"],
        ["restore", "--file", "a.tar.zst", "b.tar.zst"],
        ["restore", "--file=a.tar.zst", "b.tar.zst"],
        ["restore", "a.tar.zst", "--file", "b.tar.zst"],
        ["restore", "a.tar.zst", "--file=b.tar.zst"],
        ["restore", "-f", "a.tar.zst", "b.tar.zst"],
        ["restore", ""],
        ["restore", "--file", ""],
        ["restore", "--yes", ""],
        ["backups.verify", ""],
        ["stop", "a.tar.zst"],
    ],
    ids=" ".join,
)
def test_a_restore_that_could_mean_two_archives_or_none_means_nothing(
    argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty word is what a script's unset variable leaves: it is not the wish for the newest archive."""
    for operation in ("restore.restore", "backups.verify", "stop.stop"):
        calls: list[tuple[tuple[object, ...], dict[str, object]]] = []
        monkeypatch.setattr(f"stack.operations.{operation}", _remembering(calls))
    assert ends_with(argv) == 2
    assert calls == []
