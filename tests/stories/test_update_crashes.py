"""An update that is killed or interrupted: afterwards the site is wholly old or wholly new, nothing is lost.

Some moments; with `--full` all there are.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack import hold, journal, lock
from stack.engine import containers
from tests.support import scribe, stage, visitor
from tests.support.moments import (
    PATIENCE,
    PIN,
    UNPIN,
    begun,
    done,
    happened,
    named,
    noted,
    reached,
    said,
    saved,
    watched,
)
from tests.support.stage import NEW, OLD
from tests.support.variants import GOOD, check_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient

    from tests.support.moments import Moment
    from tests.support.site import Site
    from tests.support.stage import Stage
    from tests.support.visitor import Editor

RESUME, DEPLOY, BACKUP = ("bin/inv", "resume"), ("./deploy.sh",), ("./backup.sh", "--db-only")
UNTOUCHED, BACK, DONE = 130, 20, 0
HALF_WAY = said("half migrated", "new")


@dataclass(frozen=True)
class Kill:
    """When an update is killed, what the site has to be then, and what somebody types next."""

    moment: Moment
    side: str
    types: tuple[str, ...] = RESUME

    def __str__(self) -> str:
        return str(self.moment)


@dataclass(frozen=True)
class Signal:
    """When an update gets a signal, the exit code it ends with, and what the site has to be then."""

    moment: Moment
    number: signal.Signals
    code: int
    side: str

    def __str__(self) -> str:
        return f"{self.number.name} at {self.moment}"


SHORT = (
    Kill(begun("Trial"), OLD),
    Kill(begun("Stop the old release"), OLD),
    Kill(happened("update", "old"), OLD),
    Kill(HALF_WAY, OLD),
    Kill(noted("proven"), NEW),
    Kill(named(), NEW, BACKUP),
    Kill(happened(f"exec_start: {UNPIN}"), NEW),
    Kill(done("Watch, through the gate"), NEW),
)
FULL = (
    *SHORT,
    Kill(begun("New container"), OLD),
    Kill(noted("old"), OLD),
    Kill(happened("create"), OLD),
    Kill(noted("new"), OLD),
    Kill(happened("update", "new"), OLD),
    Kill(done("New container"), OLD),
    Kill(begun("Back up the database"), OLD, BACKUP),
    Kill(done("Back up the database"), OLD),
    Kill(begun("Fill a scratch volume"), OLD),
    Kill(done("Fill a scratch volume"), OLD),
    Kill(done("Trial"), OLD),
    Kill(begun("Visitors wait, requests end"), OLD),
    Kill(done("Visitors wait, requests end"), OLD),
    Kill(done("Stop the old release"), OLD),
    Kill(begun("Keep its database"), OLD),
    Kill(done("Keep its database"), OLD),
    Kill(begun("Start the new release"), OLD, BACKUP),
    Kill(happened(f"exec_start: {PIN}"), OLD),
    Kill(noted("unproven"), OLD),
    Kill(happened("start", "new"), OLD),
    Kill(happened("update", "new", times=2), NEW),
    Kill(saved(), NEW),
    Kill(noted("held"), NEW),
    Kill(begun("Gate"), NEW),
    Kill(done("Gate"), NEW),
    Kill(begun("Watch, through the gate"), NEW),
    Kill(happened("destroy", "old"), NEW),
)
RESUMED_SHORT = (happened("start"), happened(f"exec_start: {UNPIN}"))  # it puts back, it lets visitors in
RESUMED_FULL = (
    happened("destroy", "new"),
    *RESUMED_SHORT,
    happened("update", "old"),
    happened("start", "old"),
)
INTERRUPTED_SHORT = (
    Signal(begun("Trial"), signal.SIGHUP, UNTOUCHED, OLD),
    Signal(HALF_WAY, signal.SIGINT, BACK, OLD),
    Signal(noted("proven"), signal.SIGTERM, DONE, NEW),
)
INTERRUPTED_FULL = (
    *INTERRUPTED_SHORT,
    Signal(happened("create"), signal.SIGINT, UNTOUCHED, OLD),
    Signal(begun("Back up the database"), signal.SIGTERM, UNTOUCHED, OLD),
    Signal(begun("Fill a scratch volume"), signal.SIGINT, UNTOUCHED, OLD),
    Signal(done("Trial"), signal.SIGTERM, UNTOUCHED, OLD),
    Signal(begun("Visitors wait, requests end"), signal.SIGINT, UNTOUCHED, OLD),
    Signal(begun("Stop the old release"), signal.SIGHUP, BACK, OLD),
    Signal(begun("Keep its database"), signal.SIGTERM, BACK, OLD),
    Signal(noted("unproven"), signal.SIGHUP, BACK, OLD),
    Signal(named(), signal.SIGINT, DONE, NEW),
    Signal(noted("held"), signal.SIGHUP, DONE, NEW),
    Signal(begun("Watch, through the gate"), signal.SIGINT, DONE, NEW),
    Signal(happened("destroy", "old"), signal.SIGTERM, DONE, NEW),
)
LONG_AND_SHORT = {
    "kill": (FULL, SHORT),
    "resumed": (RESUMED_FULL, RESUMED_SHORT),
    "interruption": (INTERRUPTED_FULL, INTERRUPTED_SHORT),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, (full, short) in LONG_AND_SHORT.items():
        if name in metafunc.fixturenames:
            chosen: tuple[object, ...] = full if metafunc.config.getoption("--full") else short
            metafunc.parametrize(name, chosen, ids=str)


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("killed", **stage.SETTINGS)
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
    """Give a site whose checkout is a release that rewrites its data."""
    before = stage.of(site, engine, editor, image)
    before.check_out()
    return before


def killed(before: Stage, moment: Moment, *argv: str) -> None:
    """Run a command and kill -9 it at a moment; what it has started goes on or ends by itself."""
    with watched(before.engine, before.site) as seen, before.site.starting(*argv) as process:
        reached(seen, moment, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)


def free(before: Stage) -> None:
    """Wait until nothing holds the lock that a killed operation has started."""
    wait_for(lambda: not lock.is_held(before.now))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def runs(before: Stage) -> bool:
    """Tell whether the application is up that the site had before."""
    found = containers.of_site(before.engine, before.site.name, "app")
    return any(app.running and app.image == before.image for app in found)


def assert_nobody_meets_what_is_unproven(before: Stage) -> None:
    """See that visitors wait, and that not even another engine would start anything on half a migration."""
    entry = journal.read(before.now)
    assert entry
    if "unproven" in entry.facts and "proven" not in entry.facts:
        apps = containers.of_site(before.engine, before.site.name, "app")
        assert {stage.policy(before.engine, app.id) for app in apps} == {"no"}
        assert hold.is_held(before.now)


def assert_nothing_is_unfinished(site: Site) -> None:
    state = site.state()
    done = site.run(*RESUME)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "nothing is unfinished\n"
    assert site.state() == state


def test_killed_at_any_moment_the_site_is_wholly_old_or_wholly_new_after_the_next_command(
    kill: Kill, before: Stage
) -> None:
    old = before.site.container("app")
    with scribe.writing(before.editor) as written:
        killed(before, kill.moment, *DEPLOY)
        assert_nobody_meets_what_is_unproven(before)
        new = journal.read(before.now)
        if kill.types != RESUME:  # which waits by itself
            free(before)
        done = before.site.run(*kill.types)
        assert done.returncode == 0, done.stderr
        assert "was broken off at" in done.stderr
        before.assert_whole(kill.side)
    assert new
    assert before.site.container("app") == (old if kill.side == OLD else new.facts["new"])
    before.assert_kept(written)
    assert_nothing_is_unfinished(before.site)


@pytest.mark.parametrize("moment", [HALF_WAY, noted("proven")], ids=str)
def test_killed_at_any_moment_the_next_deploy_makes_it_good_and_goes_on(
    moment: Moment, before: Stage
) -> None:
    with scribe.writing(before.editor) as written:
        killed(before, moment, *DEPLOY)
        new = journal.read(before.now)
        free(before)
        done = before.site.run(*DEPLOY)
        assert done.returncode == 0, done.stderr
        before.assert_whole(NEW)
    before.assert_kept(written)
    assert new
    assert (before.now.app_image == new.facts["to_image"]) == ("proven" in new.facts)


def test_a_resume_that_is_killed_is_done_again_and_loses_nothing_that_was_written_in_between(
    resumed: Moment, before: Stage
) -> None:
    killed(before, HALF_WAY, *DEPLOY)
    with scribe.writing(before.editor) as written:
        killed(before, resumed, *RESUME)
        if runs(before):
            hold.unpin(before.now)  # as whoever restarts the gate
            wait_for(lambda: bool(written.acknowledged))
        assert before.site.run(*RESUME).returncode == 0
        before.assert_whole(OLD)
    before.assert_kept(written)
    assert_nothing_is_unfinished(before.site)


def test_a_signal_leaves_the_site_as_it_was_or_leads_back_until_the_release_is_proven(
    interruption: Signal, before: Stage
) -> None:
    containers_before = before.site.state().containers
    with scribe.writing(before.editor) as written:
        with watched(before.engine, before.site) as seen, before.site.starting(*DEPLOY) as process:
            reached(seen, interruption.moment, process)
            process.send_signal(interruption.number)
            out, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == interruption.code, told
        before.assert_whole(interruption.side)
    assert "Traceback" not in told
    assert bool(out) == (interruption.code == DONE)
    assert (before.site.state().containers == containers_before) == (interruption.code == UNTOUCHED)
    before.assert_kept(written)
    assert written.failed == []


def test_a_container_that_an_engine_made_late_is_not_taken_for_the_new_release(before: Stage) -> None:
    site = before.site
    site.build_on(before.image)
    beside = ("create", "--no-build", "--no-recreate", "--scale", "app=2", "app")
    done = site.run("docker", "compose", *beside, env={"APP_IMAGE": before.base})
    assert done.returncode == 0, done.stderr
    site.deploy()
    (app,) = containers.of_site(before.engine, site.name, "app")
    assert app.image == before.now.app_image != before.base
