"""`inv env.init`, `inv env.check` and `inv logs`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import run
from stack.errors import Invalid
from stack.operations.env import check, init

if TYPE_CHECKING:
    from tests.unit.support.programs import Programs

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


def test_a_file_that_is_missing_is_a_problem_for_scripts_too(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Invalid, match="is missing"):
        check(checkout, as_json=True)
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 4


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
