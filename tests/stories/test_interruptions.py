"""Ctrl-C, SIGTERM, a session that ends, and readers that go away, at each step of a deploy."""

from __future__ import annotations

import itertools
import os
import pty
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack import hold, journal
from stack import settings as site_settings
from stack.engine import containers
from tests.support import contents, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.site import Site, State

# A release that takes a while to build and to start, so that there is time to interrupt it.
SLOW = ("RUN sleep 1", 'CMD ["sh", "-c", "sleep 2; exec node server.js"]')
SLOW_TO_STOP = 'CMD ["sh", "-c", "trap \'sleep 5; exit 0\' TERM; node server.js & wait"]'
UNTOUCHED, BACK, DONE = 130, 20, 0
STEPS = {
    "Environment file": {UNTOUCHED},
    "Network": {UNTOUCHED},
    "Data": {UNTOUCHED},
    "What changed": {UNTOUCHED},  # it is building now
    "Build": {UNTOUCHED},
    "New container": {UNTOUCHED},
    "Back up the database": {UNTOUCHED},
    "Fill a scratch volume": {UNTOUCHED},  # the trial is on
    "Trial": {UNTOUCHED},
    "Visitors wait, requests end": {UNTOUCHED, BACK},  # it is just about to stop the old release
    "Stop the old release": {BACK},
    "Keep its database": {BACK},  # the new release starts
    "Start the new release": {BACK, DONE},  # it answers, which is just about to be written down
    "Gate": {DONE},
    "Watch, through the gate": {DONE},
}
WAYS = {"ctrl-c": signal.SIGINT, "hang-up": signal.SIGHUP, "terminated": signal.SIGTERM}
READ_UNTIL = (
    "Environment file",
    "What changed",
    "Trial",
    "Visitors wait, requests end",
    "Keep its database",
    "Start the new release",
)


@dataclass(frozen=True)
class Before:
    """A site whose checkout holds another release than the one that serves, before somebody deploys."""

    site: Site
    state: State
    settings: str
    container: str
    release: str

    def assert_as_told(self, code: int) -> None:
        """See that the site is what the exit code says."""
        assert (self.state == self.site.state()) == (code == UNTOUCHED)
        assert (self.container == self.site.container("app")) == (code != DONE)
        assert (self.release == self.site.status()["release"]) == (code != DONE)
        assert (self.settings == (self.site.root / ".env").read_text()) == (code != DONE)


@pytest.fixture(scope="module")
def live(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("cut")
    site.build_on(image)
    site.deploy()
    return site


@pytest.fixture
def before(live: Site, image: str, engine: DockerClient) -> Iterator[Before]:
    """Give a healthy site; afterwards its data is as before, and nothing is left of what was begun."""
    live.build_on(image, "RUN sleep 1", f"LABEL attempt={time.time()}")
    volumes, post = contents.volumes(live), visitor.editor(live).publish("kept")
    settings = (live.root / ".env").read_text()
    yield Before(live, live.state(), settings, live.container("app"), live.status()["release"])
    assert live.get(f"/api/posts/{post}").json()["title"] == "kept"
    assert contents.volumes(live) == volumes
    assert_nothing_is_left(live, engine)


@pytest.fixture(scope="module")
def slow_to_stop(sibling: Callable[..., Site], image: str) -> Site:
    """Give a site whose application takes five seconds to stop; the last test of it stops it."""
    site = sibling("stopping")
    site.build_on(image, SLOW_TO_STOP)
    site.deploy()
    return site


def assert_nothing_is_left(site: Site, engine: DockerClient) -> None:
    """See one application, and no file, journal, hold or container that a broken-off operation forgot."""
    now = site_settings.load(site.root)
    assert [app.state for app in containers.of_site(engine, site.name, "app")] == ["running"]
    assert not any(containers.beside(engine, site.name, service) for service in containers.BESIDE)
    assert [path.name for path in site.root.iterdir() if re.match(r"\.\.|\.env.*\..{8}$", path.name)] == []
    assert list(now.state.glob("releases/.*")) == []
    assert not journal.path(now).exists()
    assert not hold.is_held(now)


def interrupted(site: Site, after: str, *how: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Deploy, and when a step is over send signals; without any, stop reading."""
    with site.starting("./deploy.sh") as process:
        assert process.stderr
        told = []
        for line in iter(process.stderr.readline, ""):
            told.append(line)
            if line.startswith(f"  {after} "):
                for number in how:
                    process.send_signal(number)
                if not how:
                    process.stderr.close()
                    break
        out = process.stdout.read() if process.stdout else ""
    return subprocess.CompletedProcess([], process.returncode, out, "".join(told))


def assert_ended(done: subprocess.CompletedProcess[str], codes: set[int]) -> None:
    assert done.returncode in codes, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (done.returncode == DONE)


@pytest.mark.parametrize(("after", "how"), list(zip(STEPS, itertools.cycle(WAYS), strict=False)))
def test_a_signal_leaves_the_site_as_it_was_or_leads_back_until_the_release_is_proven(
    after: str, how: str, before: Before
) -> None:
    done = interrupted(before.site, after, WAYS[how])
    assert_ended(done, STEPS[after])
    before.assert_as_told(done.returncode)
    if done.returncode == BACK:
        assert "why: interrupted by " in done.stderr
        assert "the site is up and healthy, its data as before" in done.stderr
    if done.returncode == UNTOUCHED:
        assert "interrupted; the site is as it was" in done.stderr


@pytest.mark.parametrize("after", READ_UNTIL)
def test_a_reader_that_goes_away_leaves_the_site_as_it_was_or_leads_back_until_the_release_is_proven(
    after: str, before: Before
) -> None:
    done = interrupted(before.site, after)
    assert_ended(done, STEPS[after])  # noticed with the next line that is written
    before.assert_as_told(done.returncode)


def test_ctrl_c_pressed_again_and_again_does_not_break_off_the_way_back(before: Before) -> None:
    done = interrupted(before.site, "Keep its database", *WAYS.values(), *WAYS.values(), *WAYS.values())
    assert_ended(done, {BACK})
    assert "going on: what has begun must not be left half done" in done.stderr
    before.assert_as_told(BACK)


def test_ctrl_c_while_the_old_release_stops_leads_back(slow_to_stop: Site, image: str) -> None:
    """An engine does not break off a stop: what is still stopping looks as if it ran."""
    site, release = slow_to_stop, slow_to_stop.status()["release"]
    site.build_on(image)
    with site.starting("./deploy.sh") as process:
        assert process.stderr
        next(line for line in iter(process.stderr.readline, "") if line.startswith("  Visitors wait"))
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == BACK, told
    assert re.search("^  Stop the old release +interrupted", told, re.MULTILINE), told
    time.sleep(6)  # by then the stop has ended that was begun
    assert site.status()["release"] == release
    assert site.is_healthy()


def test_a_restart_that_has_begun_is_finished(slow_to_stop: Site) -> None:
    assert_finished(slow_to_stop, "bin/inv", "restart")
    assert slow_to_stop.is_healthy()


def test_a_stop_that_has_begun_is_finished(slow_to_stop: Site) -> None:
    assert_finished(slow_to_stop, "./stop.sh")
    assert slow_to_stop.state().containers == ""


def assert_finished(site: Site, *argv: str) -> None:
    """Press Ctrl-C while the application takes its time to stop."""
    with site.starting(*argv) as process:
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 0, told
    assert "going on: what has begun must not be left half done" in told


@pytest.mark.parametrize(
    ("when", "code"), [(b"Build", UNTOUCHED), (b"Start the new release", BACK), (b"Watch", DONE)]
)
def test_a_terminal_that_is_closed_leaves_the_site_as_it_was_or_leads_back_until_the_release_is_proven(
    when: bytes, code: int, before: Before
) -> None:
    assert closed_terminal(before.site, when) == code
    before.assert_as_told(code)


def closed_terminal(site: Site, when: bytes) -> int:
    """Deploy in a terminal, close it at a step, and return the exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(site.root)
        os.execvp("env", ["env", "--default-signal=HUP", "./deploy.sh"])  # noqa: S606 - in its terminal
    seen = b""
    while when not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", "| true"])
def test_a_closed_output_does_not_keep_a_deploy_from_its_end(redirection: str, shop: Site) -> None:
    done = shop.run("bash", "-o", "pipefail", "-c", f"./deploy.sh {redirection}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert shop.is_healthy()


def test_a_first_deploy_that_is_interrupted_leaves_nothing_running(
    sibling: Callable[..., Site], image: str
) -> None:
    site = sibling("first")
    site.build_on(image, *SLOW)
    done = interrupted(site, "Start", signal.SIGINT)
    assert done.returncode == BACK, done.stderr
    assert "nothing is left running" in done.stderr
    assert site.state().containers == ""
