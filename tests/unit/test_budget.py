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
from stack.migrator import Migration
from stack.rehearsal import Rehearsal
from stack.trial import Trial
from stack.volumes import Facts

if TYPE_CHECKING:
    from collections.abc import Iterator


def rehearsed(first: float, filling: float = 0.0, migrating: float = 0.0) -> Rehearsal:
    migration = Migration((), migrating) if migrating else None
    trial = Trial(first, (), Facts(0, (), {}, {}))
    return Rehearsal(trial, filling, (), migrated=False, migration=migration)


@pytest.fixture
def clock() -> Iterator[float]:
    """Give a clock that shows another ten seconds whenever it is looked at."""
    return iter(float(10 * number) for number in range(100, 200))


@pytest.mark.parametrize(
    ("limit", "first", "filling", "drain"),
    [
        (45, 1.0, 0.0, 25.0),  # as long as is any use
        (35, 1.0, 0.0, 20.0),  # 5 to stop, 2 to start, 8 for the way back
        (35, 1.0, 10.0, 10.0),
        (20, 1.0, 0.0, 5.0),
    ],
)
def test_what_stop_copy_start_and_way_back_leave_is_for_requests_under_way(
    limit: int, first: float, filling: float, drain: float
) -> None:
    assert budget.of(limit, rehearsed(first, filling)) == Budget(limit, drain, start=15.0)


@pytest.mark.parametrize(("first", "start"), [(0.4, 15.0), (3.75, 15.0), (5.0, 20.0)])
def test_visitors_do_not_wait_for_what_takes_many_times_as_long_as_in_its_trial(
    first: float, start: float
) -> None:
    assert budget.of(100, rehearsed(first)).start == start


def test_migrations_that_run_before_the_start_count_as_it_does() -> None:
    assert budget.of(45, rehearsed(1.0, migrating=6.0)) == Budget(45, drain=18.0, start=24.0)
    with pytest.raises(Refused) as refusal:
        budget.of(25, rehearsed(1.0, migrating=6.0))
    assert "in the trial, its migrations took 6.0 s, a copy of" in refusal.value.why


def test_a_release_that_does_not_fit_is_refused_with_all_figures() -> None:
    with pytest.raises(Refused) as refusal:
        budget.of(45, rehearsed(18.26, 3.04))
    failure = refusal.value
    assert failure.code == 11
    assert failure.what == "visitors would wait too long: up to 58 s"  # 5 + 3.04 + 2 * 18.26 + 8 + 5, up
    assert "answered after 18.3 s in the trial" in failure.why
    assert "a copy of the database took 3.0 s; they wait 45 s at most" in failure.why
    assert failure.fix.startswith("HOLD_BUDGET=58 in .env, and HOLD_LIMIT and the proxies' time-outs above")


@given(
    limit=st.integers(1, 99),
    first=st.floats(0, 300, allow_nan=False),
    filling=st.floats(0, 300, allow_nan=False),
)
def test_what_the_refusal_names_is_enough_and_one_less_is_not(
    limit: int, first: float, filling: float
) -> None:
    rehearsal = rehearsed(first, filling)
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
        spent = budget.STOP + told.drain + filling + first * budget.SLOWER + budget.BACK
        assert budget.LEAST <= told.drain <= budget.PATIENCE
        assert spent <= limit + 0.001


def test_a_release_has_its_share_and_never_more_than_the_hold_has_left_but_for_the_way_back(
    clock: Iterator[float],
) -> None:
    left = Budget(45, drain=25, start=20).begun(lambda: next(clock))
    assert [left(), left(), left()] == [20.0, 17.0, 7.0]


def test_where_nothing_is_left_it_is_asked_once_all_the_same(clock: Iterator[float]) -> None:
    left = Budget(18, drain=5, start=15).begun(lambda: next(clock))
    assert [left(), left()] == [1.0, 1.0]


def test_without_limits_a_release_has_its_time_whatever_went_before(clock: Iterator[float]) -> None:
    told = budget.unlimited(120)
    left = told.begun(lambda: next(clock))
    assert (told.drain, left(), left()) == (budget.PATIENCE, 120, 120)
