"""The titles of a plan are those that a deploy tells, and their order depends on what it finds."""

from __future__ import annotations

import re
from pathlib import Path

from stack import course
from stack.course import Course, steps

STACK = Path(course.__file__).parent
EVERYTHING = Course(
    "proxy", "Newest version", "shop:1",
    prunes=True, empties=True, builds=True, swaps=True, old=True, command=True, gate=True, paged=True,
)  # fmt: skip
OTHER_ENDS = Course("proxy", "", "", swaps=True, same=True)


def test_each_title_is_one_that_a_step_really_has() -> None:
    sources = [file.read_text() for file in STACK.rglob("*.py") if file.name != "course.py"]
    told = {title for text in sources for title in re.findall(r'[(=, ]f?"([A-Z][^"\n]+)"[,)]', text)}
    beginnings = {title.partition("{")[0].strip() for title in told}
    planned = [*steps(EVERYTHING), *steps(OTHER_ENDS)]
    known = {title: title.removesuffix(" proxy").removesuffix(" shop:1") for title in planned}
    assert [title for title, told in known.items() if told not in beginnings] == []


def test_a_first_deploy_starts_and_replaces_nothing() -> None:
    assert steps(Course("proxy", builds=True))[3:] == [
        "What changed",
        "Room for the build",
        "Build",
        "Start",
        "Health, through the gate",
    ]


def test_a_container_that_would_be_the_same_is_made_and_not_put_in_place() -> None:
    told = steps(Course("proxy", swaps=True, same=True, old=True, gate=True))
    assert told[-3:] == ["New container", "Start", "Health, through the gate"]


def test_where_nothing_runs_nobody_waits_and_nothing_is_stopped() -> None:
    told = steps(Course("proxy", swaps=True))
    assert "Trial" in told
    assert not {"Visitors wait, requests end", "Stop the old release", "Start"} & set(told)
