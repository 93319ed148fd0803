"""A picture of the ways to update: requests answered over time, one way above the other, on the same axes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.support import ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.support.updates import Course

BIN, A_MINUTE = 0.5, 60  # seconds
BEFORE, AFTER = 5.0, 5.0  # seconds drawn before the command begins, and after the longest one has ended
WIDTH, LEFT, RIGHT, HEAD, FOOT = 860, 52, 16, 64, 62  # pixels
TALL, BETWEEN = 74.0, 40  # pixels of one way, and from one to the next
DESCRIPTION = (
    "One below the other, on the same axes: %s. Bars upwards are requests answered, bars downwards requests "
    "that failed, a strip below the axis the time in which two processes held the database, grey the time "
    "that the command took."
)
STYLE = """
  .paper { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; font: 13px system-ui, sans-serif }
  .small { font-size: 11px; fill: #59636e }
  .title { font-size: 15px; font-weight: 600 } .way { font-weight: 600 }
  .end { text-anchor: end } .middle { text-anchor: middle }
  .axis { stroke: #8c959f } .grid { stroke: #d8dee4 }
  .answered { fill: #4c8dd6 } .failed { fill: #d1242f } .both { fill: #e08a00 }
  .command { fill: #818b98; opacity: .16 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc } .small { fill: #9198a1 }
    .axis { stroke: #656c76 } .grid { stroke: #262c36 }
    .answered { fill: #4493f8 } .failed { fill: #ff5a52 } .both { fill: #e3a008 }
  }
"""


@dataclass(frozen=True)
class Way:
    """What is drawn of one: requests by bin, and seconds, all counted from the beginning of its command.

    ``known`` is how far: visitors went then, or the next update began.
    """

    name: str
    answered: Mapping[int, int]
    failed: Mapping[int, int]
    seconds: float
    known: float
    crowded: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Scale:
    """Where seconds and requests are on the paper; ``up`` and ``down`` are requests in a bin."""

    until: float
    up: int
    down: int

    def x(self, seconds: float) -> float:
        inside = min(max(seconds, -BEFORE), self.until)
        return LEFT + (inside + BEFORE) / (self.until + BEFORE) * (WIDTH - LEFT - RIGHT)

    def shows(self, number: int) -> bool:
        return number * BIN >= -BEFORE and (number + 1) * BIN <= self.until

    def high(self, requests: float) -> float:
        return requests / (self.up + self.down) * TALL


def drawn(courses: Mapping[str, Course]) -> str:
    """Draw the first update of each course as SVG that is readable on light and on dark paper."""
    found = [_way(name, course) for name, course in courses.items()]
    scale = _scale(found)
    panels = [line for number, way in enumerate(found) for line in _panel(way, scale, _zero(number, scale))]
    height = HEAD + len(found) * (TALL + BETWEEN) + FOOT - BETWEEN
    return "\n".join(
        (*_opening(found, height), *panels, *_seconds(scale, height), *_legend(height), "</svg>", "")
    )


def _way(name: str, course: Course) -> Way:
    began = course.updates[0].began
    answered = _binned(one.due + one.seconds - began for one in course.requests if not one.failed)
    failed = _binned(one.due - began for one in course.requests if one.failed)
    crowded = tuple((since - began, until - began) for since, until in course.writing.crowded)
    took = course.updates[0].seconds
    return Way(ways.TOLD[name].strip("`"), answered, failed, took, _known(course) - began, crowded)


def _known(course: Course) -> float:
    last = max(request.due for request in course.requests)
    return min(last, *(update.began for update in course.updates[1:]), float("inf"))


def _binned(moments: Iterable[float]) -> Counter[int]:
    return Counter(int(moment // BIN) for moment in moments)


def _scale(found: list[Way]) -> Scale:
    until = min(max(way.seconds for way in found) + AFTER, *(way.known for way in found))
    bins = range(int(-BEFORE / BIN), int(until / BIN))
    most = max(way.answered.get(number, 0) for way in found for number in bins)
    worst = max(way.failed.get(number, 0) for way in found for number in bins)
    return Scale(until, -(-most // 10) * 10, worst)


def _zero(number: int, scale: Scale) -> float:
    return HEAD + number * (TALL + BETWEEN) + scale.high(scale.up)


def _panel(way: Way, scale: Scale, zero: float) -> list[str]:
    top = zero - scale.high(scale.up)
    failed = sum(count for number, count in way.failed.items() if scale.shows(number))
    told = f"{failed} failed" if failed else "none failed"
    bars = [
        _rect("command", scale.x(0), top, scale.x(way.seconds) - scale.x(0), TALL),
        *_bars("answered", way.answered, scale, zero),
        *_bars("failed", way.failed, scale, zero),
        *(_rect("both", scale.x(a), zero + 1, max(scale.x(b) - scale.x(a), 1), 4) for a, b in way.crowded),
    ]
    return [
        _text("way", LEFT, top - 8, way.name),
        _text("small end", WIDTH - RIGHT, top - 8, told),
        _line("grid", LEFT, top, WIDTH - RIGHT, top),
        _text("small end", LEFT - 6, top + 4, str(round(scale.up / BIN))),
        _text("small end", LEFT - 6, zero + 4, "0"),
        *bars,
        _line("axis", LEFT, zero, WIDTH - RIGHT, zero),
    ]


def _bars(kind: str, counted: Mapping[int, int], scale: Scale, zero: float) -> list[str]:
    """Draw what was answered upwards from the axis, and what failed downwards."""
    shown = {number: count for number, count in counted.items() if scale.shows(number)}
    wide = scale.x(BIN) - scale.x(0) - 0.6
    return [
        _rect(
            kind,
            scale.x(number * BIN),
            zero if kind == "failed" else zero - scale.high(count),
            wide,
            scale.high(count),
        )
        for number, count in sorted(shown.items())
    ]


def _opening(found: list[Way], height: float) -> list[str]:
    names = ", ".join(way.name for way in found)
    box, named = f'viewBox="0 0 {WIDTH} {height:.0f}"', 'role="img" aria-labelledby="title desc"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} {named}>',
        '<title id="title">Requests answered while a site is updated</title>',
        f'<desc id="desc">{escape(DESCRIPTION % names)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="6"/>',
        _text("title", 16, 26, "Requests a second while a release is replaced"),
    ]


def _seconds(scale: Scale, height: float) -> list[str]:
    marks = range(0, int(scale.until) + 1, 5 if scale.until < A_MINUTE else 15)
    below = height - FOOT + 16
    told = [_text("small middle", scale.x(mark), below, str(mark)) for mark in marks]
    return [*told, _text("small end", WIDTH - RIGHT, below + 16, "seconds since the command began")]


def _legend(height: float) -> list[str]:
    told = {
        "answered": "answered",
        "failed": "failed",
        "both": "two processes hold the database",
        "command": "the command runs",
    }
    places = (LEFT, LEFT + 90, LEFT + 158, LEFT + 372)
    below = height - 16
    return [
        line
        for (kind, words), x in zip(told.items(), places, strict=True)
        for line in (_rect(kind, x, below - 9, 12, 9), _text("small", x + 17, below, words))
    ]


def _rect(kind: str, x: float, y: float, wide: float, high: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'


def _line(kind: str, x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
