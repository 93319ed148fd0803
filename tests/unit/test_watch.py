"""A release is watched the way its visitors see it: patient with one bad answer, not with three in a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from stack import envfile, settings, watch
from tests.unit.support import engine
from tests.unit.support.servers import Reply, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docker import DockerClient

    from tests.unit.support.engine import Engine

AGAIN = "2026-11-22T23:24:00.000000000Z"
OLD: dict[str, Any] = {"Status": "exited", "Running": False, "ExitCode": 0}


@dataclass
class Watched:
    """A release that is watched for three seconds, with one look a second."""

    checkout: Path
    client: DockerClient
    docker: Engine
    looks: int = 0
    slept: list[float] = field(default_factory=list)

    def told(self, *statuses: int, then: Callable[[], object] = lambda: None) -> str:
        """Return what is said of these answers, the last for ever; ``then`` happens at the last of them."""

        def answer(_: object) -> Reply:
            self.looks += 1
            if self.looks >= len(statuses):
                then()
            return Reply(statuses[min(self.looks, len(statuses)) - 1], "no such table: posts")

        with serving(answer) as gate:
            envfile.write(self.checkout / ".env", {"HOST_PORT": str(gate.port), "WATCH_SECONDS": "3"})
            site = settings.load(self.checkout)
            told = watch.turned_bad(self.client, site, clock=lambda: sum(self.slept), sleep=self.slept.append)
            assert set(gate.asked) == {"GET /api/health"}
        return told

    def becomes(self, *containers: dict[str, Any]) -> Callable[[], None]:
        return lambda: self.docker.has_containers(*containers)


@pytest.fixture
def watched(checkout: Path, client: DockerClient, docker: Engine) -> Watched:
    docker.has_containers(engine.container(), engine.container(**OLD) | {"Id": "the-one-before"})
    return Watched(checkout, client, docker)


def test_a_release_that_goes_on_answering_stays(watched: Watched) -> None:
    assert watched.told(200) == ""
    assert watched.looks == 3
    assert watched.slept == [1.0] * 3


@pytest.mark.parametrize("statuses", [(503, 200), (200, 503, 200), (503, 503, 200)])
def test_a_bad_answer_or_two_are_forgiven(statuses: tuple[int, ...], watched: Watched) -> None:
    assert watched.told(*statuses) == ""
    assert watched.looks == 3


def test_three_bad_answers_in_a_row_are_not(watched: Watched) -> None:
    told = watched.told(503)
    assert told == "through the gate, its health route answers 503: no such table: posts"
    assert watched.looks == 3


def test_one_that_is_good_in_between_begins_the_count_anew(watched: Watched) -> None:
    assert watched.told(503, 503, 200, 503, 503, 200) == ""


@pytest.mark.parametrize(
    ("statuses", "bad"),
    [((200, 200, 503, 503, 503), True), ((200, 200, 503, 503, 200), False), ((200, 503, 503, 503), True)],
)
def test_what_turns_bad_at_the_end_is_watched_until_it_is_certain(
    statuses: tuple[int, ...], bad: bool, watched: Watched
) -> None:
    assert bool(watched.told(*statuses)) is bad
    assert watched.looks == len(statuses)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"Status": "exited", "ExitCode": 3}, "app exits by itself with code 3"),
        ({"Status": "restarting", "ExitCode": 3}, "it ended by itself, with code 3"),
        (
            {"Status": "exited", "ExitCode": 137, "OOMKilled": True},
            "app was killed: it needs more than its memory limit of 768 MiB",
        ),
        ({"StartedAt": AGAIN}, "it ended by itself, and was started again"),
    ],
    ids=["ended", "ends again and again", "memory", "came back"],
)
def test_a_container_that_ends_is_bad_at_once_even_if_it_is_back_already(
    state: dict[str, Any], why: str, watched: Watched
) -> None:
    assert watched.told(200, 200, then=watched.becomes(engine.container(**state))) == why
    assert watched.looks == 2


@pytest.mark.parametrize("others", [(), (engine.container() | {"Id": "another"},)], ids=["gone", "another"])
def test_a_container_that_somebody_removes_is_bad(
    others: tuple[dict[str, Any], ...], watched: Watched
) -> None:
    assert watched.told(200, then=watched.becomes(*others)) == "somebody has removed its container"
