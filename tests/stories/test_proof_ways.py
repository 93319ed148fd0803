"""The same load on four ways to bring in a release: ours, plain Compose, new beside old, that with a drain.

Without `bin/inv bench.update` only two of the others and a small load, to show that the comparison itself is
right. With it, also on a database that is opened as Payload does unless told.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import markdown, picture, variants, visitors, ways
from tests.support.site import TIMES
from tests.support.ways import OURS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient

    from tests.support.site import Site
    from tests.support.updates import Course

ALL, QUICK = tuple(ways.TOLD), ("compose", "rollout")


@pytest.fixture(scope="module")
def stage(
    engine: DockerClient,
    traefik: Path,
    image: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Stage:
    records = tmp_path_factory.mktemp("visitors")
    if request.config.getoption("--proof"):
        count = 2 if request.config.getoption("--full") else 1
        return Stage(engine, traefik, image, records, updates=count, quiet=6, span=33)
    return Stage(engine, traefik, image, records, updates=1, quiet=2, gets=20, posts=5)


@pytest.fixture(scope="module")
def travel(sibling: Callable[..., Site], request: pytest.FixtureRequest) -> Callable[..., dict[str, Course]]:
    """Make a course of each way, on a site of its own that stops as soon as it is done."""
    as_everybody = dict.fromkeys(TIMES, "")
    chosen = ALL if request.config.getoption("--proof") else QUICK

    def make(stage: Stage, leave_out: str = "") -> dict[str, Course]:
        those = [way for way in chosen if way != leave_out]
        return {way: _alone(sibling(way, **as_everybody), stage, way) for way in those}

    return make


def _alone(site: Site, stage: Stage, way: str) -> Course:
    course = ways.travelled(stage, site, way)
    site.compose("stop")  # the next one has the machine for itself
    return course


@pytest.fixture(scope="module")
def courses(
    travel: Callable[..., dict[str, Course]], stage: Stage, request: pytest.FixtureRequest
) -> dict[str, Course]:
    courses = travel(stage)
    markdown.publish(request.config, "ways", f"{ways.table(courses)}\n\n{ways.by_door(courses)}")
    if file := request.config.getoption("--picture"):
        Path(file).write_text(picture.drawn(courses))
    return courses


@pytest.mark.proof
def test_ours_fails_nobody_loses_nothing_and_has_one_writer(courses: dict[str, Course]) -> None:
    ours = courses[OURS]
    assert [update.code for update in ours.updates] == [0] * len(ours.updates), ours.updates[-1].told
    assert ours.total.failed == (), ours.total.complaint
    assert (ours.lost, ours.twice) == ({}, frozenset())
    assert (ours.writing.most, ours.writing.most_applications) == (1, 1)
    assert ways.crowded(ours) == 0


def test_every_way_really_brings_its_releases_to_visitors(courses: dict[str, Course], stage: Stage) -> None:
    seen = {way: course.total.releases for way, course in courses.items()}
    assert seen == {way: course.accepted for way, course in courses.items()}
    assert {len(releases) for releases in seen.values()} == {stage.updates + 1}


def test_every_way_has_the_same_load_at_its_pace(courses: dict[str, Course], stage: Stage) -> None:
    assert max(course.total.late for course in courses.values()) < visitors.PUNCTUAL
    rates = [visitors.rate(course.requests) for course in courses.values()]
    assert rates == pytest.approx([stage.gets + stage.posts] * len(courses), rel=0.02)


def test_plain_compose_stops_first_and_a_rollout_starts_first(courses: dict[str, Course]) -> None:
    expected = {OURS: 1, "compose": 1, "rollout": 2, "drain": 2}
    most = {way: course.writing.most_applications for way, course in courses.items()}
    assert most == {way: expected[way] for way in courses}
    assert {way for way in courses if ways.crowded(courses[way]) > 0} == {"rollout", "drain"} & set(courses)


@pytest.mark.proof
def test_a_database_as_payload_opens_it_makes_no_difference_to_ours(
    travel: Callable[..., dict[str, Course]], stage: Stage, image: str, request: pytest.FixtureRequest
) -> None:
    told = Stage(**{**vars(stage), "image": variants.as_payload_comes(image), "updates": 1})
    courses = travel(told, leave_out="compose")
    markdown.publish(request.config, "ways-as-payload-comes", ways.table(courses))
    ours = courses[OURS]
    assert ours.total.failed == (), ours.total.complaint
    assert (ours.lost, ours.twice, ours.writing.most) == ({}, frozenset(), 1)
