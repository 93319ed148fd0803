"""Ask a site for its health, as a visitor would: through the gate."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_LIMIT = 5.0  # seconds
INTERVAL = 0.2


@dataclass(frozen=True)
class Answer:
    """``status`` is None where nothing answered; ``said`` is the body (500 bytes at most) or the reason."""

    status: int | None
    said: str

    @property
    def healthy(self) -> bool:
        return self.status == 200

    @property
    def timed_out(self) -> bool:
        return self.status is None and self.said == "timed out"

    @property
    def release(self) -> str | None:
        try:
            body = json.loads(self.said)
        except ValueError:
            return None
        release = body.get("release") if isinstance(body, dict) else None
        return release if isinstance(release, str) else None


def ask(url: str | urllib.request.Request, *, limit: float = ANSWER_LIMIT) -> Answer:
    """Send one GET, past any proxy that the environment names; a redirect is an answer like others."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Redirects)
    try:
        with direct.open(url, timeout=limit) as response:
            return Answer(response.status, _beginning(response))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Answer(refusal.code, _beginning(refusal))
    except (OSError, HTTPException, ValueError) as trouble:  # refused, reset, timed out, not HTTP
        return Answer(None, str(getattr(trouble, "reason", trouble)))


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow none: a login page is not health."""


def _beginning(response: HTTPResponse | urllib.error.HTTPError) -> str:
    """Return what arrived of the body by now: a server that dribbles is not waited for."""
    try:
        return response.read1(500).decode(errors="replace")
    except (OSError, HTTPException, ValueError) as trouble:
        return str(trouble)


def wait(
    url: str | urllib.request.Request,
    *,
    limit: float,
    hopeless: Callable[[], str | None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """Ask until the answer is 200, ``limit`` seconds have passed, or ``hopeless`` gives a reason to stop."""
    deadline = clock() + limit
    while True:
        answer = ask(url, limit=2.0)  # short, because the gate holds what the application does not take
        if answer.healthy or clock() >= deadline:
            return answer
        if reason := hopeless():
            return Answer(None, reason)
        sleep(INTERVAL)
