"""The moments of an operation, as others see them: its journal, `.env`, what the engine does for it."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stack import envfile
from stack.engine.containers import PROJECT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

    from docker import DockerClient

    from tests.support.site import Site

PATIENCE = 90  # seconds for a moment to come, and for what a killed operation has started to end
EVERY = 0.0002  # seconds; between the end of a step and the next one lies about a millisecond
PIN, UNPIN = "touch /run/gate/pinned", "rm -f /run/gate/pinned"


@dataclass
class Seen:
    """What there was to see since somebody began to look; ``events`` are the engine's, by container."""

    client: DockerClient
    site: Site
    told: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)

    @property
    def facts(self) -> Mapping[str, str]:
        facts: dict[str, str] = self.told.get("facts", {})
        return facts

    def look(self) -> None:
        """Read the journal as it is; of an operation that has ended, what it said last stays."""
        with suppress(FileNotFoundError):
            self.told = json.loads((self.site.root / ".stack" / "journal").read_text())

    def count(self, event: str, whose: str) -> int:
        """Count an event of the container that the journal calls so, of any where it is called nothing."""
        wanted = self.facts.get(whose)
        return sum(what == event and wanted in (None, which) for what, which in self.events)


@dataclass(frozen=True)
class Moment:
    """A moment that can be waited for; ``has_come`` holds long enough to be seen."""

    name: str
    has_come: Callable[[Seen], bool]

    def __str__(self) -> str:
        return self.name


def begun(step: str) -> Moment:
    return Moment(f"{step}: begun", lambda seen: _is_at(seen, step))


def done(step: str) -> Moment:
    return Moment(f"{step}: done", lambda seen: _is_at(seen, step) and seen.told["done"])


def noted(fact: str) -> Moment:
    return Moment(f"{fact} is noted", lambda seen: fact in seen.facts)


def happened(event: str, whose: str = "", *, times: int = 1) -> Moment:
    name = f"{whose}: {event}" if whose else event
    return Moment(
        name if times == 1 else f"{name}, {times} times",
        lambda seen: (not whose or whose in seen.facts) and seen.count(event, whose) >= times,
    )


def said(words: str, whose: str) -> Moment:
    return Moment(f"{whose}: {words}", lambda seen: whose in seen.facts and words in _logs(seen, whose))


def named() -> Moment:
    """Return the moment at which `.env` names the new release."""
    return Moment(".env names it", lambda seen: _image(seen) == seen.facts.get("to_image"))


def saved() -> Moment:
    return Moment("what it was started with is saved", _is_saved)


@contextmanager
def watched(client: DockerClient, site: Site) -> Iterator[Seen]:
    """Listen to what the engine does for a site."""
    seen = Seen(client, site)
    events: Any = client.events(decode=True, filters={"label": f"{PROJECT}={site.name}"})

    def listen() -> None:
        for event in events:
            seen.events.append((event["Action"], event["Actor"]["ID"]))

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield seen
    finally:
        events.close()
        listener.join()


def reached(seen: Seen, moment: Moment, process: subprocess.Popen[str]) -> None:
    """Wait until a moment has come in a process that is at work."""
    deadline = time.monotonic() + PATIENCE
    seen.look()
    while not moment.has_come(seen):
        assert time.monotonic() < deadline, seen.told
        assert process.poll() is None, f"it ended before: {moment}\n{process.communicate()[1]}"
        time.sleep(EVERY)
        seen.look()


def _is_at(seen: Seen, step: str) -> bool:
    return bool(seen.told) and seen.told["step"] == step


def _logs(seen: Seen, whose: str) -> str:
    said: bytes = seen.client.api.logs(seen.facts[whose])
    return said.decode()


def _image(seen: Seen) -> str:
    return envfile.read(seen.site.root / ".env")["APP_IMAGE"]


def _is_saved(seen: Seen) -> bool:
    place = seen.site.root / ".stack" / "releases"
    return bool(seen.told) and (place / seen.told["id"] / "release.json").exists()
