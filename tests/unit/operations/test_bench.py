"""Measuring a deploy: what is compared with what."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stack.errors import Refused
from stack.operations import bench

if TYPE_CHECKING:
    from tests.unit.support.programs import Programs


@pytest.fixture
def inv(checkout: Path, programs: Programs) -> Programs:
    """Give a `bin/inv` and a `docker` that remember."""
    programs.add("docker")
    programs.add("inv")
    (checkout / "bin").mkdir()
    (checkout / "bin" / "inv").symlink_to(programs.directory / "inv")
    return programs


def test_both_run_in_turns_after_one_deploy_that_does_not_count(
    checkout: Path, inv: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.deploy(checkout, rounds=2)
    assert inv.calls("inv") == [["deploy"], *[["deploy"], ["--list"]] * 2]
    assert [call[-1] for call in inv.calls("docker")] == ["--wait"] * 2
    lines = capsys.readouterr().out.splitlines()
    assert [line[:20].rstrip() for line in lines] == [
        "compose up --wait",
        "deploy",
        "inv --list",
        "goal for deploy",
    ]
    assert all(re.search(r" +\d+\.\d\d s", line) for line in lines)


def test_a_command_that_fails_is_no_measurement(checkout: Path, inv: Programs) -> None:
    inv.add("inv", complains="error: no engine\n", code=11)
    with pytest.raises(Refused, match="deploy` failed") as refusal:
        bench.deploy(checkout, rounds=1)
    assert refusal.value.why == "error: no engine"


@pytest.fixture
def tests(checkout: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Give a Python that measures instead of running tests, in an environment that has all of them."""
    monkeypatch.setattr(sys, "executable", str(programs.directory / "python"))
    monkeypatch.setattr(sys, "prefix", str(programs.directory))
    for place in (checkout, programs.directory):
        (place / "requirements-dev.txt").write_text("pytest==1\n")
    return programs


def test_what_visitors_saw_is_printed_under_its_heading(
    checkout: Path, tests: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    tests.add("python", 'while [ "$1" != --tables ]; do shift; done; echo "| 1 | good |" >"$2/updates.md"')
    bench.update(checkout, full=False)
    assert capsys.readouterr().out == "## Updates under load\n\n| 1 | good |\n\n"


@pytest.mark.parametrize(
    ("chosen", "files", "options"),
    [
        ({"full": False}, [bench.UNDER_LOAD, *bench.PROOF], []),
        ({"full": True}, [bench.UNDER_LOAD, *bench.PROOF], ["--full"]),
        ({"full": True, "proof_only": True}, bench.PROOF, ["--full"]),
        ({"full": False, "picture": "ways.svg"}, [bench.UNDER_LOAD, *bench.PROOF], ["--picture", "ways.svg"]),
    ],
)
def test_what_is_chosen_is_measured(
    chosen: dict[str, Any], files: list[str], options: list[str], checkout: Path, tests: Programs
) -> None:
    tests.add("python")
    bench.update(checkout, **chosen)
    (call,) = tests.calls("python")
    assert call[: len(files) + 3] == ["-m", "pytest", *files, "--tables"]
    assert call[len(files) + 4 :] == ["--proof", *options]


def test_every_file_that_measures_exists() -> None:
    root = Path(bench.__file__).parents[2]
    assert [file for file in (bench.UNDER_LOAD, *bench.PROOF) if not (root / file).is_file()] == []


def test_an_update_that_breaks_a_promise_is_no_good_measurement(checkout: Path, tests: Programs) -> None:
    tests.add("python", code=1)
    with pytest.raises(Refused, match="did not keep what is promised"):
        bench.update(checkout, full=False)
