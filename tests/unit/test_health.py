"""Asking for health, of real servers that answer well, badly, late, or not at all."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from stack import health
from stack.health import Answer
from tests.unit.support.servers import Reply, free_port, serving, speaking

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

WELL = json.dumps({"status": "ok", "release": "20261122T181500Z-0123456789ab", "database": "ok"})


def test_a_site_that_answers_200_is_healthy_and_tells_its_release() -> None:
    with serving(lambda _: Reply(200, WELL)) as server:
        answer = health.ask(f"{server.url}/api/health")
    assert answer == Answer(200, WELL)
    assert answer.healthy
    assert answer.release == "20261122T181500Z-0123456789ab"
    assert server.asked == ["GET /api/health"]


@pytest.mark.parametrize("status", [500, 503, 404, 204])
def test_any_other_answer_is_not_healthy_and_its_words_are_kept(status: int) -> None:
    said = "" if status == 204 else "no such table: users"
    with serving(lambda _: Reply(status, said)) as server:
        answer = health.ask(server.url)
    assert answer == Answer(status, said)
    assert not answer.healthy


def test_a_route_that_sends_elsewhere_is_not_healthy() -> None:
    def answer(request: object) -> Reply:
        return Reply(200) if "/login" in str(request) else Reply(302, headers={"Location": "/login"})

    with serving(answer) as server:
        assert health.ask(f"{server.url}/api/health").status == 302


def test_where_nobody_listens_the_reason_is_told() -> None:
    answer = health.ask(f"http://127.0.0.1:{free_port()}")
    assert answer.status is None
    assert not answer.healthy
    assert "refused" in answer.said


def test_a_server_that_never_answers_is_given_up_after_the_limit() -> None:
    def wait(connection: socket.socket) -> None:
        connection.recv(1)  # until the other side hangs up

    began = time.monotonic()
    with speaking(b"", then=wait) as url:
        answer = health.ask(url, limit=0.1)
    assert answer.status is None
    assert "timed out" in answer.said
    assert time.monotonic() - began < 2


def test_a_server_that_dribbles_is_given_up_after_the_limit() -> None:
    def dribble(connection: socket.socket) -> None:
        for _ in range(10):
            connection.sendall(b"x")
            time.sleep(0.05)

    began = time.monotonic()
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", then=dribble) as url:
        health.ask(url, limit=0.1)
        assert time.monotonic() - began < 0.4


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00\xff\xfe garbage\r\n\r\n",
        b"220 mail.example.com ESMTP\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000,
    ],
    ids=["nothing", "bytes", "mail", "no-status", "endless"],
)
def test_what_is_not_a_whole_answer_is_not_healthy_and_no_traceback(said: bytes) -> None:
    with speaking(said) as url:
        answer = health.ask(url)
    assert answer.status is None
    assert answer.said


def test_an_answer_that_breaks_off_keeps_its_number_and_is_no_traceback() -> None:
    with speaking(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") as url:
        answer = health.ask(url)
    assert answer.status == 503
    assert answer.said


def test_a_long_answer_is_cut() -> None:
    with serving(lambda _: Reply(503, "x" * 5000)) as server:
        assert health.ask(server.url).said == "x" * 500


@pytest.mark.parametrize("said", ["", "OK", "[1]", "null", '{"release": 1}', '{"other": "x"}', WELL[:-5]])
def test_a_release_that_is_not_told_is_none(said: str) -> None:
    assert Answer(200, said).release is None


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(lambda _: Reply(200)) as server, serving(lambda _: Reply(502)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert health.ask(server.url).status == 200
    assert proxy.requests == []


# --- wait --------------------------------------------------------------------------------------


class Time:
    """A clock that goes on only while somebody sleeps; ``then`` is called after each sleep."""

    def __init__(self, then: Callable[[float], object] = lambda _: None) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._then = then

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        self._then(self.now)

    def wait(self, url: str, hopeless: Callable[[], str | None] = lambda: None) -> Answer:
        return health.wait(url, limit=6, hopeless=hopeless, clock=self.clock, sleep=self.sleep)


def test_a_site_that_is_healthy_is_not_waited_for() -> None:
    time_ = Time()
    with serving(lambda _: Reply(200, WELL)) as server:
        assert time_.wait(server.url).healthy
    assert time_.slept == []
    assert len(server.requests) == 1


def test_a_site_that_becomes_healthy_is_waited_for() -> None:
    answers = iter([503, 503, 200])
    time_ = Time()
    with serving(lambda _: Reply(next(answers))) as server:
        assert time_.wait(server.url).healthy
    assert time_.slept == [health.INTERVAL] * 2


def test_after_the_deadline_the_last_answer_is_the_result() -> None:
    time_ = Time()
    with serving(lambda _: Reply(503, "database locked")) as server:
        answer = time_.wait(server.url)
    assert answer == Answer(503, "database locked")
    assert time_.now == pytest.approx(1006, abs=2 * health.INTERVAL)


def test_waiting_ends_early_when_it_cannot_help_and_says_why() -> None:
    state: list[str] = []
    time_ = Time(then=lambda _: state.append("app exits by itself with code 3"))
    with serving(lambda _: Reply(503)) as server:
        answer = time_.wait(server.url, hopeless=lambda: next(iter(state), None))
    assert answer == Answer(None, "app exits by itself with code 3")
    assert len(time_.slept) == 1


def test_a_site_that_answers_is_healthy_even_if_something_looks_hopeless() -> None:
    with serving(lambda _: Reply(200)) as server:
        assert Time().wait(server.url, hopeless=lambda: "it died before").healthy
