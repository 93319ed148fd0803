"""What a hold may last is shared out by what the rehearsal took, or refused before anybody waits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import budget
from stack.budget import Budget
from stack.errors import Refused
from stack.rehearsal import Rehearsal
from stack.trial import Trial
from stack.volumes import Facts

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


def rehearsed(first: float, size: int = 0) -> Rehearsal:
    return Rehearsal(Trial(first, (), Facts(0, (), {}, {})), size, migrated=False)


@pytest.fixture
def clock() -> Iterator[float]:
    """Give a clock that shows another ten seconds whenever it is looked at."""
    return iter(float(10 * number) for number in range(100, 200))


@pytest.mark.parametrize(
    ("limit", "first", "size", "drain"),
    [
        (45, 1.0, 0, 25.0),  # as long as is any use
        (30, 1.0, 0, 20.0),  # 2 to start, 8 for the way back
        (30, 1.0, 1000 * MIB, 10.0),  # 10 to copy
        (15, 1.0, 0, 5.0),
    ],
)
def test_what_copy_start_and_way_back_leave_is_for_requests_under_way(
    limit: int, first: float, size: int, drain: float
) -> None:
    assert budget.of(limit, rehearsed(first, size)) == Budget(limit, drain, back=8.0)


def test_a_release_that_does_not_fit_is_refused_with_all_figures() -> None:
    with pytest.raises(Refused) as refusal:
        budget.of(45, rehearsed(18.26, 300 * MIB))
    failure = refusal.value
    assert failure.code == 11
    assert failure.what == "visitors would wait too long: up to 53 s"  # 3 + 2 * 18.26 + 8 + 5, up
    assert "answered after 18.3 s in the trial" in failure.why
    assert "its database has 300 MiB; they wait 45 s at most" in failure.why
    assert failure.fix.startswith("HOLD_BUDGET=53 in .env, and HOLD_LIMIT and the proxies' time-outs above")


@given(
    limit=st.integers(1, 99),
    first=st.floats(0, 300, allow_nan=False),
    size=st.integers(0, 50_000 * MIB),
)
def test_what_the_refusal_names_is_enough_and_one_less_is_not(limit: int, first: float, size: int) -> None:
    rehearsal = rehearsed(first, size)
    try:
        told = budget.of(limit, rehearsal)
    except Refused as refusal:
        (named,) = re.findall(r"HOLD_BUDGET=(\d+)", refusal.fix)
        needed = int(named)
        assert needed > limit
        assert budget.of(needed, rehearsal).drain >= budget.LEAST
        with pytest.raises(Refused):
            budget.of(needed - 1, rehearsal)
    else:
        spent = told.drain + size / budget.DISK + first * budget.SLOWER + told.back
        assert budget.LEAST <= told.drain <= budget.PATIENCE
        assert spent <= limit + 0.001


def test_a_release_has_what_is_left_of_the_hold_but_for_the_way_back(clock: Iterator[float]) -> None:
    left = Budget(45, drain=25, back=8, clock=lambda: next(clock)).begun()
    assert [left(), left(), left()] == [27.0, 17.0, 7.0]


def test_where_nothing_is_left_it_is_asked_once_all_the_same(clock: Iterator[float]) -> None:
    left = Budget(18, drain=5, back=8, clock=lambda: next(clock)).begun()
    assert [left(), left()] == [1.0, 1.0]
