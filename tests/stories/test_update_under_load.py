"""Updates in a row while visitors come through three proxies: nobody notices a bad one, nothing is lost.

Four updates; with `--full` (`bin/inv bench.update --full`) twenty-four, with the settings that everybody has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import doors, markdown, updates, visitor, visitors, writers
from tests.support.site import TIMES
from tests.support.variants import (
    BLOCKED,
    BLOCKED_LIVE,
    CRASHES,
    CRASHES_LIVE,
    DELETES,
    GOOD,
    MIGRATES,
    NEVER_HEALTHY,
    NEVER_HEALTHY_LIVE,
    THROWS,
    THROWS_LIVE,
    check_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docker import DockerClient

    from tests.support.site import Site
    from tests.support.updates import Course
    from tests.support.variants import Variant

SHORT = (GOOD, MIGRATES, THROWS_LIVE, GOOD)
FULL = (
    *(GOOD, GOOD, MIGRATES, CRASHES, CRASHES_LIVE),
    *(GOOD, GOOD, MIGRATES, NEVER_HEALTHY, NEVER_HEALTHY_LIVE),
    *(GOOD, GOOD, MIGRATES, BLOCKED, BLOCKED_LIVE),
    *(GOOD, GOOD, MIGRATES, THROWS, THROWS_LIVE),
    *(GOOD, GOOD, MIGRATES, DELETES),
)
AT_REST = 0.5  # seconds that the sampler may be late on a busy machine


@pytest.fixture(scope="module")
def variants(request: pytest.FixtureRequest) -> tuple[Variant, ...]:
    return FULL if request.config.getoption("--full") else SHORT


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str, variants: tuple[Variant, ...]) -> Site:
    as_everybody = dict.fromkeys(TIMES, "")
    site = sibling("load", **(as_everybody if variants is FULL else {"WATCH_SECONDS": "2"}))
    check_out(site, image, GOOD)
    return site


@pytest.fixture(scope="module")
def course(  # noqa: PLR0913, PLR0917 - the whole stage
    site: Site,
    image: str,
    variants: tuple[Variant, ...],
    engine: DockerClient,
    traefik: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Course:
    """Make all updates under load, and return what was seen."""
    first = site.deploy()
    editor = visitor.editor(site)
    editor.upload("picture.png", visitor.picture())
    record = tmp_path_factory.mktemp("visitors") / "visitor"
    with (
        doors.opened(engine, site, traefik) as opened,
        writers.watched(engine, site) as watch,
        visitors.coming(opened, editor, record) as coming,
    ):
        made = tuple(updates.perform(site, image, variant) for variant in variants)
    requests = tuple(coming.requests())
    acknowledged = visitors.summary(requests).acknowledged
    course = updates.Course(
        first,
        made,
        requests,
        watch.seen(),
        visitors.lost(site, acknowledged),
        visitors.twice(site, acknowledged),
    )
    markdown.publish(request.config, "updates", f"{updates.table(course)}\n\n{updates.totals(course)}")
    print(*(update.told for update in course.updates), sep="\n")  # noqa: T201 - shown with what failed
    return course


def test_each_update_ends_as_its_release_deserves(course: Course) -> None:
    ended = [(str(update.variant), update.code) for update in course.updates]
    told = "\n\n".join(update.told for update in course.updates if update.code != update.variant.ends)
    assert ended == [(str(update.variant), update.variant.ends) for update in course.updates], told


def test_no_request_fails_through_any_proxy(course: Course) -> None:
    assert course.total.failed == (), course.total.complaint


def test_visitors_kept_coming_at_their_pace(course: Course) -> None:
    assert course.total.late < visitors.PUNCTUAL
    assert visitors.rate(course.requests) == pytest.approx(visitors.GETS + visitors.POSTS, rel=0.02)
    assert min(course.total.by_door.values()) > len(course.requests) / 4


def test_what_was_acknowledged_is_there_once(course: Course) -> None:
    assert len(course.total.acknowledged) > visitors.POSTS * len(course.updates)
    assert course.lost == {}
    assert course.twice == frozenset()


def test_no_visitor_sees_a_bad_release_and_every_good_one_is_seen(course: Course) -> None:
    assert course.total.releases == course.accepted


def test_a_refused_release_leaves_every_row_as_it_was(course: Course) -> None:
    refused = [update for update in course.updates if not update.variant.good]
    assert refused
    assert {str(update.variant): update.harm for update in refused if update.harm} == {}


def test_one_process_at_a_time_writes_the_database(course: Course) -> None:
    seen = course.writing
    assert (seen.most, seen.crowds) == (1, ())
    assert seen.gap < AT_REST
    assert seen.services == {"app"}


def test_no_two_applications_run_at_once(course: Course) -> None:
    assert course.writing.starts >= sum(update.variant.good for update in course.updates)
    assert (course.writing.most_applications, course.writing.overlaps) == (1, ())
