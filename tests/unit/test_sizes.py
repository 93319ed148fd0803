"""Sizes and times as people read them."""

from __future__ import annotations

import pytest

from stack.sizes import duration, human


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 30, "3.0 GiB"),
        (2 << 40, "2.0 TiB"),
        (5000 << 40, "5000.0 TiB"),
        (None, "-"),
    ],
)
def test_a_size_is_told_in_the_unit_that_fits(size: int | None, text: str) -> None:
    assert human(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 h 0 min 0 s"),
        (59, "0 h 0 min 59 s"),
        (3_661, "1 h 1 min 1 s"),
        (86_399, "23 h 59 min 59 s"),
        (86_400, "1 d 0 h"),
        (1_000_000, "11 d 13 h"),
        (None, "-"),
    ],
)
def test_a_time_is_told_as_people_say_it(seconds: int | None, text: str) -> None:
    assert duration(seconds) == text
