"""How a site is told to be: every fact, and every fact that is not known."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from stack import journal, lock
from stack.engine.containers import _seen
from stack.errors import Refused
from stack.journal import Entry
from stack.operations import status
from stack.operations.health import check
from stack.operations.status import _lines, _sizes, _uptime
from tests.unit.support import engine
from tests.unit.support.servers import Reply, serving

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings
    from tests.unit.support.engine import Engine
    from tests.unit.support.programs import Programs

FACTS: dict[str, Any] = {
    "site": "shop",
    "release": "20261122T181500Z-0123456789ab",
    "state": "running",
    "health": "healthy",
    "answers": 200,
    "uptime": 93_784,
    "restarts": 0,
    "oom_killed": False,
    "cpu": 0.05,
    "memory": 77_524_992,
    "memory_limit": 805_306_368,
    "pids": 19,
    "pids_limit": 256,
    "database": 4096,
    "media": 0,
    "gate": "healthy",
    "gate_url": "http://127.0.0.1:3000",
    "maintenance": False,
    "node_image": "node:24-alpine",
    "gate_image": "caddy:2-alpine",
    "disk_free": 5 << 30,
    "disk_total": 20 << 30,
    "operation": None,
}


def test_the_uptime_is_in_seconds() -> None:
    started = datetime.now(timezone.utc) - timedelta(hours=1)
    container = _seen(engine.container(StartedAt=f"{started:%Y-%m-%dT%H:%M:%S}.123456789Z"))
    assert 3600 <= _uptime(container) <= 3602


def test_a_healthy_site_is_told_line_by_line() -> None:
    assert _lines(FACTS) == [
        "site       shop",
        "release    20261122T181500Z-0123456789ab",
        "state      running, healthy",
        "answers    200",
        "uptime     1 d 2 h",
        "restarts   0",
        "cpu        0.05 cores",
        "memory     73.9 MiB of 768.0 MiB",
        "processes  19 of 256",
        "database   4.0 KiB",
        "media      0 B",
        "disk       5.0 GiB free of 20.0 GiB",
        "gate       healthy, http://127.0.0.1:3000",
        "visitors   come in",
        "built on   node:24-alpine, caddy:2-alpine",
    ]


def test_a_site_that_does_not_run_is_told_with_dashes() -> None:
    unknown = ("release", "answers", "uptime", "restarts", "oom_killed", "cpu", "memory", "memory_limit")
    facts = {
        **FACTS,
        **dict.fromkeys((*unknown, "database", "media")),
        "state": "stopped",
        "health": "stopped",
    }
    told = _lines(facts)
    assert "release    none" in told
    assert "answers    nothing" in told
    assert "restarts   -" in told
    assert "memory     - of -" in told
    assert "database   -" in told


def test_that_visitors_see_a_page_is_told() -> None:
    assert "visitors   see the page of maintenance" in _lines({**FACTS, "maintenance": True})


def test_a_container_that_was_killed_for_its_memory_is_told() -> None:
    assert "restarts   3, killed for its memory" in _lines({**FACTS, "restarts": 3, "oom_killed": True})


def test_sizes_of_database_and_media_are_those_that_the_container_tells(
    site: Settings, programs: Programs
) -> None:
    programs.add("docker", says="4096\n0\n")
    assert _sizes(site) == (4096, 0)
    (call,) = programs.calls("docker")
    assert call[:4] == ["compose", "exec", "--no-TTY", "app"]
    assert call[-2:] == ["/data", "/app/public/media"]


@pytest.mark.parametrize("told", ["", "4096\n", "NaN\n0\n", "OCI runtime exec failed\n"])
def test_sizes_that_are_not_told_are_not_known(told: str, site: Settings, programs: Programs) -> None:
    programs.add("docker", says=told, code=1)
    assert _sizes(site) == (None, None)


def test_the_state_of_a_stopped_site_for_scripts_has_every_fact(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.running() as docker:
        monkeypatch.setenv("DOCKER_HOST", docker.host)
        docker.answers["GET /containers/json"] = []
        docker.answers["GET /info"] = {"DockerRootDir": str(checkout)}
        status.status(checkout, as_json=True)
        told = json.loads(capsys.readouterr().out)
        status.status(checkout, as_json=False)
    assert set(told) == set(FACTS)
    assert (told["state"], told["gate"], told["release"], told["memory"]) == (
        "stopped",
        "stopped",
        None,
        None,
    )
    assert told["disk_total"] > 0
    assert "state      stopped, stopped" in capsys.readouterr().out


def test_a_second_site_that_makes_the_plain_name_ambiguous_is_warned_about(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.running() as docker:
        monkeypatch.setenv("DOCKER_HOST", docker.host)
        others: list[dict[str, Any]] = [
            engine.listed(engine.container(labels={"com.docker.compose.project": "museum"}))
        ]
        answers = iter([[], [], others])
        docker.answers["GET /containers/json"] = lambda: next(answers)
        docker.answers["GET /info"] = {"DockerRootDir": str(checkout)}
        status.status(checkout, as_json=True)
    err = capsys.readouterr().err
    assert "http://app:3000 on network proxy is answered by museum too" in err
    assert "http://shop:3000" in err


# --- operations ------------------------------------------------------------------------------------


def told_of_the_operation(
    checkout: Path, docker: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[Any, str]:
    """Return what is told of the operation in JSON, and on stderr."""
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    docker.answers["GET /containers/json"] = []
    docker.answers["GET /info"] = {"DockerRootDir": str(checkout)}
    status.status(checkout, as_json=True)
    out, err = capsys.readouterr()
    return json.loads(out)["operation"], err


def test_an_operation_that_is_at_work_is_told_with_its_step(
    site: Settings, docker: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with lock.held(site, "restore"):
        journal.write(site, Entry("1", "restore", "2026-11-23T05:15:58Z", 4711, "Trial", done=False))
        told, err = told_of_the_operation(site.root, docker, monkeypatch, capsys)
    assert told == {
        "operation": "restore",
        "step": "Trial",
        "began": "2026-11-23T05:15:58Z",
        "at_work": True,
        "said": None,
    }
    assert err == "restore is at work since 2026-11-23T05:15:58Z: Trial\n"


def test_one_that_was_broken_off_is_warned_about(
    site: Settings, docker: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with lock.held(site, "restore"):
        journal.write(site, Entry("1", "restore", "2026-11-23T05:15:58Z", 4711, "Trial", done=False))
    told, err = told_of_the_operation(site.root, docker, monkeypatch, capsys)
    assert told["at_work"] is False
    assert 'restore of 2026-11-23T05:15:58Z was broken off at "Trial": `bin/inv resume`' in err


def test_the_state_is_told_whatever_the_journal_is(
    site: Settings, docker: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.state.mkdir()
    journal.path(site).write_bytes(b'{"id": "1')
    told, err = told_of_the_operation(site.root, docker, monkeypatch, capsys)
    assert (told["operation"], told["at_work"]) == (None, False)
    assert str(journal.path(site)) in told["said"]
    assert "the journal of an unfinished operation cannot be read" in err
    assert journal.path(site).read_bytes() == b'{"id": "1'


# --- health ------------------------------------------------------------------------------------


def test_health_is_what_the_route_says(site: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda _: Reply(200, '{"status":"ok"}')) as gate:
        (site.root / ".env").write_text(f"HOST_PORT={gate.port}\nHEALTH_PATH=/health\n")
        check(site.root)
    assert gate.asked == ["GET /health"]
    assert capsys.readouterr() == ('{"status":"ok"}\n', "")


def test_a_site_that_is_not_healthy_is_an_error_with_the_reason(site: Settings) -> None:
    with serving(lambda _: Reply(503, '{"database":"locked"}')) as gate:
        (site.root / ".env").write_text(f"HOST_PORT={gate.port}\n")
        with pytest.raises(Refused, match="shop is not healthy") as refusal:
            check(site.root)
    assert refusal.value.why == 'its health route answers 503: {"database":"locked"}'
