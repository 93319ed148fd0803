"""A site's containers, found by Compose's labels and never by name."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound

from stack.engine.client import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
DIRECTORY = "com.docker.compose.project.working_dir"


@dataclass(frozen=True)
class Container:
    """One container. ``started`` is RFC 3339 in UTC; ``health_log`` holds what the last checks said."""

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
    health_log: tuple[str, ...]
    env: Mapping[str, str]

    @property
    def running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True)
class Usage:
    """``cpu`` is in cores, ``memory`` in bytes without the page cache."""

    cpu: float
    memory: int


def of_site(client: DockerClient, site: str, service: str | None = None) -> list[Container]:
    """Return the containers of a Compose project, newest first, stopped ones too."""
    labels = [f"{PROJECT}={site}", *([f"{SERVICE}={service}"] if service else [])]
    found = []
    with translated():
        for container in client.containers.list(all=True, sparse=True, filters={"label": labels}):
            with suppress(NotFound):  # removed between the two calls
                found.append(_remembered(client, _seen(client.api.inspect_container(str(container.id)))))
    return found


def running(client: DockerClient, site: str, service: str) -> bool:
    return any(container.running for container in of_site(client, site, service))


def other_sites_called_app(client: DockerClient, site: str, network: str) -> list[str]:
    """Return the other projects whose `app` answers on a network."""
    wanted: dict[str, str | list[str] | bool] = {"label": f"{SERVICE}=app", "network": network}
    with translated():
        found = client.containers.list(sparse=True, filters=wanted)
    projects = {str(container.attrs["Labels"].get(PROJECT, "")) for container in found}
    return sorted(projects - {site})


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
    return Usage(cpu=round(work / passed * cores, 3) if passed > 0 else 0.0, memory=max(memory, 0))


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
        health_log=tuple(entry["Output"].strip() for entry in health.get("Log") or []),
        env=dict(pair.split("=", 1) for pair in config["Env"] if "=" in pair),
    )
