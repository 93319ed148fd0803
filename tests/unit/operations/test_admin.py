"""The first administrator: the password comes from a pipe or a hidden prompt, and is never shown."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from stack.errors import Usage
from stack.operations.admin import create
from tests.unit.support import engine
from tests.unit.support.servers import Reply, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "correct-horse-battery"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def gate(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Give the gate of a site that takes registrations."""
    labels = {"com.docker.compose.project.working_dir": str(checkout)}
    with engine.running() as docker, serving(lambda _: Reply(200, "{}")) as made:
        monkeypatch.setenv("DOCKER_HOST", docker.host)
        docker.has_containers(engine.container("gate", labels=labels))
        (checkout / ".env").write_text(f"HOST_PORT={made.port}\n")
        yield made


@pytest.mark.parametrize("said", [f"{PASSWORD}\n", PASSWORD, f"{PASSWORD}\nmore\n"])
def test_the_first_line_of_a_pipe_is_the_password(
    said: str,
    checkout: Path,
    gate: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    create(checkout, "me@example.com")
    assert json.loads(gate.requests[0].body) == {"email": "me@example.com", "password": PASSWORD}
    assert capsys.readouterr() == ("me@example.com\n", "")


def answers(monkeypatch: pytest.MonkeyPatch, *given: str) -> None:
    answer = iter(given)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _: next(answer))


def test_on_a_terminal_it_is_asked_for_twice(
    checkout: Path, gate: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, PASSWORD, PASSWORD)
    create(checkout, "me@example.com")
    assert len(gate.requests) == 1


def test_two_different_passwords_are_a_mistake(
    checkout: Path, gate: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, PASSWORD, f"{PASSWORD}!")
    with pytest.raises(Usage, match="differ"):
        create(checkout, "me@example.com")
    assert gate.requests == []


def test_no_password_is_not_a_short_one(
    checkout: Path, gate: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(Usage, match="no password was given"):
        create(checkout, "me@example.com")
    assert gate.requests == []


@pytest.mark.parametrize("password", ["1", "123456789"])
def test_a_short_password_is_refused(
    password: str, checkout: Path, gate: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    with pytest.raises(Usage, match="too short") as refusal:
        create(checkout, "me@example.com")
    assert f"{password}\n" not in str(refusal.value)
    assert gate.requests == []


@pytest.mark.parametrize("email", ["", "me", "me@", "@example.com", "me @example.com", "a@b@c"])
def test_what_is_no_address_is_refused_before_a_password_is_asked_for(
    email: str, checkout: Path, gate: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch)
    with pytest.raises(Usage, match="is not an e-mail address"):
        create(checkout, email)
    assert gate.requests == []
