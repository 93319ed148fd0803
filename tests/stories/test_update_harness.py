"""What watches the updates can see what must not happen: failures, losses, two writers, two applications."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stack import settings
from stack.engine.containers import ONE_OFF, PROJECT, SERVICE
from tests.support import doors, visitor, visitors, writers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import DockerClient

    from tests.support.doors import Doors
    from tests.support.site import Site
    from tests.support.visitor import Editor

OPENS = """
const { DatabaseSync } = require('node:sqlite')
globalThis.kept = new DatabaseSync('/data/payload.db', { readOnly: %s })
kept.prepare('select count(*) from posts').get()
setInterval(() => {}, 1000)
console.log('it is open')
"""
WITH_TWO = 0.4  # seconds


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site]) -> Site:
    site = sibling("watched", HOLD_LIMIT="2s", HOLD_BUDGET="1")
    site.deploy()
    return site


@pytest.fixture(scope="module")
def editor(site: Site) -> Editor:
    return visitor.editor(site)


@pytest.fixture(scope="module")
def opened(engine: DockerClient, site: Site, traefik: Path) -> Iterator[Doors]:
    with doors.opened(engine, site, traefik) as opened:
        yield opened


@contextmanager
def second(engine: DockerClient, site: Site, *, read_only: bool) -> Iterator[None]:
    """Run what a second application would be to the engine, with the database open."""
    labels = {PROJECT: site.name, SERVICE: "app", ONE_OFF: "False"}
    container = engine.containers.run(
        settings.load(site.root).app_image,
        ["node", "-e", OPENS % str(read_only).lower()],
        name=f"{site.name}-second",
        labels=labels,
        volumes=[f"{settings.load(site.root).db_volume}:/data"],
        network_mode="none",
        detach=True,
    )
    try:
        deadline = time.monotonic() + 30
        while b"it is open" not in container.logs():
            assert time.monotonic() < deadline, container.logs()
            time.sleep(0.1)
        yield
    finally:
        container.remove(force=True)


@pytest.mark.parametrize("read_only", [False, True], ids=["writes", "reads"])
def test_a_second_application_is_seen_and_whether_it_could_write(
    read_only: bool, site: Site, editor: Editor, engine: DockerClient
) -> None:
    with writers.watched(engine, site) as watch:
        editor.publish("by one")
        time.sleep(0.5)
        alone = watch.seen()
        with second(engine, site, read_only=read_only):
            time.sleep(WITH_TWO + 0.1)
    seen = watch.seen()
    assert (alone.most, alone.most_applications, alone.starts) == (1, 1, 0)
    assert alone.services == {"app"}
    assert (seen.most, len(seen.crowds) > 0) == ((1, False) if read_only else (2, True))
    assert (sum(until - since for since, until in seen.crowded) >= WITH_TWO) is not read_only
    assert (seen.most_applications, seen.starts, len(seen.overlaps)) == (2, 1, 1)


def test_every_request_that_fails_is_counted_with_its_door_and_the_rate_is_kept(
    site: Site, editor: Editor, opened: Doors, tmp_path: Path
) -> None:
    with visitors.coming(opened, editor, tmp_path / "failing", gets=20, posts=5) as coming:
        time.sleep(6)
        site.compose("stop", "--timeout", "1", "app")
        stopped = time.monotonic()
        time.sleep(5)  # longer than the gate holds here
        site.compose("start", "app")
        time.sleep(3)
    requests = coming.requests()
    before = visitors.summary(requests, until=stopped - 3)
    total = visitors.summary(requests)
    assert before.failed == ()
    assert {(failed.door, failed.status) for failed in total.failed} == {(door, 503) for door in opened}
    assert {failed.kind for failed in total.failed} == {"GET", "POST"}
    assert total.slowest > total.silence > 1
    assert total.late < visitors.PUNCTUAL
    assert visitors.rate(requests) == pytest.approx(25, rel=0.02)
    assert visitors.lost(site, total.acknowledged) == {}


def test_an_acknowledged_post_that_is_gone_or_there_twice_is_named(
    site: Site, editor: Editor, opened: Doors, tmp_path: Path
) -> None:
    with visitors.coming(opened, editor, tmp_path / "losing", gets=5, posts=5) as coming:
        time.sleep(1)
    acknowledged = visitors.summary(coming.requests()).acknowledged
    gone, doubled = list(acknowledged)[:2]
    assert site.delete(f"/api/posts/{gone}", headers=editor.headers).ok
    editor.publish(acknowledged[doubled])
    assert visitors.lost(site, acknowledged) == {gone: acknowledged[gone]}
    assert visitors.twice(site, acknowledged) == {acknowledged[doubled]}


def test_a_door_that_nobody_opens_is_a_failure_too(site: Site, editor: Editor, tmp_path: Path) -> None:
    closed = {"closed": ("127.0.0.1", 9)}
    with visitors.coming(closed, editor, tmp_path / "closed", gets=5, posts=5) as coming:
        time.sleep(1)
    total = visitors.summary(coming.requests())
    assert len(total.failed) == total.requests
    assert "ConnectionRefusedError" in total.complaint
