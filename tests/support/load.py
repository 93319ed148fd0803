"""Visitors in a process of their own, who come at their own pace: `python -m tests.support.load`.

Reads a :class:`Plan` from the first line of stdin, writes each request to its file as soon as it has ended,
and stops sending when stdin ends. It never waits for an answer before the next request: nor do visitors.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import os
import resource
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

PATIENCE = 70  # seconds for an answer: longer than the gate holds
HEALTH, NEWEST, PAGE = "/api/health", "/api/posts?limit=10&depth=0", "/"
PATHS = (HEALTH, NEWEST, HEALTH, NEWEST, PAGE, HEALTH, NEWEST, HEALTH, NEWEST, HEALTH)
HOST = "shop.example.com"


@dataclass(frozen=True)
class Plan:
    """Who asks what: ``doors`` are the proxies' addresses by their names, rates are per second."""

    doors: dict[str, tuple[str, int]]
    token: str
    name: str
    record: str
    gets: int
    posts: int


@dataclass(frozen=True)
class Call:
    """One request before it is made, ``due`` on the machine's monotonic clock."""

    due: float
    kind: str
    door: str
    path: str
    title: str = ""


@dataclass(frozen=True)
class Request:
    """One request and what became of it; ``seconds`` count from when it was due, not when it was sent."""

    kind: str
    door: str
    path: str
    title: str
    due: float
    late: float
    seconds: float
    status: int = 0
    error: str = ""
    release: str = ""
    identity: int = 0

    @property
    def failed(self) -> bool:
        return bool(self.error) or self.status not in range(200, 300)


def calls(plan: Plan, began: float) -> Iterator[Call]:
    """Plan all requests there will ever be, each kind through every proxy in turn."""
    gets, posts = _gets(plan, began), _posts(plan, began)
    get, post = next(gets), next(posts)
    while True:
        if get.due <= post.due:
            yield get
            get = next(gets)
        else:
            yield post
            post = next(posts)


def _gets(plan: Plan, began: float) -> Iterator[Call]:
    doors = list(plan.doors)
    for number in itertools.count():
        path = PATHS[number // len(doors) % len(PATHS)]
        yield Call(began + number / plan.gets, "GET", doors[number % len(doors)], path)


def _posts(plan: Plan, began: float) -> Iterator[Call]:
    doors = list(plan.doors)
    for number in itertools.count():
        door = doors[number % len(doors)]
        yield Call(began + number / plan.posts, "POST", door, "/api/posts", f"{plan.name} {number}")


async def come(plan: Plan, over: asyncio.Event) -> None:
    """Send what is due until it is over, then wait for the answers that are still to come."""
    under_way: set[asyncio.Task[None]] = set()
    with open(plan.record, "w", buffering=1) as record:  # noqa: ASYNC230, PTH123 - a line now and then
        for call in calls(plan, time.monotonic()):
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(over.wait(), max(0.0, call.due - time.monotonic()))
            if over.is_set():
                break
            task = asyncio.create_task(_made(plan, call, record))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)


async def _made(plan: Plan, call: Call, record: TextIO) -> None:
    sent = time.monotonic()
    try:
        told = await asyncio.wait_for(_answer(plan, call), PATIENCE)
    except asyncio.TimeoutError:
        told = {"error": f"no answer within {PATIENCE} s"}
    except (OSError, HTTPException, ValueError) as trouble:
        told = {"error": f"{type(trouble).__name__}: {trouble}"}
    request = Request(
        call.kind,
        call.door,
        call.path,
        call.title,
        call.due,
        late=sent - call.due,
        seconds=time.monotonic() - call.due,
        **told,
    )
    record.write(json.dumps(asdict(request)) + "\n")


async def _answer(plan: Plan, call: Call) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection(*plan.doors[call.door])
    try:
        writer.write(_bytes(plan, call))
        answered = await reader.read()  # until the proxy closes: it was asked to
    finally:
        writer.close()
    return told_by(answered)


def _bytes(plan: Plan, call: Call) -> bytes:
    head = [f"{call.kind} {call.path} HTTP/1.1", f"Host: {HOST}", "Connection: close"]
    body = b""
    if call.kind == "POST":
        body = json.dumps({"title": call.title}).encode()
        head += [f"Authorization: JWT {plan.token}", "Content-Type: application/json"]
        head += [f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


def told_by(answered: bytes) -> dict[str, Any]:
    """Read an answer as far as it matters here; one that was cut off raises."""
    response = HTTPResponse(cast("socket.socket", _Wire(answered)))
    response.begin()
    body = response.read()
    told: dict[str, Any] = {"status": response.status, "release": response.getheader("x-release") or ""}
    if response.status == 201:
        told["identity"] = json.loads(body)["doc"]["id"]
    elif not 200 <= response.status < 300:
        told["error"] = body[:200].decode(errors="replace")
    return told


@dataclass(frozen=True)
class _Wire:
    """What `http.client` reads from, after all has arrived."""

    answered: bytes

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self.answered)


async def _main() -> None:
    told = json.loads(sys.stdin.readline())
    plan = Plan(**{**told, "doors": {name: tuple(place) for name, place in told["doors"].items()}})
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, over.set)
    await come(plan, over)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each held visitor is an open connection
    os.nice(-10)  # it takes little, and has to be on time
    asyncio.run(_main())
