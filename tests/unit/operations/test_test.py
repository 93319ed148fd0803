"""`inv test` and `inv lint`: which tools run, and that one that objects is not overheard."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from stack.errors import Refused
from stack.operations import lint, test

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.programs import Programs


@pytest.fixture
def tools(checkout: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Give an environment whose Python and tools remember, with the tools of the pins installed."""
    for name in ("python", "shellcheck", "hadolint", "compose-lint"):
        programs.add(name)
    monkeypatch.setattr(sys, "executable", str(programs.directory / "python"))
    monkeypatch.setattr(sys, "prefix", str(programs.directory))
    (checkout / "requirements-dev.txt").write_text("pytest==1\n")
    (programs.directory / "requirements-dev.txt").write_text("pytest==1\n")
    return programs


def ran(tools: Programs) -> list[str]:
    return [" ".join(call) for call in tools.calls("python")]


def test_all_tests_are_measured_and_their_coverage_is_insisted_on(checkout: Path, tools: Programs) -> None:
    test.test(checkout, unit=False, provision_first=False, only="")
    assert ran(tools) == [
        "-m coverage erase",
        "-m coverage run -m pytest tests",
        "-m coverage combine --quiet",
        "-m coverage report",
    ]


@pytest.mark.parametrize(
    ("unit", "only", "command"),
    [
        (True, "", "-m pytest tests/unit"),
        (False, "lock", "-m pytest tests -k lock"),
        (True, "a or b", "-m pytest tests/unit -k a or b"),
    ],
)
def test_some_tests_measure_nothing(
    unit: bool, only: str, command: str, checkout: Path, tools: Programs
) -> None:
    test.test(checkout, unit=unit, provision_first=False, only=only)
    assert ran(tools) == [command]


def test_a_test_that_fails_fails_the_task(checkout: Path, tools: Programs) -> None:
    tools.add("python", code=1)
    with pytest.raises(Refused, match="tests failed"):
        test.test(checkout, unit=True, provision_first=False, only="")


@pytest.mark.parametrize("step", ["combine", "report"])
def test_too_little_coverage_fails_the_task(step: str, checkout: Path, tools: Programs) -> None:
    tools.add("python", f'[ "$3" != {step} ]; exit')
    with pytest.raises(Refused, match=r"covered|put together"):
        test.test(checkout, unit=False, provision_first=False, only="")


def test_a_machine_can_be_made_ready_first(
    checkout: Path, tools: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    provisioned: list[Path] = []
    monkeypatch.setattr(test, "provision", provisioned.append)
    test.test(checkout, unit=True, provision_first=True, only="")
    assert provisioned == [checkout]


def test_tools_are_installed_from_pinned_hashes_once(checkout: Path, tools: Programs) -> None:
    (tools.directory / "requirements-dev.txt").unlink()
    for _ in range(2):
        test.test(checkout, unit=True, provision_first=False, only="")
    install, *tests = ran(tools)
    assert install == f"-m pip install --quiet --require-hashes --requirement {checkout}/requirements-dev.txt"
    assert tests == ["-m pytest tests/unit"] * 2


def test_tools_are_installed_again_when_their_pins_change(checkout: Path, tools: Programs) -> None:
    (checkout / "requirements-dev.txt").write_text("pytest==2\n")
    test.test(checkout, unit=True, provision_first=False, only="")
    assert len(ran(tools)) == 2


def test_tools_that_cannot_be_installed_are_tried_again(checkout: Path, tools: Programs) -> None:
    (checkout / "requirements-dev.txt").write_text("pytest==2\n")
    tools.add("python", complains="looking\nERROR: no matching distribution\n", code=1)
    with pytest.raises(Refused, match="could not be installed") as refusal:
        test.test(checkout, unit=True, provision_first=False, only="")
    assert refusal.value.why == "ERROR: no matching distribution"
    tools.add("python")
    test.test(checkout, unit=True, provision_first=False, only="")
    assert sum("pip install" in call for call in ran(tools)) == 2


def test_a_pip_that_fails_without_a_word_is_no_traceback(checkout: Path, tools: Programs) -> None:
    (checkout / "requirements-dev.txt").write_text("pytest==2\n")
    tools.add("python", code=1)
    with pytest.raises(Refused, match="could not be installed"):
        test.test(checkout, unit=True, provision_first=False, only="")


def test_every_linter_runs(checkout: Path, tools: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    lint.lint(checkout)
    assert [call.split()[1] for call in ran(tools)] == ["ruff", "ruff", "mypy", "yamllint"]
    assert "deploy.sh" in tools.calls("shellcheck")[0]
    assert tools.calls("hadolint") == [["Dockerfile"]]
    assert tools.calls("compose-lint") == [["docker-compose.yml"]]
    assert capsys.readouterr().out == "7 linters are content\n"


def test_every_linter_that_objects_is_named(checkout: Path, tools: Programs) -> None:
    tools.add("hadolint", code=1)
    tools.add("python", '[ "$2" != mypy ]; exit')
    with pytest.raises(Refused, match="not clean: mypy, hadolint"):
        lint.lint(checkout)
    assert len(ran(tools)) == 4
