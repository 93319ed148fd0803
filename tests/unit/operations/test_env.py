"""`inv env.init`, `inv env.check`, `inv env.set` and `inv logs`."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import envfile, inputs, run
from stack.errors import Invalid, Usage
from stack.operations.env import check, init, set_value
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from tests.unit.support.programs import Programs
    from tests.unit.support.world import World


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


ROOT = Path(run.__file__).resolve().parents[1]


def test_a_new_file_is_named_on_stdout_and_passes_the_check(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(checkout, server_url="https://shop.example.com")
    file = checkout / ".env.production"
    assert capsys.readouterr() == (f"{file}\n", "")
    check(checkout, as_json=False)
    assert capsys.readouterr().out == f"{file} is fine\n"
    check(checkout, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"file": str(file), "problems": []}


def test_problems_are_told_to_scripts_too_and_the_code_is_the_same(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(checkout, server_url="")
    file = checkout / ".env.production"
    file.write_text(file.read_text().replace("PORT=3000", "PORT=8080"))
    capsys.readouterr()
    for as_json in (False, True):
        with pytest.raises(Invalid) as refusal:
            check(checkout, as_json=as_json)
        assert refusal.value.code == 10
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["key"], problem["message"]) == ("PORT", "is not 3000")
    assert problem["hint"]


def told(checkout: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return what scripts are told of a file that is refused."""
    capsys.readouterr()
    with pytest.raises(Invalid):
        check(checkout, as_json=True)
    problems: list[dict[str, object]] = json.loads(capsys.readouterr().out)["problems"]
    assert all(list(problem) == ["level", "key", "line", "message", "hint"] for problem in problems)
    return problems


def test_a_file_that_is_missing_is_a_problem_for_scripts_too(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (problem,) = told(checkout, capsys)
    assert str(problem["message"]).startswith("the file is missing: PAYLOAD_SECRET is not set")


def test_a_file_that_cannot_be_read_is_told_to_scripts_with_all_else(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(checkout, server_url="")
    with (checkout / ".env.production").open("a") as file:
        file.write("A B=hunter2\nPAYLOAD_DROP_DATABASE=true\nS3='hunter2\n")
    problems = told(checkout, capsys)
    assert [(problem["level"], problem["key"]) for problem in problems] == [
        ("error", ""),
        ("error", "PAYLOAD_DROP_DATABASE"),
        ("error", ""),
    ]
    assert "hunter2" not in json.dumps(problems)


def test_warnings_are_told_on_stderr_and_do_not_fail(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(checkout, server_url="http://shop.example.com")
    capsys.readouterr()
    check(checkout, as_json=False)
    out, err = capsys.readouterr()
    assert out == f"{checkout / '.env.production'} is fine, with 1 warning(s)\n"
    assert "NEXT_PUBLIC_SERVER_URL: is public but not https" in err


def test_without_compose_all_else_is_checked_and_that_is_said(
    checkout: Path, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    init(checkout, server_url="")
    programs.alone()
    capsys.readouterr()
    check(checkout, as_json=False)
    assert "could not be compared with what Compose reads" in capsys.readouterr().err
    (checkout / ".env.production").write_text("PORT=8080\n")
    assert sorted(str(problem["level"]) for problem in told(checkout, capsys)) == [*["error"] * 5, "warning"]


@pytest.mark.parametrize(("built_with", "rebuild"), [("another", True), ("", False), ("the same", False)])
def test_public_values_that_are_not_those_of_the_live_image_need_a_rebuild(
    built_with: str, rebuild: bool, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    init(world.root, server_url="")
    world.has_deployed(OLD)
    if built_with == "the same":
        built_with = inputs.env_fingerprint(envfile.read(world.root / ".env.production"))
    world.docker.has_image(OLD, labels={"env-fingerprint": built_with})
    check(world.root, as_json=False)
    assert ("rebuild needed" in capsys.readouterr().err) is rebuild


# --- set ---------------------------------------------------------------------------------------


def say(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize("said", ["hunter2 $x\n", "hunter2 $x", "hunter2 $x\r\n"])
def test_a_value_comes_from_a_pipe_and_is_never_shown(
    said: str, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init(checkout, server_url="")
    capsys.readouterr()
    say(monkeypatch, said)
    set_value(checkout, "SMTP_PASSWORD")
    file = checkout / ".env.production"
    assert envfile.read(file)["SMTP_PASSWORD"] == "hunter2 $x"
    assert capsys.readouterr() == (
        f"{file}\n",
        "SMTP_PASSWORD is set; `./deploy.sh` takes it to the site\n",
    )


def test_on_a_terminal_a_value_is_asked_for_without_an_echo(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init(checkout, server_url="")
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(
        "getpass.getpass", lambda asked: f"https://{asked.partition(':')[0].lower()[:4]}.example"
    )
    set_value(checkout, "NEXT_PUBLIC_SERVER_URL")
    assert envfile.read(checkout / ".env.production")["NEXT_PUBLIC_SERVER_URL"] == "https://next.example"
    assert "`./deploy.sh` builds the image anew with it" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["", "A B", "A=1", "1A", "A-B", "Ä"])
def test_what_is_no_name_is_refused_and_not_shown_because_it_can_hold_a_value(
    key: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(checkout, server_url="")
    say(monkeypatch, "x\n")
    with pytest.raises(Usage) as refusal:
        set_value(checkout, key)
    assert not key or key not in str(refusal.value)


@pytest.mark.parametrize(("said", "why"), [("", "stdin is empty"), ("a\nb\n", "more than one line")])
def test_a_value_is_exactly_one_line(
    said: str, why: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(checkout, server_url="")
    before = (checkout / ".env.production").read_text()
    say(monkeypatch, said)
    with pytest.raises(Usage, match=why):
        set_value(checkout, "KEY")
    assert (checkout / ".env.production").read_text() == before


def test_bytes_that_are_no_text_are_refused(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init(checkout, server_url="")
    for given in (io.TextIOWrapper(io.BytesIO(b"\xff\n"), "utf-8"), io.StringIO("\udcff\n")):
        monkeypatch.setattr("sys.stdin", given)
        with pytest.raises(Usage, match="is not text"):
            set_value(checkout, "KEY")


def test_an_empty_line_sets_an_empty_value(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init(checkout, server_url="")
    say(monkeypatch, "\n")
    set_value(checkout, "SMTP_HOST")
    assert envfile.read(checkout / ".env.production")["SMTP_HOST"] == ""


# --- logs --------------------------------------------------------------------------------------


def test_logs_become_those_of_compose(checkout: Path, programs: Programs) -> None:
    programs.add("docker", 'pwd; echo "$COMPOSE_PROJECT_NAME"')
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom stack.operations.logs import logs\n"
        f"logs(Path({str(checkout)!r}), follow=True, since='10m', lines=5)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{checkout}\nshop\n"
    (call,) = programs.calls("docker")
    assert " ".join(call) == "compose logs --timestamps --tail 5 --follow --since 10m app gate"
