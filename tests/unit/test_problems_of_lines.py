"""What is wrong with how `.env.production` is written."""

from __future__ import annotations

import pytest

from stack import envfile, problems


def written(text: str) -> list[str]:
    """Return the problems of how a text is written."""
    return [
        f"{problem.level} {problem.line} {problem.key} {problem.message}"
        for problem in problems.of_lines(envfile.lines(text))
    ]


def test_well_written_lines_have_no_problem() -> None:
    assert written("# comment\n\nA=1\nexport B='two words' # why\nC=\nNEXT_PUBLIC_D='a#b'\nE.f-g=1\n") == []


@pytest.mark.parametrize(
    "line",
    ["A='hunter2", 'A="hunter2', "A B=hunter2", "A='it''s hunter2'", "A!=hunter2", "1A=hunter2", "=hunter2"],
)
def test_a_line_that_cannot_be_read_is_named_by_its_number(line: str) -> None:
    assert written(f"FIRST=1\n\n{line}\nLAST=2\n") == ["error 3  is not KEY=value"]


def test_a_line_without_an_equals_sign_is_not_shown_because_it_can_be_a_piece_of_a_secret() -> None:
    assert written("KEY=-----BEGIN\nMIIEvQIBADAN\n-----END\n") == [
        "error 2  has no =: Compose would ask the shell for a value",
        "error 3  is not KEY=value",
    ]


def test_a_name_that_stands_twice_is_a_warning() -> None:
    assert written("A=1\nB=2\nA=3\n") == ["warning 3 A stands on line 1 already: the last one counts"]


def test_names_that_differ_in_case_only_are_a_warning() -> None:
    assert written("Api_Key=1\nAPI_KEY=2\n") == [
        "warning 2 API_KEY differs from Api_Key in upper and lower case only"
    ]


@pytest.mark.parametrize("value", ["a#b", '"a\\nb"', "`a`", "a\\b", '"a\nb"'])
def test_a_public_value_that_node_would_read_differently_is_a_problem(value: str) -> None:
    told = "error 1 NEXT_PUBLIC_A would be built in otherwise than written"
    assert written(f"NEXT_PUBLIC_A={value}\n") == [told]
    assert written(f"A={value}\n") == []
