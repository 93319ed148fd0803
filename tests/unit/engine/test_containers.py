"""A site's containers, from what a real engine says of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stack.engine import containers
from stack.engine.containers import Container, Usage, _seen
from stack.errors import Refused
from tests.unit.support import engine
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from docker import DockerClient

    from tests.unit.support.engine import Engine

# `GET /containers/.../stats?stream=false` of a container at 50 % of one core of two, shortened
STATS: dict[str, Any] = {
    "cpu_stats": {
        "cpu_usage": {"total_usage": 8_500_000_000},
        "system_cpu_usage": 7_416_000_000_000,
        "online_cpus": 2,
    },
    "precpu_stats": {
        "cpu_usage": {"total_usage": 8_000_000_000},
        "system_cpu_usage": 7_414_000_000_000,
        "online_cpus": 2,
    },
    "memory_stats": {
        "usage": 77_524_992,
        "stats": {"total_inactive_file": 28_672, "inactive_file": 1},
        "limit": 805_306_368,
    },
    "pids_stats": {"current": 19, "limit": 256},
}
STOPPED = {
    "cpu_stats": {"cpu_usage": {"total_usage": 0}, "throttling_data": {}},
    "precpu_stats": {"cpu_usage": {"total_usage": 0}},
    "memory_stats": {},
}


@pytest.fixture
def app() -> Container:
    """Give a healthy container."""
    return _seen(engine.container())


def test_a_healthy_container_is_understood() -> None:
    assert _seen(engine.container()) == Container(
        id="app0ff27c883dfb",
        service="app",
        directory="/srv/shop",
        image="shop:20261122T181500Z-0123456789ab",
        image_id="sha256:dcb41b89d248",
        state="running",
        health="healthy",
        exit_code=0,
        oom_killed=False,
        restarts=0,
        started="2026-11-22T23:23:51.239283127Z",
        memory_limit=805306368,
        pids_limit=256,
        health_log=("",),
        env={"RELEASE": "20261122T181500Z-0123456789ab", "PAYLOAD_SECRET": "a=b"},
        volumes=frozenset({"shop_payload-db", "shop_media-uploads"}),
        made_of="",
    )


def test_what_compose_made_a_container_of_is_understood() -> None:
    seen = _seen(engine.container(labels={"com.docker.compose.config-hash": "4f2a"}))
    assert seen.made_of == "4f2a"


def test_a_container_without_a_health_check_has_no_health() -> None:
    attrs = engine.container()
    del attrs["State"]["Health"]
    seen = _seen(attrs)
    assert (seen.health, seen.health_log) == ("none", ())


def test_a_container_that_was_never_checked_has_an_empty_log() -> None:
    assert _seen(engine.container(Health={"Status": "starting", "Log": None})).health_log == ()


def test_a_container_that_died_of_memory_is_understood() -> None:
    seen = _seen(engine.container(Status="exited", Running=False, ExitCode=137, OOMKilled=True, restarts=4))
    assert not seen.running
    assert (seen.state, seen.exit_code, seen.oom_killed, seen.restarts) == ("exited", 137, True, 4)


@pytest.mark.parametrize("state", ["created", "restarting", "paused", "exited", "dead"])
def test_only_a_running_container_runs(state: str) -> None:
    assert not _seen(engine.container(Status=state)).running


def test_containers_are_found_by_label_and_stopped_ones_too(docker: Engine, client: DockerClient) -> None:
    docker.has_containers(engine.container("app", Status="exited"), engine.container("gate"))
    assert [found.service for found in containers.of_site(client, "shop")] == ["app", "gate"]
    question = docker.server.requests[0].query
    assert "all=1" in question
    assert "com.docker.compose.project=shop" in question
    assert "com.docker.compose.service" not in question
    containers.of_site(client, "shop", "gate")
    assert "com.docker.compose.service=gate" in docker.server.requests[3].query


def test_a_container_that_is_removed_meanwhile_is_left_out(docker: Engine, client: DockerClient) -> None:
    docker.has_containers(engine.container("app"), engine.container("gate"))
    del docker.answers["GET /containers/app0ff27c883dfb/json"]
    assert [found.service for found in containers.of_site(client, "shop")] == ["gate"]


@pytest.mark.parametrize("killed", [True, False])
def test_memory_as_the_reason_of_a_restart_is_remembered_by_the_engine(
    killed: bool, docker: Engine, client: DockerClient
) -> None:
    docker.has_containers(engine.container(restarts=1))
    docker.answers["GET /events"] = engine.stream(*[{"status": "oom"}] * killed)
    (app,) = containers.of_site(client, "shop")
    assert app.oom_killed is killed
    (question,) = [request for request in docker.server.requests if request.path.endswith("/events")]
    assert '"oom"' in question.query
    assert app.id in question.query
    assert "until=" in question.query  # otherwise the answer never ends


def test_a_container_that_never_restarted_needs_no_memory_of_the_engine(
    docker: Engine, client: DockerClient
) -> None:
    docker.has_containers(engine.container(), engine.container("gate", OOMKilled=True, restarts=3))
    assert [found.oom_killed for found in containers.of_site(client, "shop")] == [False, True]
    assert "GET /events" not in docker.asked


def test_other_sites_whose_application_answers_to_the_same_name_are_told(
    docker: Engine, client: DockerClient
) -> None:
    docker.answers["GET /containers/json"] = [
        engine.listed(engine.container(labels={"com.docker.compose.project": name}))
        for name in ("shop", "museum", "cafe", "museum")
    ]
    assert containers.other_sites_called_app(client, "shop", "proxy") == ["cafe", "museum"]
    assert '"proxy"' in docker.server.requests[0].query


# --- beside --------------------------------------------------------------------------------------


def test_what_ran_beside_a_site_is_removed_and_its_end_is_waited_for(
    docker: Engine, client: DockerClient
) -> None:
    """What `run --rm` has begun to remove cannot be removed again: its volumes are not free yet."""
    filler = engine.container("filler", labels={"com.docker.compose.oneoff": "True"})
    docker.has_containers(filler)
    removal, end = f"DELETE /containers/{filler['Id']}", f"POST /containers/{filler['Id']}/wait"
    going = {"message": f"removal of container {filler['Id']} is already in progress"}
    docker.answers |= {removal: Reply(409, json.dumps(going)), end: {"StatusCode": 0}}
    containers.remove_beside(client, "shop")
    assert docker.asked.index(end) == docker.asked.index(removal) + 1
    (question, *_) = [request for request in docker.server.requests if request.path.endswith("/wait")]
    assert "condition=removed" in question.query


def test_what_cannot_be_removed_beside_a_site_is_told(docker: Engine, client: DockerClient) -> None:
    filler = engine.container("filler", labels={"com.docker.compose.oneoff": "True"})
    docker.has_containers(filler)
    docker.answers[f"DELETE /containers/{filler['Id']}"] = Reply(500, '{"message": "device is busy"}')
    with pytest.raises(Refused, match="device is busy"):
        containers.remove_beside(client, "shop")


# --- usage -------------------------------------------------------------------------------------


def usage(docker: Engine, client: DockerClient, app: Container, stats: dict[str, Any]) -> Usage:
    docker.answers[f"GET /containers/{app.id}/stats"] = stats
    return containers.usage(client, app)


def test_load_is_in_cores_and_memory_without_what_the_kernel_would_give_back(
    docker: Engine, client: DockerClient, app: Container
) -> None:
    assert usage(docker, client, app, STATS) == Usage(cpu=0.5, memory=77_524_992 - 28_672, pids=19)


def test_memory_is_understood_on_newer_kernels_too(
    docker: Engine, client: DockerClient, app: Container
) -> None:
    memory = {"memory_stats": {"usage": 1000, "stats": {"inactive_file": 400}}}
    assert usage(docker, client, app, {**STATS, **memory}).memory == 600


def test_a_container_that_stops_meanwhile_uses_nothing(
    docker: Engine, client: DockerClient, app: Container
) -> None:
    assert usage(docker, client, app, STOPPED) == Usage(cpu=0.0, memory=0, pids=0)


# --- logs -------------------------------------------------------------------------


def test_the_last_lines_of_a_log_are_text_whatever_they_are(
    docker: Engine, client: DockerClient, app: Container
) -> None:
    docker.has_containers(engine.container())
    docker.answers[f"GET /containers/{app.id}/logs"] = engine.log("one\n", "two\n")
    assert containers.last_logs(client, app, lines=2) == "one\ntwo\n"
    (question,) = [request for request in docker.server.requests if request.path.endswith("/logs")]
    assert "tail=2" in question.query


# --- neighbours --------------------------------------------------------------------------------


def listed(name: str = "museum", **changes: Any) -> dict[str, Any]:
    labels = {"com.docker.compose.project": name, **changes.pop("labels", {})}
    return {**engine.listed(engine.container(labels=labels)), **changes}


def test_what_a_command_or_another_service_of_the_site_runs_in_is_not_the_site(
    docker: Engine, client: DockerClient
) -> None:
    docker.has_containers(engine.container("app"), engine.container("mailer"))
    assert [found.service for found in containers.of_site(client, "shop")] == ["app"]
    assert "com.docker.compose.oneoff=False" in docker.server.requests[0].query


@pytest.mark.parametrize(
    ("port", "holds"),
    [
        ({"IP": "0.0.0.0", "PublicPort": 3000, "Type": "tcp"}, True),  # noqa: S104 - read, not bound
        ({"IP": "127.0.0.1", "PublicPort": 3000, "Type": "tcp"}, True),
        ({"IP": "127.0.0.1", "PublicPort": 3000, "Type": "udp"}, False),
        ({"IP": "192.0.2.1", "PublicPort": 3000, "Type": "tcp"}, False),
        ({"IP": "127.0.0.1", "PublicPort": 3001, "Type": "tcp"}, False),
        ({"PrivatePort": 3000, "Type": "tcp"}, False),
    ],
)
def test_who_has_a_port_of_this_machine_is_told(
    port: dict[str, Any], holds: bool, docker: Engine, client: DockerClient
) -> None:
    docker.answers["GET /containers/json"] = [listed(Ports=[port])]
    holder = containers.publishing(client, 3000)
    assert (holder is not None and holder.project == "museum") is holds


def test_a_volume_of_a_container_that_is_down_is_in_use_all_the_same(
    docker: Engine, client: DockerClient
) -> None:
    docker.answers["GET /containers/json"] = [listed()]
    assert containers.mounted(client, "old_payload-db")
    question = docker.server.requests[0].query
    assert "all=1" in question
    assert "old_payload-db" in question


def test_only_the_site_itself_counts_as_started_from_a_directory(
    docker: Engine, client: DockerClient
) -> None:
    proxy = listed("traefik", labels={"com.docker.compose.service": "traefik"})
    docker.answers["GET /containers/json"] = [proxy, listed("shop")]
    assert [found.project for found in containers.started_from(client, "/srv/shop")] == ["shop"]
