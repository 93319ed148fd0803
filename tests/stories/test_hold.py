"""The hold on demand: visitors wait as long as an operation wants it, and no longer than it lives."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stack import hold, settings
from stack.errors import Refused
from tests.support import echo, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stack.settings import Settings
    from tests.support.site import Site

AT_ONCE = 3  # seconds, on a busy machine
OPERATION = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(hold.__file__).resolve().parents[1])!r})
from stack import hold, settings, signals
site = settings.load(Path(sys.argv[1]))
with signals.heeded():
    print("begins", flush=True)
    with hold.leased(site) as lease:
        if "pin" in sys.argv:
            hold.pin(site)
        print(lease.drained(), flush=True)
        sys.stdin.readline()
        print(lease.alive)
"""
AT_REST = [  # and the health check, with what the engine starts it by
    "/sbin/docker-init -- caddy run",
    "caddy run",
    "{runc:[2:INIT]} runc init",
    "wget -q -O /dev/null http://127.0.0.1:3001/alive",
]


@pytest.fixture(scope="module")
def live(sibling: Callable[..., Site]) -> Site:
    site = sibling("hold")
    site.deploy()
    visitor.editor(site)
    return site


@pytest.fixture
def site(live: Site) -> Iterator[Site]:
    """Give a site at whose gate nothing may be left afterwards: no process, no marker."""
    yield live
    left = left_behind(live)
    live.inside("gate", "rm", "-f", hold.HELD, hold.PINNED)  # one failure is enough
    assert left == []
    assert live.is_healthy()


@pytest.fixture
def gate(site: Site) -> Settings:
    return settings.load(site.root)


@pytest.fixture
def visitors() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def left_behind(site: Site) -> list[str]:
    """Return what is in the gate that is not there while it is at rest."""
    listed = site.inside("gate", "ps", "-o", "args").splitlines()[1:]
    processes = [line for line in listed if not line.startswith((*AT_REST, "ps -o"))]
    return [*processes, *site.inside("gate", "ls", "/run/gate").split()]


@contextmanager
def operation(site: Site, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process of its own that takes a lease, and ends when it is sent a line."""
    with subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-c", OPERATION, site.root, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert line_of(process) == "begins"
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def assert_waits(answer: futures.Future[Any], seconds: float = 1) -> None:
    assert not futures.wait([answer], timeout=seconds).done, "it was answered during the hold"


def test_a_request_waits_during_a_lease_and_is_answered_when_it_ends(
    site: Site, gate: Settings, visitors: ThreadPoolExecutor
) -> None:
    with hold.leased(gate) as lease:
        assert lease.alive
        assert hold.is_held(gate)
        assert lease.drained() == 0
        answer = visitors.submit(site.get, "/api/health")
        assert_waits(answer)
    assert answer.result(AT_ONCE).status_code == 200
    assert not lease.alive
    assert not hold.is_held(gate)


def test_a_post_waits_too_and_is_carried_out_once(
    site: Site, gate: Settings, visitors: ThreadPoolExecutor
) -> None:
    editor = visitor.editor(site)
    with hold.leased(gate) as lease:
        lease.drained()
        created = visitors.submit(editor.publish, "held")
        assert_waits(created)
    kept = created.result(AT_ONCE)
    found = site.get("/api/posts?where[title][equals]=held").json()["docs"]
    assert [post["id"] for post in found] == [kept]


def test_an_operation_that_is_killed_frees_the_visitors_at_once(
    site: Site, visitors: ThreadPoolExecutor
) -> None:
    with operation(site) as process:
        assert line_of(process) == "0"
        answer = visitors.submit(site.get, "/api/health")
        assert_waits(answer)
        process.kill()
        assert answer.result(AT_ONCE).status_code == 200


def test_a_frozen_operation_frees_the_visitors_and_knows_it_when_it_goes_on(
    site: Site, visitors: ThreadPoolExecutor
) -> None:
    with operation(site) as process:
        assert line_of(process) == "0"
        process.send_signal(signal.SIGSTOP)
        answer = visitors.submit(site.get, "/api/health")
        assert_waits(answer, hold.PATIENCE - hold.RENEWAL - 1)
        assert answer.result(20).status_code == 200
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate("\n", timeout=20)
    assert (out, err, process.returncode) == ("False\n", "", 0)


def test_a_lease_is_renewed_for_as_long_as_its_operation_lives(
    site: Site, gate: Settings, visitors: ThreadPoolExecutor
) -> None:
    with hold.leased(gate) as lease:
        lease.drained()
        answer = visitors.submit(site.get, "/api/health")
        assert_waits(answer, hold.PATIENCE + 2)
        assert lease.alive
    assert answer.result(AT_ONCE).status_code == 200


def test_a_pin_outlives_its_operation_until_it_is_removed(
    site: Site, gate: Settings, visitors: ThreadPoolExecutor
) -> None:
    with operation(site, "pin") as process:
        assert line_of(process) == "0"
        process.kill()
    answer = visitors.submit(site.get, "/api/health")
    assert_waits(answer, 3)
    assert left_behind(site) == ["pinned"]
    assert hold.is_held(gate)
    with hold.leased(gate):  # as another operation would
        pass
    assert_waits(answer)
    hold.unpin(gate)
    assert answer.result(AT_ONCE).status_code == 200
    hold.unpin(gate)  # nothing to do


def test_requests_under_way_are_counted_and_answered(
    sibling: Callable[..., Site], visitors: ThreadPoolExecutor
) -> None:
    slow = echo.start(sibling("slow"))
    answers = [visitors.submit(slow.get, "/slow") for _ in range(2)]  # two seconds each
    time.sleep(0.3)
    with hold.leased(settings.load(slow.root)) as lease:
        assert lease.drained(limit=0) == 2
        late = visitors.submit(slow.get, "/")
        assert lease.drained() == 0
        assert [answer.result(AT_ONCE).text for answer in answers] == ["firstlast"] * 2
        assert_waits(late)
    assert late.result(AT_ONCE).status_code == 200


def test_the_end_of_an_earlier_lease_does_not_end_a_later_one(site: Site, gate: Settings) -> None:
    with ExitStack() as earlier:
        earlier.enter_context(hold.leased(gate))
        with hold.leased(gate):
            earlier.close()
            assert hold.is_held(gate)
    assert not hold.is_held(gate)


@pytest.mark.parametrize("delay", [0, 0.04, 0.08, 0.12, 0.16, 0.2])
def test_ctrl_c_while_a_lease_begins_leaves_nothing(delay: float, site: Site) -> None:
    with operation(site) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert err.strip().endswith("KeyboardInterrupt: SIGINT")
        assert left_behind(site) == []


def test_a_gate_that_is_started_anew_during_a_lease_holds_nobody(site: Site, gate: Settings) -> None:
    with hold.leased(gate) as lease:
        hold.pin(gate)
        site.compose("restart", "gate")
        assert not lease.alive
        assert not hold.is_held(gate)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["terminated", "killed"])
def test_a_lease_whose_keeper_was_ended_in_the_gate_is_over(
    how: signal.Signals, site: Site, gate: Settings
) -> None:
    with hold.leased(gate) as lease:
        keeper = site.inside("gate", "cat", hold.HELD).strip()
        children = site.inside("gate", "sh", "-c", f"cat /proc/{keeper}/task/{keeper}/children")
        site.inside("gate", "kill", f"-{how.value}", keeper, *children.split())
        deadline = time.monotonic() + AT_ONCE
        while lease.alive and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not lease.alive


def test_a_gate_that_does_not_run_is_refused(site: Site, gate: Settings) -> None:
    site.compose("stop", "gate")
    try:
        with pytest.raises(Refused, match="cannot hold") as refusal, hold.leased(gate):
            pytest.fail("nobody is held")
        with pytest.raises(Refused):
            hold.pin(gate)
        assert not hold.is_held(gate)
        hold.unpin(gate)
    finally:
        site.compose("up", "--detach", "--no-build", "--wait", "gate")
    assert 'service "gate" is not running' in refusal.value.why
