"""What the gate costs: the application behind it beside the application alone."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support import markdown, visitor, visitors, wrk
from tests.support.load import HEALTH, PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from docker import DockerClient

    from tests.support.site import Site
    from tests.support.wrk import Throughput

pytestmark = pytest.mark.proof
GOALS = {HEALTH: 0.85, PAGE: 0.70}
NAMES = {HEALTH: "health route", PAGE: "front page, 50 posts"}
POSTS = 50
MOST_MORE, AT = 1.0, 50  # milliseconds that the median may be more, at requests a second through each
HEAD = ("requests a second", "gate", "application alone", "gate / alone", "goal")


@dataclass(frozen=True)
class Rates:
    """What was answered of one path a second, behind the gate and alone, in turns."""

    gate: tuple[Throughput, ...]
    alone: tuple[Throughput, ...]

    @property
    def medians(self) -> tuple[float, float]:
        gate, alone = (statistics.median(one.rate for one in each) for each in (self.gate, self.alone))
        return gate, alone


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site]) -> Site:
    site = sibling("cost")
    site.deploy()
    editor = visitor.editor(site)
    for number in range(POSTS):
        editor.publish(f"Post {number}", body="What there is to say of it.")
    return site


@pytest.fixture(scope="module")
def tool(engine: DockerClient) -> Iterator[DockerClient]:
    yield engine
    wrk.forget(engine)


@pytest.fixture(scope="module")
def rates(site: Site, tool: DockerClient, request: pytest.FixtureRequest) -> dict[str, Rates]:
    full = request.config.getoption("--full")
    places = (f"http://{site.name}:3000", "http://app:3000")
    found = {}
    for path in GOALS:
        for place in places:
            wrk.measured(
                tool, site.network, place + path, seconds=2
            )  # what is slow the first time does not count
        turns = [
            [wrk.measured(tool, site.network, place + path, seconds=8 if full else 3) for place in places]
            for _ in range(3)
        ]
        found[path] = Rates(*map(tuple, zip(*turns, strict=True)))
    markdown.publish(request.config, "gate-rates", _told(found))
    return found


def _told(found: Mapping[str, Rates]) -> str:
    lines = []
    for path, rates in found.items():
        gate, alone = rates.medians
        verdict = markdown.verdict(gate / alone, GOALS[path], at_least=True).partition(", ")[2]
        lines.append(
            (NAMES[path], f"{gate:.0f}", f"{alone:.0f}", f"{gate / alone:.2f}", verdict.removeprefix("goal "))
        )
    return markdown.table(HEAD, lines)


@pytest.fixture(scope="module")
def answers(
    site: Site,
    engine: DockerClient,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> dict[str, list[float]]:
    """Ask behind the gate and alone in turns, each request when it is due; return milliseconds."""
    places = {
        name: (_address(engine, site, service), 3000)
        for name, service in (("gate", "gate"), ("alone", "app"))
    }
    record = tmp_path_factory.mktemp("visitors") / "visitor"
    with visitors.coming(places, visitor.editor(site), record, gets=2 * AT, posts=1) as coming:
        time.sleep(40 if request.config.getoption("--full") else 15)
    total = visitors.summary(coming.requests())
    assert total.failed == (), total.complaint
    found = {
        name: [
            1000 * (one.seconds - one.late)
            for one in coming.requests()
            if (one.door, one.path) == (name, HEALTH)
        ]
        for name in places
    }
    markdown.publish(request.config, "gate-answers", _answers_told(found))
    return found


def _address(engine: DockerClient, site: Site, service: str) -> str:
    attrs = engine.containers.get(site.container(service)).attrs
    address: str = attrs["NetworkSettings"]["Networks"][site.network]["IPAddress"]
    return address


def _answers_told(found: Mapping[str, list[float]]) -> str:
    lines = [
        (name, *(f"{_part(each, part):.2f} ms" for part in (50, 95, 99))) for name, each in found.items()
    ]
    more = _part(found["gate"], 50) - _part(found["alone"], 50)
    verdict = f"{more:.2f} ms more, goal under {MOST_MORE:.0f} ms: {'met' if more < MOST_MORE else 'missed'}"
    return f"{markdown.table(('health route', 'p50', 'p95', 'p99'), lines)}\n\n- p50: {verdict}"


def _part(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def test_behind_the_gate_every_request_is_answered(rates: dict[str, Rates]) -> None:
    said = [one.complaint for each in rates.values() for one in (*each.gate, *each.alone)]
    assert said == [""] * len(said)


def test_the_load_on_both_is_the_same(answers: dict[str, list[float]]) -> None:
    counted = [len(each) for each in answers.values()]
    assert min(counted) > 100
    assert max(counted) - min(counted) <= 1
