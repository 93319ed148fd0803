"""The same updates under the same load in four ways, ours and those of `rivals.py`, and what came of each."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tests.support import doors, markdown, rivals, updates, variants, visitor, visitors, writers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import DockerClient

    from tests.support.doors import Fronts
    from tests.support.site import Site
    from tests.support.updates import Course, Update

OURS = "ours"
TOLD = {
    OURS: "`./deploy.sh`",
    "compose": "`docker compose up -d --build`",
    "rollout": "start new, stop old",
    "drain": "start new, drain, stop old",
}
HEAD = (
    "",
    "updates",
    "requests",
    "failed",
    "slowest request",
    "writes acknowledged",
    "of them lost",
    "two processes held the database",
    "an update took",
)


@dataclass(frozen=True)
class Stage:
    """What all ways have in common.

    Visitors come for ``quiet`` seconds before and after each update; from its beginning on, for ``span`` at
    least.
    """

    engine: DockerClient
    traefik: Path
    image: str
    records: Path
    updates: int
    quiet: float
    span: float = 0.0
    gets: int = visitors.GETS
    posts: int = visitors.POSTS


@dataclass(frozen=True)
class _Begun:
    """A site that serves its first release, and what brings the next one."""

    site: Site
    release: str
    fronts: Fronts | None
    update: Callable[[], Update]


def travelled(stage: Stage, site: Site, way: str) -> Course:
    """Update a new site in one way under load. What was acknowledged is looked up after a restart."""
    begun = _ours(stage, site) if way == OURS else _rival(stage, site, way)
    with _open(stage, begun) as (reached, opened):
        editor = visitor.editor(reached)
        editor.upload("picture.png", visitor.picture())
        record = stage.records / f"{site.name}.jsonl"
        rates = {"gets": stage.gets, "posts": stage.posts}
        with (
            writers.watched(stage.engine, site) as watch,
            visitors.coming(opened, editor, record, **rates) as coming,
        ):
            made = tuple(_quietly(stage, begun.update) for _ in range(stage.updates))
        requests = tuple(coming.requests())
        acknowledged = visitors.summary(requests).acknowledged
        rivals.restart(reached)
        lost, twice = visitors.lost(reached, acknowledged), visitors.twice(reached, acknowledged)
    return updates.Course(begun.release, made, requests, watch.seen(), lost, twice)


def _ours(stage: Stage, site: Site) -> _Begun:
    variants.check_out(site, stage.image, variants.GOOD)
    release = site.deploy()
    return _Begun(site, release, None, partial(updates.perform, site, stage.image, variants.GOOD))


def _rival(stage: Stage, site: Site, way: str) -> _Begun:
    rivals.settle(site, way, stage.image)
    update = partial(rivals.perform, site, way, stage.image)
    return _Begun(site, rivals.FIRST, rivals.fronts(site, way), update)


@contextmanager
def _open(stage: Stage, begun: _Begun) -> Iterator[tuple[Site, doors.Doors]]:
    with ExitStack() as stack:
        opened = stack.enter_context(doors.opened(stage.engine, begun.site, stage.traefik, begun.fronts))
        reached = begun.site if begun.fronts is None else rivals.behind(begun.site, opened["caddy"])
        yield reached, opened


def _quietly(stage: Stage, update: Callable[[], Update]) -> Update:
    time.sleep(stage.quiet)
    made = update()
    time.sleep(max(stage.quiet, made.began + stage.span - time.monotonic()))
    return made


def crowded(course: Course) -> float:
    """Return the seconds in which more than one process had the database open for writing."""
    return sum(until - since for since, until in course.writing.crowded)


def table(courses: dict[str, Course]) -> str:
    return markdown.table(HEAD, [_line(way, course) for way, course in courses.items()])


def _line(way: str, course: Course) -> tuple[str, ...]:
    total = course.total
    took = sum(update.seconds for update in course.updates) / len(course.updates)
    return (
        TOLD[way],
        str(len(course.updates)),
        str(total.requests),
        str(len(total.failed)),
        f"{total.slowest:.1f} s",
        str(len(total.acknowledged)),
        str(len(course.lost)),
        f"{crowded(course):.1f} s",
        f"{took:.0f} s",
    )


def by_door(courses: dict[str, Course]) -> str:
    """Return a table of what failed through each proxy, and how."""
    names = sorted(next(iter(courses.values())).total.by_door)
    lines = [(TOLD[way], *(_failed(course, door) for door in names)) for way, course in courses.items()]
    return markdown.table(("failed through", *names), lines)


def _failed(course: Course, door: str) -> str:
    those = [request for request in course.total.failed if request.door == door]
    if not those:
        return "0"
    kinds = sorted({str(one.status or "no answer") for one in those})
    return f"{len(those)} ({', '.join(kinds)})"
