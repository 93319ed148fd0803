"""Ctrl-C, SIGTERM, a session that ends, and readers that go away, at each step of a deploy."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.site import Site

# A release that takes a while to build and to start, so that there is time to interrupt it.
SLOW = ("RUN sleep 1", 'CMD ["sh", "-c", "sleep 2; exec node server.js"]')
SLOW_TO_STOP = 'CMD ["sh", "-c", "trap \'sleep 5; exit 0\' TERM; node server.js & wait"]'
UNTOUCHED, BACK = 130, 20
STEPS = {
    "Environment file": {UNTOUCHED},
    "Network": {UNTOUCHED},
    "Data": {UNTOUCHED},
    "What changed": {UNTOUCHED},  # it is building now
    "Build": {UNTOUCHED, BACK},  # it is just about to start
    "Start": {BACK},  # it waits for health
}


@pytest.fixture(scope="module")
def live(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("cut")
    site.build_on(image)
    site.deploy()
    site.build_on(image, *SLOW)
    return site


@pytest.fixture
def site(live: Site) -> Iterator[Site]:
    """Give a healthy site whose checkout holds another release; afterwards the old one answers as before."""
    before, settings = live.status()["release"], (live.root / ".env").read_text()
    post = visitor.editor(live).publish("kept")
    yield live
    assert live.get(f"/api/posts/{post}").json()["title"] == "kept"
    assert live.status()["release"] == before
    assert (live.root / ".env").read_text() == settings
    assert leftovers(live) == []


@pytest.fixture(scope="module")
def slow_to_stop(sibling: Callable[..., Site], image: str) -> Site:
    """Give a site whose application takes five seconds to stop; the last test of it stops it."""
    site = sibling("stopping")
    site.build_on(image, SLOW_TO_STOP)
    site.deploy()
    return site


def leftovers(site: Site) -> list[str]:
    """Return files that a broken-off operation forgot."""
    return [path.name for path in site.root.iterdir() if re.match(r"\.\.|\.env.*\..{8}$", path.name)]


def interrupted(site: Site, after: str, *how: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Deploy, and when a step is over send signals; without any, stop reading."""
    with site.starting("./deploy.sh") as process:
        assert process.stderr
        told = []
        for line in iter(process.stderr.readline, ""):
            told.append(line)
            if line.startswith(f"  {after}"):
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
    assert done.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["ctrl-c", "hang-up"])
@pytest.mark.parametrize("after", STEPS)
def test_a_signal_at_any_step_leaves_the_site_as_it_was_or_leads_back(
    after: str, number: signal.Signals, site: Site
) -> None:
    before = site.state()
    done = interrupted(site, after, number)
    assert_ended(done, STEPS[after])
    if done.returncode == BACK:
        assert "why: interrupted by " in done.stderr
        assert "the previous one is back and healthy" in done.stderr
    else:
        assert "interrupted; the site is as it was" in done.stderr
        assert site.state() == before


@pytest.mark.parametrize("after", STEPS)
def test_a_reader_that_goes_away_at_any_step_leaves_the_site_as_it_was_or_leads_back(
    after: str, site: Site
) -> None:
    before = site.state()
    done = interrupted(site, after)
    assert_ended(done, STEPS[after])  # noticed with the next line that is written
    if done.returncode == UNTOUCHED:
        assert site.state() == before


@pytest.mark.parametrize("after", ["What changed", "Start"])
def test_the_end_of_the_machine_leaves_the_site_as_it_was_or_leads_back(after: str, site: Site) -> None:
    assert_ended(interrupted(site, after, signal.SIGTERM), STEPS[after])


def test_ctrl_c_while_the_old_application_stops_leads_back(slow_to_stop: Site, image: str) -> None:
    """An engine does not break off a stop: what is still stopping looks as if it ran."""
    site, release = slow_to_stop, slow_to_stop.status()["release"]
    site.build_on(image)
    with site.starting("./deploy.sh") as process:
        assert process.stderr
        next(line for line in iter(process.stderr.readline, "") if line.startswith("  Build"))
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == BACK, told
    assert re.search("^  Start +interrupted", told, re.MULTILINE), told
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


def test_ctrl_c_pressed_again_and_again_does_not_break_off_the_way_back(site: Site) -> None:
    done = interrupted(site, "Start", *[signal.SIGINT, signal.SIGHUP, signal.SIGTERM] * 3)
    assert_ended(done, {BACK})
    assert "going on: what has begun must not be left half done" in done.stderr


def test_a_terminal_that_is_closed_during_the_build_leaves_the_site_as_it_was(site: Site) -> None:
    before = site.state()
    assert closed_terminal(site, b"Build") == UNTOUCHED
    assert site.state() == before


def test_a_terminal_that_is_closed_during_the_start_leads_back(site: Site) -> None:
    assert closed_terminal(site, b"Health") == BACK


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
