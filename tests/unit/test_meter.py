"""Progress in bytes: of one large file too, and not so often that it costs."""

from __future__ import annotations

import pytest

from stack.console import Step
from stack.meter import Meter, rate

MIB = 1 << 20


def metered(doing: str, *passed: tuple[float, int]) -> list[str]:
    """Return what a step shows of a stream of 4 MiB, of which so many bytes pass at these seconds."""
    shown: list[str] = []
    now = [0.0]
    meter = Meter(Step("Media", show=shown.append), 4 * MIB, doing, clock=lambda: now[0])
    for seconds, size in passed:
        now[0] = seconds
        meter.passed(size)
    return shown


def test_each_piece_of_a_file_moves_the_figure_on() -> None:
    assert metered("", (0.5, MIB), (1.0, MIB)) == [
        "Media  [dim]1.0 MiB of 4.0 MiB, 2.0 MiB/s[/dim]",
        "Media  [dim]2.0 MiB of 4.0 MiB, 2.0 MiB/s[/dim]",
    ]


def test_what_is_being_done_stands_before_the_figures() -> None:
    assert metered("reading it back, ", (1, MIB)) == [
        "Media  [dim]reading it back, 1.0 MiB of 4.0 MiB, 1.0 MiB/s[/dim]"
    ]


def test_a_hundred_thousand_small_files_are_told_ten_times_a_second() -> None:
    told = metered("", *((n / 10_000, 1) for n in range(10_000)))
    assert len(told) <= 10


@pytest.mark.parametrize(
    ("done", "total", "seconds", "told"),
    [
        (0, 0, 0.0, "0 B of 0 B, 0 B/s"),
        (216 * 1024, 512 * 1024, 2.0, "216.0 KiB of 512.0 KiB, 108.0 KiB/s"),
        (3 << 30, 6 << 30, 60.0, "3.0 GiB of 6.0 GiB, 51.2 MiB/s"),
    ],
)
def test_small_and_large_streams_are_told_in_fitting_units(
    done: int, total: int, seconds: float, told: str
) -> None:
    assert rate(done, total, seconds) == told
