"""A whole update after a change of one line, beside Payload's documented Dockerfile and plain Compose."""

from __future__ import annotations

import statistics
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support import markdown, official
from tests.support.site import TIMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.site import Site

pytestmark = pytest.mark.proof
GOAL = 0.8
PAGE, LINE = "app/src/app/(site)/page.tsx", "Nothing here yet."
OURS = ("./deploy.sh",)
HEAD = ("", "an update", "each")


@dataclass(frozen=True)
class Taken:
    """Seconds of whole updates, ours and the others', made in turns."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]


@pytest.fixture(scope="module")
def ours(new_site: Callable[..., Site]) -> Site:
    return new_site("cached", **dict.fromkeys(TIMES, ""))


@pytest.fixture(scope="module")
def theirs(sibling: Callable[..., Site]) -> Site:
    site = sibling("official")
    official.settle(site)
    return site


@pytest.fixture(scope="module")
def taken(ours: Site, theirs: Site, request: pytest.FixtureRequest) -> Taken:
    for site, argv in ((ours, OURS), (theirs, official.UP)):
        _updated(site, argv, "The first one.")  # makes what later ones reuse
    rounds = range(3 if request.config.getoption("--full") else 1)
    lines = [f"Number {uuid.uuid4().hex}." for _ in rounds]  # none that an earlier run has left in a cache
    turns = [(_updated(ours, OURS, line), _updated(theirs, official.UP, line)) for line in lines]
    taken = Taken(*zip(*turns, strict=True))
    markdown.publish(request.config, "build", _told(taken))
    return taken


def _updated(site: Site, argv: tuple[str, ...], line: str) -> float:
    """Change one line of the front page, bring it to visitors, and return the seconds that this took."""
    page = site.root / PAGE
    before = (page.with_suffix(".before") if page.with_suffix(".before").exists() else page).read_text()
    page.with_suffix(".before").write_text(before)
    assert LINE in before
    page.write_text(before.replace(LINE, line))
    began = time.monotonic()
    done = site.run(*argv)
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert line in site.get("/").text
    return seconds


def _told(taken: Taken) -> str:
    names = {
        "`./deploy.sh`, with backup, trial and watch": taken.ours,
        "documented Dockerfile, `docker compose up -d --build --wait`": taken.theirs,
    }
    lines = [
        (name, f"{statistics.median(each):.0f} s", ", ".join(f"{one:.1f}" for one in each))
        for name, each in names.items()
    ]
    ratio = statistics.median(taken.ours) / statistics.median(taken.theirs)
    return f"{markdown.table(HEAD, lines)}\n\n- {markdown.verdict(ratio, GOAL)}"


def test_both_bring_the_changed_line_to_visitors(taken: Taken) -> None:
    assert len(taken.ours) == len(taken.theirs) > 0
