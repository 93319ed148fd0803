"""Visitors who come through real proxies at a fixed rate, whatever happens; what became of their requests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.support.load import PATIENCE, Plan, Request
from tests.support.site import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.site import Site
    from tests.support.visitor import Editor

GETS, POSTS = 50, 10  # a second
PUNCTUAL = 1.0  # seconds: the latest that a request may be sent after it was due


@dataclass(frozen=True)
class Summary:
    """What became of the requests of a while.

    ``silence`` is the longest time in which nobody was answered, ``late`` how well the load kept its pace.
    """

    requests: int
    failed: tuple[Request, ...]
    slowest: float
    silence: float
    late: float
    acknowledged: Mapping[int, str]
    releases: frozenset[str]
    by_door: Mapping[str, int]

    @property
    def complaint(self) -> str:
        """Say how many requests failed, and how, one example a kind."""
        examples = {(one.door, one.kind, one.status, one.error[:60]): one for one in self.failed}
        return f"{len(self.failed)} of {self.requests} failed: {list(examples.values())[:8]}"


@dataclass(frozen=True)
class Visitors:
    """Visitors who are under way; what they record can be read at any time."""

    record: Path
    process: subprocess.Popen[str]

    def requests(self) -> list[Request]:
        """Return what has ended so far, in the order in which it was due."""
        text = self.record.read_text() if self.record.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()  # the last one may still be being written
        return sorted((Request(**json.loads(line)) for line in lines), key=lambda request: request.due)

    def go(self) -> None:
        """Send no more, and wait for all answers that are still to come."""
        self.process.communicate(timeout=PATIENCE + 10)
        assert self.process.returncode == 0, "the load itself broke down"


@contextmanager
def coming(
    doors: Mapping[str, tuple[str, int]],
    editor: Editor,
    record: Path,
    *,
    gets: int = GETS,
    posts: int = POSTS,
) -> Iterator[Visitors]:
    """Let visitors come through these doors from now on; at the end every request has its answer."""
    plan = Plan(dict(doors), editor.token, record.stem, str(record), gets, posts)
    argv = [sys.executable, "-m", "tests.support.load"]
    with subprocess.Popen(argv, cwd=CHECKOUT, stdin=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin
            process.stdin.write(json.dumps(asdict(plan)) + "\n")
            process.stdin.flush()
            visitors = Visitors(record, process)
            _begun(visitors, gets)
            yield visitors
            visitors.go()
        finally:
            process.kill()


def _begun(visitors: Visitors, enough: int) -> None:
    """Wait for the first answers: what is slow in a load that starts is not the site."""
    deadline = time.monotonic() + PATIENCE
    while len(visitors.requests()) < enough:
        assert time.monotonic() < deadline, "nobody is answered"
        assert visitors.process.poll() is None, "the load does not start"
        time.sleep(0.1)


def summary(requests: Sequence[Request], since: float = 0, until: float = float("inf")) -> Summary:
    """Sum up the requests that were due in a while."""
    those = [request for request in requests if since <= request.due < until]
    assert those, "nobody came"
    doors = sorted({request.door for request in those})
    return Summary(
        requests=len(those),
        failed=tuple(request for request in those if request.failed),
        slowest=max(request.seconds for request in those),
        silence=_silence(those),
        late=max(request.late for request in those),
        acknowledged={one.identity: one.title for one in those if one.status == 201},
        releases=frozenset(one.release for one in those if not one.failed),
        by_door={door: sum(one.door == door for one in those) for door in doors},
    )


def _silence(requests: Sequence[Request]) -> float:
    answered = sorted(request.due + request.seconds for request in requests)
    return max((later - sooner for sooner, later in pairwise(answered)), default=0.0)


def rate(requests: Sequence[Request]) -> float:
    """Return how many requests a second were really sent."""
    sent = [request.due + request.late for request in requests]
    return (len(sent) - 1) / (max(sent) - min(sent))


def titles(site: Site) -> dict[int, str]:
    """Return all posts of a site."""
    answer = site.get("/api/posts?pagination=false&depth=0&select[title]=true", timeout=60)
    assert answer.status_code == 200, answer.text
    return {post["id"]: post["title"] for post in answer.json()["docs"]}


def lost(site: Site, acknowledged: Mapping[int, str]) -> dict[int, str]:
    """Return the posts that were acknowledged and are not there, or not as they were sent."""
    kept = titles(site)
    return {identity: title for identity, title in acknowledged.items() if kept.get(identity) != title}


def twice(site: Site, acknowledged: Mapping[int, str]) -> frozenset[str]:
    """Return the titles that were sent once and are there more than once."""
    counted = Counter(titles(site).values())
    return frozenset(title for title in acknowledged.values() if counted[title] > 1)
