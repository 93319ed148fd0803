"""Releases that pass their trial and are bad all the same: in the hold, and after visitors were let in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from stack.engine import containers
from tests.support import contents, scribe, stage, updates, visitor
from tests.support.variants import (
    CRASHES_LIVE,
    EXITS_LATER,
    EXITS_LATER_MIGRATED,
    GOOD,
    NEVER_HEALTHY_LIVE,
    THROWS_LIVE,
    TURNS_BAD,
    TURNS_BAD_MIGRATED,
    check_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient

    from tests.support.site import Site
    from tests.support.stage import Stage
    from tests.support.variants import Variant
    from tests.support.visitor import Editor

LONG_AND_SHORT = {
    "in_the_hold": ((CRASHES_LIVE, THROWS_LIVE, NEVER_HEALTHY_LIVE), (CRASHES_LIVE, THROWS_LIVE)),
    "taken_back": ((TURNS_BAD, EXITS_LATER), (TURNS_BAD,)),
    "stays": ((TURNS_BAD_MIGRATED, EXITS_LATER_MIGRATED), (EXITS_LATER_MIGRATED,)),
}
WHY = {
    CRASHES_LIVE: "app exits by itself with code 3",
    THROWS_LIVE: "app exits by itself with code 1",
    NEVER_HEALTHY_LIVE: "its health route answers 500",
    TURNS_BAD: "through the gate, its health route answers 500",
    TURNS_BAD_MIGRATED: "through the gate, its health route answers 500",
    EXITS_LATER: "it ended by itself, ",  # with its code, or it was started again already
    EXITS_LATER_MIGRATED: "it ended by itself, ",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, (full, short) in LONG_AND_SHORT.items():
        if name in metafunc.fixturenames:
            chosen: tuple[Variant, ...] = full if metafunc.config.getoption("--full") else short
            metafunc.parametrize(name, chosen, ids=str)


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("bad", **{**stage.SETTINGS, "WATCH_SECONDS": "5"})  # they turn bad after four
    check_out(site, image, GOOD)
    site.deploy()
    return site


@pytest.fixture(scope="module")
def editor(site: Site) -> Editor:
    editor = visitor.editor(site)
    editor.upload("picture.png", visitor.picture())
    return editor


@pytest.fixture
def before(site: Site, editor: Editor, engine: DockerClient, image: str) -> Stage:
    return stage.of(site, engine, editor, image)


def test_what_only_shows_when_it_counts_leads_back_while_visitors_wait(
    in_the_hold: Variant, before: Stage
) -> None:
    before.check_out(in_the_hold)
    with scribe.writing(before.editor) as written:
        done = before.site.run("./deploy.sh")
        before.assert_whole(stage.OLD)
    assert done.returncode == 20, done.stderr
    assert (
        "error: the new release does not answer; the site is up and healthy, its data as before"
        in done.stderr
    )
    assert WHY[in_the_hold] in done.stderr
    before.assert_kept(written)
    assert written.failed == []


def test_a_release_that_turns_bad_gives_way_and_keeps_what_was_written_to_it(
    taken_back: Variant, before: Stage
) -> None:
    before.check_out(taken_back)
    with scribe.writing(before.editor) as written:
        done = before.site.run("./deploy.sh")
        before.assert_whole(stage.OLD)
    assert done.returncode == 20, done.stderr
    assert "turned bad after its start; the one before it is up and healthy, nothing written" in done.stderr
    assert WHY[taken_back] in done.stderr
    before.assert_kept(written)
    assert written.failed == [] or taken_back is EXITS_LATER  # which cuts off whoever is there


def test_a_release_that_turns_bad_after_it_migrated_stays_and_the_data_from_before_is_named(
    stays: Variant, before: Stage
) -> None:
    before.check_out(stays)
    with scribe.writing(before.editor) as written:
        done = before.site.run("./deploy.sh")
    assert done.returncode == 21, done.stderr
    assert "turned bad after its start, and stays" in done.stderr
    assert WHY[stays] in done.stderr
    assert "`bin/inv rollback --with-data`" in done.stderr
    (app,) = containers.of_site(before.engine, before.site.name, "app")
    assert app.image == before.now.app_image != before.image
    assert stage.policy(before.engine, app.id) == "always"
    before.assert_tidy()
    assert_sound_and_of_before(before, done.stderr)

    before.check_out(GOOD)
    before.site.deploy()
    before.assert_kept(written)


def assert_sound_and_of_before(before: Stage, told: str) -> None:
    """See that the archive that a report names holds the rows from before the update."""
    (archive,) = re.findall(r"the database from before is in (\S+)", told)
    verified = before.site.inv("backups.verify", archive)
    assert verified.returncode == 0, verified.stderr
    rows = contents.rows(before.site.root / archive)
    assert updates.changed({**before.rows, "sqlite_schema": []}, {**rows, "sqlite_schema": []}) == ""
