"""A site's containers, found by Compose's labels and never by name."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from docker.errors import APIError, NotFound

from stack.engine.client import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from docker import DockerClient

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
DIRECTORY = "com.docker.compose.project.working_dir"
ONE_OFF = "com.docker.compose.oneoff"  # "True" on what `docker compose run` starts
MADE_OF = "com.docker.compose.config-hash"
OURS = ("app", "gate")
BESIDE = ("reader", "filler", "trial", "migrator")
Policy = Literal["no", "always"]


@dataclass(frozen=True)
class Container:
    """One container. ``started`` is RFC 3339 in UTC; ``health_log`` holds what the last checks said.

    ``made_of`` is Compose's sum over all that it was made of, the name of its image among it.
    """

    id: str
    service: str
    directory: str
    image: str
    image_id: str
    state: str
    health: str
    exit_code: int
    oom_killed: bool
    restarts: int
    started: str
    memory_limit: int
    pids_limit: int
    health_log: tuple[str, ...]
    env: Mapping[str, str]
    volumes: frozenset[str]
    made_of: str

    @property
    def running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True)
class Usage:
    """``cpu`` is in cores, ``memory`` in bytes without the page cache, ``pids`` processes and threads."""

    cpu: float
    memory: int
    pids: int


@dataclass(frozen=True)
class Neighbour:
    """Any container on this machine; ``project`` is empty where Compose did not make it."""

    name: str
    project: str
    service: str
    one_off: bool


def of_site(client: DockerClient, site: str, service: str | None = None) -> list[Container]:
    """Return the app's and the gate's containers of a site, newest first, stopped ones too."""
    labels = [f"{PROJECT}={site}", f"{ONE_OFF}=False", *([f"{SERVICE}={service}"] if service else [])]
    return [container for container in _found(client, labels) if container.service in OURS]


def present(client: DockerClient, site: str, service: str) -> Container | None:
    """Return the container of a service that runs, or else the newest: beside it an update makes another."""
    return next(iter(sorted(of_site(client, site, service), key=lambda found: not found.running)), None)


def _found(client: DockerClient, labels: list[str]) -> list[Container]:
    found = []
    with translated():
        for container in client.containers.list(all=True, sparse=True, filters={"label": labels}):
            with suppress(NotFound):  # removed between the two calls
                found.append(_remembered(client, _seen(client.api.inspect_container(str(container.id)))))
    return found


def running(client: DockerClient, site: str, service: str) -> bool:
    return any(container.running for container in of_site(client, site, service))


def beside(client: DockerClient, site: str, service: str) -> list[Container]:
    """Return the containers that an operation runs beside a site."""
    labels = [f"{PROJECT}={site}", f"{ONE_OFF}=True", f"{SERVICE}={service}"]
    return _found(client, labels)


def remove_beside(client: DockerClient, site: str) -> None:
    """End and remove what an operation left beside a site; wait until its volumes are free."""
    for container in [found for service in BESIDE for found in beside(client, site, service)]:
        remove(client, container)


def remove(client: DockerClient, container: Container) -> None:
    """End and remove a container; wait where its removal has begun, as with the end of `docker run --rm`."""
    with translated(), suppress(NotFound):  # it may be going by itself
        try:
            client.api.remove_container(container.id, force=True, v=True)
        except APIError as refusal:
            if refusal.status_code != HTTPStatus.CONFLICT:
                raise
            client.api.wait(container.id, condition="removed")


def stop(client: DockerClient, container: Container, *, within: int | None = None) -> None:
    """Stop a container; ``within`` are the seconds it gets to end by itself, else its own setting."""
    with translated():
        client.api.stop(container.id, timeout=within)


def restart(client: DockerClient, site: str, service: str, *, policy: Policy) -> None:
    """Set what the engine does with a service's containers when they end."""
    for container in of_site(client, site, service):
        comes_back(client, container, policy)


def comes_back(client: DockerClient, container: Container, policy: Policy) -> None:
    """Set what the engine does with a container when it ends."""
    wanted: Any = {"Name": policy, "MaximumRetryCount": 0}  # the SDK's types do not know "no"
    with translated():
        client.api.update_container(container.id, restart_policy=wanted)


def start(client: DockerClient, container: Container) -> None:
    with translated():
        client.api.start(container.id)


def other_sites_called_app(client: DockerClient, site: str, network: str) -> list[str]:
    """Return the other projects whose `app` answers on a network."""
    found = _neighbours(client, {"label": f"{SERVICE}=app", "network": network})
    return sorted({container.project for container in found} - {site})


def writing_to(client: DockerClient, volume: str) -> list[Neighbour]:
    """Return the running containers that may write to a volume."""
    return _neighbours(client, {"volume": volume}, lambda attrs: _writes(attrs, volume))


def mounted(client: DockerClient, volume: str) -> bool:
    """Tell whether any container, running or not, has a volume."""
    return bool(_neighbours(client, {"volume": volume}, stopped_too=True))


def publishing(client: DockerClient, port: int) -> Neighbour | None:
    """Return the running container that has a port of the loopback address."""
    return next(iter(_neighbours(client, {}, lambda attrs: _publishes(attrs, port))), None)


def started_from(client: DockerClient, directory: str) -> list[Neighbour]:
    """Return the running applications and gates that Compose started in a directory."""
    found = _neighbours(client, {"label": f"{DIRECTORY}={directory}"})
    return [container for container in found if container.service in OURS]


def _neighbours(
    client: DockerClient,
    filters: dict[str, str | list[str] | bool],
    wanted: Callable[[dict[str, Any]], bool] = lambda _: True,
    *,
    stopped_too: bool = False,
) -> list[Neighbour]:
    with translated():
        found = client.containers.list(all=stopped_too, sparse=True, filters=filters)
    return [_neighbour(container.attrs) for container in found if wanted(container.attrs)]


def _neighbour(attrs: dict[str, Any]) -> Neighbour:
    labels, name = attrs["Labels"], attrs["Names"][0].lstrip("/")
    one_off = labels.get(ONE_OFF) == "True"
    return Neighbour(name, labels.get(PROJECT, ""), labels.get(SERVICE, ""), one_off)


def _writes(attrs: dict[str, Any], volume: str) -> bool:
    return any(mount.get("Name") == volume and mount["RW"] for mount in attrs["Mounts"])


def _publishes(attrs: dict[str, Any], port: int) -> bool:
    everywhere = ("127.0.0.1", "0.0.0.0")  # noqa: S104 - read, not bound
    return any(
        (published.get("PublicPort"), published.get("Type")) == (port, "tcp")
        and published.get("IP") in everywhere
        for published in attrs["Ports"]
    )


def usage(client: DockerClient, container: Container) -> Usage:
    """Measure for about a second."""
    with translated():
        stats = client.api.stats(container.id, stream=False)
    before, now = stats["precpu_stats"], stats["cpu_stats"]
    work = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    cores = now.get("online_cpus", 1)
    details = stats["memory_stats"].get("stats", {})
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    memory = stats["memory_stats"].get("usage", 0) - cache
    return Usage(
        cpu=round(work / passed * cores, 3) if passed > 0 else 0.0,
        memory=max(memory, 0),
        pids=stats.get("pids_stats", {}).get("current", 0),
    )


def last_logs(client: DockerClient, container: Container, *, lines: int = 30) -> str:
    with translated():
        said: bytes = client.api.logs(container.id, tail=lines)
    return said.decode(errors="replace")


def _remembered(client: DockerClient, container: Container) -> Container:
    """Add what a restart wiped out, whether memory was the reason: the engine's last events still tell."""
    if container.oom_killed or container.restarts == 0:
        return container
    wanted = {"container": container.id, "event": "oom"}
    until: Any = f"{time.time():.3f}"  # the SDK's types know whole seconds only
    events = client.api.events(since=0, until=until, filters=wanted, decode=True)
    return replace(container, oom_killed=any(True for _ in events))


def _seen(attrs: dict[str, Any]) -> Container:
    state, config, labels = attrs["State"], attrs["Config"], attrs["Config"]["Labels"]
    health = state.get("Health") or {}
    return Container(
        id=attrs["Id"],
        service=labels.get(SERVICE, ""),
        directory=labels.get(DIRECTORY, ""),
        image=config["Image"],
        image_id=attrs["Image"],
        state=state["Status"],
        health=health.get("Status", "none"),
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        restarts=attrs["RestartCount"],
        started=state["StartedAt"],
        memory_limit=attrs["HostConfig"]["Memory"],
        pids_limit=attrs["HostConfig"]["PidsLimit"] or 0,
        health_log=tuple(entry["Output"].strip() for entry in health.get("Log") or []),
        env=dict(pair.split("=", 1) for pair in config["Env"] if "=" in pair),
        volumes=frozenset(mount["Name"] for mount in attrs["Mounts"] if mount["Type"] == "volume"),
        made_of=labels.get(MADE_OF, ""),
    )
