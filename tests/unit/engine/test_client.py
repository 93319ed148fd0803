"""Reaching the engine, or saying which of the usual reasons keeps us from it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from docker.errors import APIError, DockerException, NotFound

from stack.engine import client
from stack.errors import Refused
from tests.unit.support import engine
from tests.unit.support.servers import Reply, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


# The SDK's constructor leaves its socket open when it cannot connect.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def docker_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Give a way to say where the engine is, without what this machine says."""
    for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    yield monkeypatch
    gc.collect(1)  # while that warning is still ignored


def refusal(reason: str) -> Refused:
    with pytest.raises(Refused) as refused, client.connected():
        pytest.fail(f"connected in spite of: {reason}")
    assert refused.value.code == 11
    return refused.value


def test_an_engine_that_is_new_enough_is_connected_to(docker_host: pytest.MonkeyPatch) -> None:
    with engine.running() as docker:
        docker_host.setenv("DOCKER_HOST", docker.host)
        with client.connected() as connected:
            assert connected.version()["Version"] == "28.5.2+dfsg4"
        assert client.running_version() == "28.5.2+dfsg4"


def test_an_engine_that_is_too_old_is_refused_with_both_versions(docker_host: pytest.MonkeyPatch) -> None:
    with engine.running() as docker:
        docker.answers["GET /version"] = {"Version": "20.10.24+dfsg1", "ApiVersion": "1.41"}
        docker_host.setenv("DOCKER_HOST", docker.host)
        refused = refusal("too old")
        assert client.running_version() == "20.10.24+dfsg1"
    assert refused.what == "the Docker engine is too old: 20.10.24+dfsg1"
    assert "25.0" in refused.why


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:{free}"])
def test_an_engine_that_is_not_running_is_refused_with_the_way_to_start_it(
    host: str, docker_host: pytest.MonkeyPatch
) -> None:
    docker_host.setenv("DOCKER_HOST", host.format(free=free_port()))
    assert client.running_version() is None
    refused = refusal("not running")
    assert refused.what == "no Docker engine is running here"
    assert "systemctl start docker" in refused.fix
    assert "--provision" in refused.fix


def test_a_user_who_may_not_is_told_about_the_group() -> None:
    with pytest.raises(Refused, match="no permission") as refused, client.translated():
        raise DockerException(
            "Error while fetching server API version: PermissionError(13, 'Permission denied')"
        )
    assert "usermod -aG docker" in refused.value.fix


@pytest.mark.parametrize("host", ["nonsense://x", "tcp://"])
def test_an_engine_that_cannot_be_understood_is_refused_with_its_words(
    host: str, docker_host: pytest.MonkeyPatch
) -> None:
    docker_host.setenv("DOCKER_HOST", host)
    assert refusal("nonsense").what == "the Docker engine does not answer"
    assert client.running_version() is None


def test_what_the_engine_objects_to_is_the_reason(docker_host: pytest.MonkeyPatch) -> None:
    with engine.running() as docker:
        docker.answers["GET /info"] = Reply(500, '{"message": "no space left on device"}')
        docker_host.setenv("DOCKER_HOST", docker.host)
        with pytest.raises(Refused, match="refused a request") as refused, client.connected() as connected:
            connected.info()
    assert refused.value.why == "no space left on device"


def test_an_engine_that_goes_away_in_mid_flight_is_no_traceback(docker_host: pytest.MonkeyPatch) -> None:
    def ask() -> None:
        with engine.running() as docker:
            docker_host.setenv("DOCKER_HOST", docker.host)
            with client.connected() as connected:
                connected.api.base_url = f"http://127.0.0.1:{free_port()}"
                connected.info()

    with pytest.raises(Refused, match="no Docker engine is running"):
        ask()


def test_an_error_that_the_caller_understands_better_is_left_to_it() -> None:
    with pytest.raises(NotFound), client.translated(leave=APIError):
        raise NotFound("no such image")


def test_a_failure_of_ours_is_left_alone() -> None:
    with pytest.raises(Refused, match="ours"), client.translated():
        raise Refused("ours", why="", fix="")


def test_an_engine_that_this_user_may_not_ask_is_not_taken_for_a_missing_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def from_env(**_: object) -> None:
        raise DockerException("Error: PermissionError(13, 'Permission denied')")

    monkeypatch.setattr("docker.from_env", from_env)
    with pytest.raises(Refused, match="no permission"):
        client.running_version()
