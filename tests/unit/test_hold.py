"""The operation's side of a hold. What the gate does with it is told by `tests/stories/test_hold.py`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import hold
from stack.errors import Failure, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.settings import Settings
    from tests.unit.support.programs import Programs

GATE = """
case "$*" in
  *uptime*) {keeper}; exit ;;
  *"compose ps"*) cat {state}; exit 0 ;;
  *" rm "*) exit {removing} ;;
  *upstreams*) head -n 1 {told}; sed -i 1d {told}; exit 0 ;;
esac
"""
OBEDIENT = "while read -r _; do echo renewed; done"
DEAD = "echo 'service \"gate\" is not running' >&2; exit 1"
OPERATION = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(hold.__file__).resolve().parents[1])!r})
from stack import hold, settings, signals
with signals.heeded(), hold.leased(settings.load(Path(sys.argv[1]))):
    print("held")
"""


@pytest.fixture
def gate(programs: Programs, tmp_path: Path) -> Callable[..., None]:
    """Put a `docker` in front of PATH: ``gate(keeper, running=True, told=(), removing=0)``."""

    def make(
        keeper: str = OBEDIENT, *, running: bool = True, told: tuple[str, ...] = (), removing: int = 0
    ) -> None:
        state, upstreams = tmp_path / "state", tmp_path / "upstreams"
        state.write_text("0123456789ab\n" if running else "")
        upstreams.write_text("".join(f"{line}\n" for line in told))
        programs.add("docker", GATE.format(state=state, told=upstreams, keeper=keeper, removing=removing))

    return make


def upstreams(*counts: int) -> str:
    return json.dumps([{"address": "app.shop.invalid.:3000", "num_requests": n, "fails": 0} for n in counts])


def test_a_lease_lives_while_the_gate_confirms_it(gate: Callable[..., None], site: Settings) -> None:
    gate()
    with hold.leased(site) as lease:
        assert lease.alive
    assert not lease.alive


def test_what_the_gate_does_not_confirm_any_more_is_no_lease(
    gate: Callable[..., None], site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate("read -r _; echo renewed; cat >/dev/null")
    with hold.leased(site) as lease:
        assert lease.alive
        monkeypatch.setattr(hold, "PATIENCE", 0)  # what it has confirmed is too long ago
        assert not lease.alive


@pytest.mark.parametrize(
    ("keeper", "why"),
    [
        (DEAD, 'service "gate" is not running'),
        ("echo 'a warning'; echo \"sh: can't create /run/gate/hold\"; exit 1", "can't create /run/gate/hold"),
        ("cat >/dev/null", "no answer within 0.1 s"),
    ],
    ids=["not-running", "no-marker", "silent"],
)
def test_a_gate_that_cannot_hold_is_refused_with_its_words(
    keeper: str, why: str, gate: Callable[..., None], site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "PATIENCE", 0.1 if "cat" in keeper else 15)
    gate(keeper, running=False)
    with pytest.raises(Refused, match="the gate cannot hold requests") as refusal, hold.leased(site):
        pytest.fail("nobody is held")
    assert why in refusal.value.why


def test_a_warning_of_compose_is_no_obstacle(gate: Callable[..., None], site: Settings) -> None:
    gate(f"echo 'level=warning msg=\"the attribute version is obsolete\"' >&2; {OBEDIENT}")
    with hold.leased(site) as lease:
        assert lease.alive


def test_where_the_keeper_ended_badly_the_marker_is_removed(
    gate: Callable[..., None], site: Settings, programs: Programs
) -> None:
    gate(f"{OBEDIENT}; exit 137")
    with hold.leased(site):
        pass
    assert programs.calls("docker")[-1][-3:] == ["rm", "-f", "/run/gate/hold"]


def test_a_marker_that_cannot_be_removed_does_not_hide_the_error_before(
    gate: Callable[..., None], site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    gate(f"{OBEDIENT}; exit 137", removing=1)
    with pytest.raises(ValueError, match="the first"), hold.leased(site):
        raise ValueError("the first")
    assert "requests may wait at the gate for 15 s more: exit code 1" in capsys.readouterr().err


def test_ctrl_c_while_a_lease_begins_ends_what_was_started(
    gate: Callable[..., None], site: Settings, tmp_path: Path
) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    subprocess.run(["mkfifo", begun], check=True)
    gate(f"echo >{begun}; cat >/dev/null; echo >{ended}")
    with subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-c", OPERATION, site.root],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as operation:
        begun.read_text()  # waits until the keeper runs
        operation.send_signal(signal.SIGINT)
        out, err = operation.communicate(timeout=20)
    assert out == ""
    assert err.strip().endswith("KeyboardInterrupt: SIGINT")
    assert ended.exists(), "it was not waited for"


def test_draining_ends_when_nothing_is_under_way(gate: Callable[..., None], site: Settings) -> None:
    gate(told=(upstreams(2, 1), upstreams(1), upstreams(0)))
    slept: list[float] = []
    with hold.leased(site) as lease:
        assert lease.drained(clock=lambda: 0, sleep=slept.append) == 0
    assert slept == [hold.PROBES, hold.INTERVAL, hold.INTERVAL]


def test_after_the_limit_draining_tells_how_many_are_still_under_way(
    gate: Callable[..., None], site: Settings
) -> None:
    gate(told=(upstreams(2, 1), upstreams(2), upstreams(2)))
    times = iter([0.0, 4.9, 5.0])
    with hold.leased(site) as lease:
        assert lease.drained(5, clock=lambda: next(times), sleep=lambda _: None) == 2


@pytest.mark.parametrize("told", ["", "wget: can't connect", '{"error": "x"}', "[{}]"])
def test_a_gate_that_does_not_tell_what_is_under_way_is_refused(
    told: str, gate: Callable[..., None], site: Settings
) -> None:
    gate(told=(told,))
    with pytest.raises(Refused, match="does not tell what is under way"):
        hold.under_way(site)


@pytest.mark.parametrize(
    ("says", "held"), [("", False), ("hold", True), ("pinned", True), ("hold\npinned", True)]
)
def test_either_marker_holds(says: str, held: bool, programs: Programs, site: Settings) -> None:
    programs.add("docker", says=says)
    assert hold.is_held(site) is held


@pytest.mark.parametrize(
    ("verb", "failure"), [(hold.pin, Refused), (hold.unpin, Refused), (hold.is_held, Refused)]
)
def test_a_gate_that_runs_and_does_not_obey_is_told_with_its_words(
    verb: Callable[[Settings], object], failure: type[Failure], programs: Programs, site: Settings
) -> None:
    programs.add("docker", '[ "$2" != ps ] || { echo 0123456789ab; exit 0; }', complains="no memory", code=1)
    with pytest.raises(failure) as told:
        verb(site)
    assert told.value.why == "no memory"


def test_at_a_gate_that_does_not_run_nobody_is_held(programs: Programs, site: Settings) -> None:
    programs.add("docker", '[ "$2" != ps ] || exit 0', complains="not running", code=1)
    assert not hold.is_held(site)
    hold.unpin(site)
