"""Measuring a deploy: what is compared with what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from stack.errors import Refused
from stack.operations import bench

if TYPE_CHECKING:
    from pathlib import Path

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
