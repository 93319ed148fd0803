"""How long visitors wait, beside the least that it could be: to stop and start the bare container."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from tests.support import ballast, markdown, updates, visitor, visitors
from tests.support.ballast import MB
from tests.support.load import HEALTH
from tests.support.variants import GOOD, check_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docker import DockerClient

    from tests.support.site import Site
    from tests.support.visitor import Editor

pytestmark = pytest.mark.proof
GOAL, UP_TO = 2.0, 150 * MB  # for a database of 100 MB, and what it grows by meanwhile
SIZES, LARGE = (0, 100 * MB), 1000 * MB
HEAD = ("database", "held", "bare container", "held / bare")
PATIENCE = 60  # seconds


@dataclass(frozen=True)
class Waits:
    """Seconds that visitors waited in updates, and that the bare container took to answer again; in turns."""

    size: int
    held: tuple[float, ...]
    bare: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return statistics.median(self.held) / statistics.median(self.bare)


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("hold")
    check_out(site, image, GOOD)
    site.deploy()
    return site


@pytest.fixture(scope="module")
def waits(
    site: Site,
    image: str,
    engine: DockerClient,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> list[Waits]:
    full = request.config.getoption("--full")
    editor, records = visitor.editor(site), tmp_path_factory.mktemp("visitors")
    found = []
    for size in (*SIZES, LARGE) if full else SIZES:
        really = ballast.fill(engine, site, size)
        rounds = range(3 if full and size < LARGE else 2)
        turns = [(_held(site, image, editor, records), _bare(engine, site)) for _ in rounds]
        found.append(Waits(really, *zip(*turns, strict=True)))
    markdown.publish(request.config, "hold", _told(found))
    return found


def _held(site: Site, image: str, editor: Editor, records: Path) -> float:
    """Update under a light load at the gate itself; return the longest wait for the health route."""
    gate = {"gate": ("127.0.0.1", site.port)}
    with visitors.coming(gate, editor, records / f"{time.monotonic()}", gets=20, posts=1) as coming:
        update = updates.perform(site, image, GOOD)
        time.sleep(2)
    requests_made = coming.requests()
    assert update.code == 0, update.told
    assert visitors.summary(requests_made).failed == ()
    return max(one.seconds for one in requests_made if one.path == HEALTH)


def _bare(engine: DockerClient, site: Site) -> float:
    """Stop the application's container and start it; return the seconds until it answers, past the gate."""
    container = engine.containers.get(site.container("app"))
    began = time.monotonic()
    container.stop(timeout=30)
    container.start()
    container.reload()
    address = container.attrs["NetworkSettings"]["Networks"][site.network]["IPAddress"]
    while not _answers(f"http://{address}:3000{HEALTH}"):
        assert time.monotonic() < began + PATIENCE, "it does not come back"
        time.sleep(0.01)
    return time.monotonic() - began


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _told(found: list[Waits]) -> str:
    lines = [
        (
            f"{waits.size / MB:.1f} MB",
            f"{statistics.median(waits.held):.2f} s",
            f"{statistics.median(waits.bare):.2f} s",
            f"{waits.ratio:.2f}",
        )
        for waits in found
    ]
    verdicts = [
        f"- {waits.size / MB:.1f} MB: {markdown.verdict(waits.ratio, GOAL)}"
        for waits in found
        if waits.size < UP_TO
    ]
    return "\n".join((markdown.table(HEAD, lines), "", *verdicts, *_by_size(found)))


def _by_size(found: list[Waits]) -> list[str]:
    """Tell what a GB more adds, where one was measured."""
    small, large = found[0], found[-1]
    if large.size < LARGE:
        return []
    more = statistics.median(large.held) - statistics.median(small.held)
    return [f"- {more / (large.size - small.size) * 1e9:.1f} s more for each GB"]


def test_an_update_holds_visitors_at_every_size_of_the_database(waits: list[Waits]) -> None:
    wanted = (*SIZES, LARGE)[: len(waits)]
    assert len(waits) >= len(SIZES)
    assert all(found.size >= size for found, size in zip(waits, wanted, strict=True))
    assert min(wait for each in waits for wait in (*each.held, *each.bare)) > 0.2
