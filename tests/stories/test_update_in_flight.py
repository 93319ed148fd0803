"""Requests that are under way when an update lets visitors wait: they end as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import requests

from stack import hold, journal, settings
from tests.support import doors, visitor
from tests.support.variants import GOOD, check_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import DockerClient

    from tests.support.doors import Doors
    from tests.support.site import Site

TRIAL, HOLD = "Trial", "Visitors wait, requests end"
PATIENCE = 120  # seconds
SLOW = 20  # seconds
UPLOAD = 15  # seconds
CHUNK = 1 << 20
LARGE = 50 << 20  # bytes, for a route of the test's own: Payload takes 20 MiB
SIDE = 2500  # pixels of three bytes each: 18 MiB


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("flight", TRIAL_SECONDS="2", WATCH_SECONDS="2")
    check_out(site, image, GOOD)
    site.deploy()
    return site


@pytest.fixture(scope="module")
def opened(engine: DockerClient, site: Site, traefik: Path) -> Iterator[Doors]:
    with doors.opened(engine, site, traefik) as opened:
        yield opened


def reached(site: Site, step: str) -> float:
    """Wait until the journal says that a step has begun; return when that was."""
    file, deadline = journal.path(settings.load(site.root)), time.monotonic() + PATIENCE
    told: dict[str, Any] = {}
    while told.get("step") != step:
        assert time.monotonic() < deadline, told
        with suppress(FileNotFoundError):
            told = json.loads(file.read_text())
        time.sleep(0.01)
    return time.monotonic()


def address(door: tuple[str, int], path: str) -> str:
    return f"http://{door[0]}:{door[1]}{path}"


def slow(door: tuple[str, int]) -> tuple[int, str, float]:
    answer = requests.get(address(door, f"/test/slow?seconds={SLOW}"), timeout=PATIENCE)
    return answer.status_code, answer.text, time.monotonic()


def streamed(door: tuple[str, int], parts: int) -> list[float]:
    """Read a stream of parts; return when each arrived."""
    arrived = []
    with requests.get(address(door, f"/test/stream?parts={parts}"), stream=True, timeout=PATIENCE) as answer:
        for number, line in enumerate(answer.iter_lines(chunk_size=1)):
            assert line == f"part {number}".encode()
            arrived.append(time.monotonic())
    assert len(arrived) == parts
    return arrived


def uploaded(door: tuple[str, int], path: str, body: bytes, **headers: str) -> tuple[int, Any, float]:
    """Upload as a slow line does, evenly over some seconds; return the answer, and when it came."""
    parts = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]

    def evenly() -> Iterator[bytes]:
        for part in parts:
            time.sleep(UPLOAD / len(parts))
            yield part

    with closing(HTTPConnection(*door, timeout=PATIENCE)) as connection:
        sent = {**headers, "Content-Length": str(len(body))}
        connection.request("POST", path, body=evenly(), headers=sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), time.monotonic()


def form(picture: bytes) -> tuple[bytes, str]:
    """Return a picture as a browser sends it, and the type of that."""
    files = {"file": ("large.png", picture, "image/png")}
    request = requests.Request("POST", "http://-/", files=files, data={"_payload": "{}"}).prepare()
    assert isinstance(request.body, bytes)
    return request.body, request.headers["Content-Type"]


def test_slow_requests_a_stream_and_large_uploads_survive_an_update(
    site: Site, image: str, opened: Doors
) -> None:
    editor, picture, large = visitor.editor(site), visitor.noise(SIDE), os.urandom(LARGE)
    body, kind = form(picture)
    check_out(site, image, GOOD)
    with site.starting("./deploy.sh") as deploy, ThreadPoolExecutor(8) as pool:
        reached(site, TRIAL)
        slow_ones = [pool.submit(slow, door) for door in opened.values()]
        stream = pool.submit(streamed, opened["caddy"], parts=30)
        upload = pool.submit(uploaded, opened["caddy"], "/test/upload", large)
        headers = {**editor.headers, "Content-Type": kind}
        published = pool.submit(uploaded, opened["traefik"], "/api/media", body, **headers)
        held = reached(site, HOLD)
        time.sleep(hold.PROBES)  # until the gate has seen it: whoever comes sooner is answered by the old one
        late = pool.submit(site.get, "/api/health", timeout=PATIENCE)
        out, told = deploy.communicate(timeout=PATIENCE)
        assert deploy.returncode == 0, told

    assert [each.result()[:2] for each in slow_ones] == [(200, "at last")] * len(opened)
    assert upload.result()[:2] == (200, {"sha256": hashlib.sha256(large).hexdigest()})
    status, answer, _ = published.result()
    assert status == 201, answer
    ended = [answer[-1] for answer in (*(each.result() for each in slow_ones), upload.result())]
    assert min(*ended, stream.result()[-1], published.result()[-1]) > held + 1, "nothing was under way"
    assert "cut off" not in told
    assert late.result().json()["release"] == out.strip()
    served = site.get(f"/api/media/file/{answer['doc']['filename']}", timeout=60).content
    assert hashlib.sha256(served).digest() == hashlib.sha256(picture).digest()


@pytest.mark.parametrize("way", ["the gate", "traefik", "caddy"])
def test_a_stream_arrives_part_by_part(way: str, site: Site, opened: Doors) -> None:
    arrived = streamed({"the gate": ("127.0.0.1", site.port), **opened}[way], parts=6)
    gaps = [later - sooner for sooner, later in pairwise(arrived)]
    assert min(gaps) > 0.25, gaps
