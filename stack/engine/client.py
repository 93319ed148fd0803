"""Reach the engine, or say which of the usual reasons keeps us from it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import docker
import requests
from docker.errors import APIError, DockerException

from stack.errors import Refused
from stack.versions import ENGINE_MINIMUM, at_least

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

CALL_TIMEOUT = 60  # seconds one call may take; importing an image of 160 MB is the longest


@contextmanager
def connected() -> Iterator[DockerClient]:
    """Give a client of a running engine that is new enough; anything else is :class:`Refused`."""
    with translated():
        client = docker.from_env(timeout=CALL_TIMEOUT)
        version = str(client.version()["Version"])
    if not at_least(version, ENGINE_MINIMUM):
        raise Refused(
            f"the Docker engine is too old: {version}",
            why=f"`start_interval` of health checks needs {ENGINE_MINIMUM} or newer",
            fix="run `./deploy.sh --provision` as root, or upgrade Docker",
        )
    try:
        with translated():
            yield client
    finally:
        client.close()


def running_version() -> str | None:
    """Return the version of the engine that answers, or None where none does.

    One that does not answer this user is :class:`Refused`.
    """
    try:
        client = docker.from_env(timeout=5)
        try:
            return str(client.version()["Version"])
        finally:
            client.close()
    except (DockerException, requests.exceptions.RequestException) as trouble:
        if "Permission denied" in str(trouble):
            raise _unreachable(trouble) from trouble
        return None


@contextmanager
def translated(*, leave: type[APIError] | tuple[()] = ()) -> Iterator[None]:
    """Turn the SDK's errors into ours, but for those that the caller understands better."""
    try:
        yield
    except leave:
        raise
    except APIError as refusal:
        raise Refused(
            "the Docker engine refused a request",
            why=str(refusal.explanation or refusal),
            fix="see `docker info` and the engine's own log",
        ) from refusal
    except (DockerException, requests.exceptions.RequestException) as trouble:
        raise _unreachable(trouble) from trouble


def _unreachable(trouble: Exception) -> Refused:
    reason = str(trouble)
    if "Permission denied" in reason:
        return Refused(
            "no permission to talk to the Docker engine",
            why="this user may not open the engine's socket",
            fix="`sudo usermod -aG docker $USER`, then log in again (that group is as powerful as root)",
        )
    if "No such file" in reason or "Connection refused" in reason:
        return Refused(
            "no Docker engine is running here",
            why="nothing answers at the engine's socket",
            fix="start it (`sudo systemctl start docker`), or run `./deploy.sh --provision` as root",
        )
    return Refused("the Docker engine does not answer", why=reason, fix="see `docker info`")
