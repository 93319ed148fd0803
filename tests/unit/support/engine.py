"""A Docker engine as far as the SDK can tell: a real server that answers from a table and remembers."""

from __future__ import annotations

import json
import re
import struct
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import docker

from tests.unit.support.servers import Reply, Request, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

VERSION = {"Version": "28.5.2+dfsg4", "ApiVersion": "1.51"}
AT_REST = {"cpu_usage": {"total_usage": 0}}
IDLE = {"cpu_stats": AT_REST, "precpu_stats": AT_REST, "memory_stats": {}}  # `GET /containers/.../stats`


@dataclass
class Engine:
    """``answers`` maps ``GET /version`` and the like to JSON, a :class:`Reply`, or a function giving one."""

    answers: dict[str, Any] = field(default_factory=lambda: {"GET /version": VERSION})
    server: Server = field(default_factory=lambda: Server(0))

    @property
    def host(self) -> str:
        return f"tcp://127.0.0.1:{self.server.port}"

    @property
    def asked(self) -> list[str]:
        return [_without_version(line) for line in self.server.asked]

    def answer(self, request: Request) -> Reply:
        line = _without_version(f"{request.method} {request.path}")
        kind = line.split("/")[1].removesuffix("s")
        found = self.answers.get(line, Reply(404, json.dumps({"message": f"No such {kind}: {request.path}"})))
        if callable(found):
            found = found()
        if line == "GET /containers/json" and isinstance(found, list):
            found = _labelled(found, request.query)
        if isinstance(found, Reply):
            return found
        return Reply(200, json.dumps(found), {"Content-Type": "application/json"})

    def has_image(
        self, name: str, *, id_: str = "sha256:1", labels: dict[str, str] | None = None, user: str = ""
    ) -> None:
        config = {"Labels": labels, "User": user}
        self.answers[f"GET /images/{name}/json"] = {"Id": id_, "Size": 1000, "Config": config}

    def has_containers(self, *inspected: dict[str, Any]) -> None:
        self.answers["GET /containers/json"] = [listed(attrs) for attrs in inspected]
        for attrs in inspected:
            self.answers[f"GET /containers/{attrs['Id']}/json"] = attrs


@contextmanager
def running() -> Iterator[Engine]:
    engine = Engine()
    with serving(engine.answer) as engine.server:
        yield engine


@contextmanager
def client_of(engine: Engine) -> Iterator[DockerClient]:
    client = docker.DockerClient(base_url=engine.host, version="1.51")
    try:
        yield client
    finally:
        client.close()


KEYS = ("labels", "env", "image", "memory", "restarts", "mounts")
MOUNTS = ("shop_payload-db", "shop_media-uploads")


def container(service: str = "app", **changes: Any) -> dict[str, Any]:
    """Return what `docker inspect` says of a healthy container of the site `shop`, as far as it is read.

    ``changes`` are keys of its ``State``, and ``labels``, ``env``, ``image``, ``memory``, ``restarts``,
    ``mounts``.
    """
    labels = {
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": service,
        "com.docker.compose.project.working_dir": "/srv/shop",
    }
    taken = {key: changes.pop(key, None) for key in KEYS}
    state = {
        "Status": "running",
        "Running": True,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "2026-11-22T23:23:51.239283127Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
        "Health": {"Status": "healthy", "FailingStreak": 0, "Log": [{"ExitCode": 0, "Output": ""}]},
    }
    return {
        "Id": f"{service}0ff27c883dfb",
        "Image": "sha256:dcb41b89d248",
        "RestartCount": taken["restarts"] or 0,
        "Mounts": [{"Type": "volume", "Name": name, "RW": True} for name in taken["mounts"] or MOUNTS],
        "State": {**state, **changes},
        "HostConfig": {
            "Memory": 805306368 if taken["memory"] is None else taken["memory"],
            "PidsLimit": 256,
        },
        "Config": {
            "Image": taken["image"] or "shop:20261122T181500Z-0123456789ab",
            "Tty": False,
            "Labels": {**labels, **(taken["labels"] or {})},
            "Env": taken["env"] or ["RELEASE=20261122T181500Z-0123456789ab", "PAYLOAD_SECRET=a=b", "ODD"],
        },
    }


def listed(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return what `docker ps` says of it, as far as it is read."""
    return {
        "Id": attrs["Id"],
        "Names": [f"/{attrs['Id']}"],
        "Labels": attrs["Config"]["Labels"],
        "Ports": [],
        "Mounts": [],
    }


def log(*lines: str) -> Reply:
    """Return the answer to a question for logs: frames of one stream, as of a container without terminal."""
    frames = "".join(f"\x01\0\0\0{struct.pack('>I', len(line)).decode()}{line}" for line in lines)
    return Reply(200, frames)


def stream(*events: dict[str, Any]) -> Reply:
    """Return an answer that comes event by event, and ends."""
    lines = [f"{json.dumps(event)}\n" for event in events]
    chunks = [f"{len(line):x}\r\n{line}\r\n" for line in lines]
    return Reply(200, "".join([*chunks, "0\r\n\r\n"]), {"Transfer-Encoding": "chunked"})


def _labelled(found: list[dict[str, Any]], query: str) -> list[dict[str, Any]]:
    """Return those that have every label which is asked for."""
    asked = json.loads(dict(parse_qsl(query)).get("filters", "{}")).get("label", [])
    wanted = {tuple(label.split("=", 1)) for label in asked}
    return [one for one in found if wanted <= set(one["Labels"].items())]


def _without_version(line: str) -> str:
    return re.sub(r"^(\w+) /v1\.\d+/", r"\1 /", line)
