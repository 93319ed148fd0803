"""Who has a site's database open for writing, looked up in the kernel; and which applications ran at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from docker.errors import NotFound

from stack import settings
from stack.engine.containers import ONE_OFF, PROJECT, SERVICE
from tests.support import open_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

    from tests.support.site import Site

FILE = "payload.db"


@dataclass(frozen=True)
class Writing:
    """What was seen: the most processes that wrote at once, the samples, and the longest time between two.

    ``crowded`` tells from when to when there was more than one, on the machine's monotonic clock.
    """

    most: int
    crowds: tuple[tuple[str, ...], ...]
    crowded: tuple[tuple[float, float], ...]
    services: frozenset[str]
    samples: int
    gap: float
    most_applications: int
    overlaps: tuple[tuple[str, ...], ...]
    starts: int


@dataclass
class Watch:
    """What another program saw that looks 20 times a second, and what the engine starts and ends."""

    client: DockerClient
    site: Site
    samples: int = 0
    gap: float = 0.0
    most: int = 0
    crowds: set[tuple[str, ...]] = field(default_factory=set)
    crowded: list[tuple[float, float]] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    most_applications: int = 0
    overlaps: set[tuple[str, ...]] = field(default_factory=set)
    starts: int = 0
    _crowded_since: float = 0.0
    _known: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._volume = settings.load(self.site.root).db_volume
        self.file = Path(self.client.volumes.get(self._volume).attrs["Mountpoint"]) / FILE

    def seen(self) -> Writing:
        return Writing(
            self.most,
            tuple(sorted(self.crowds)),
            tuple(self.crowded),
            frozenset(self.services),
            self.samples,
            self.gap,
            self.most_applications,
            tuple(sorted(self.overlaps)),
            self.starts,
        )

    def look(self, changes: IO[str]) -> None:
        """Take in what is told of processes that could write, until it ends."""
        for line in changes:
            told = json.loads(line)
            if isinstance(told, dict):
                self.samples, self.gap = told["samples"], told["gap"]
            else:
                self._met(told)
        self._time(crowd=False)

    def _met(self, writers: list[tuple[str, int]]) -> None:
        here = [(*self._service(container), container, pid) for container, pid in writers]
        names = tuple(f"{service} {container[:12]} {pid}" for service, mine, container, pid in here if mine)
        self.most = max(self.most, len(names))
        self.services |= {name.partition(" ")[0] for name in names}
        if len(names) > 1:
            self.crowds.add(names)
        self._time(crowd=len(names) > 1)

    def _time(self, *, crowd: bool) -> None:
        now = time.monotonic()
        if crowd and not self._crowded_since:
            self._crowded_since = now
        elif self._crowded_since and not crowd:
            self.crowded.append((self._crowded_since, now))
            self._crowded_since = 0.0

    def _service(self, container: str) -> tuple[str, bool]:
        """Return a container's service, and whether it has the volume: inodes are used again elsewhere."""
        if container not in self._known:
            try:
                attrs = self.client.api.inspect_container(container)
            except NotFound:
                return "gone", True
            mounted = any(mount.get("Name") == self._volume for mount in attrs["Mounts"])
            self._known[container] = (attrs["Config"]["Labels"].get(SERVICE, "stranger"), mounted)
        return self._known[container]

    def hear(self, events: IO[str]) -> None:
        for line in events:
            action, container = line.split()
            if action == "start":
                self.starts += 1
                self.running.add(container)
            else:
                self.running.discard(container)
            self.most_applications = max(self.most_applications, len(self.running))
            if len(self.running) > 1:
                self.overlaps.add(tuple(sorted(self.running)))


@contextmanager
def watched(client: DockerClient, site: Site) -> Iterator[Watch]:
    """Watch a site's database and its applications until the end of the block."""
    watch = Watch(client, site)
    mine = [f"{PROJECT}={site.name}", f"{SERVICE}=app", f"{ONE_OFF}=False"]
    watch.running |= {str(each.id) for each in client.containers.list(filters={"label": mine})}
    watch.most_applications = len(watch.running)
    with _events(mine) as events, _looking(watch.file) as looks, ThreadPoolExecutor(2) as pool:
        assert events.stdout
        assert looks.stdin
        assert looks.stdout
        threads = [pool.submit(watch.look, looks.stdout), pool.submit(watch.hear, events.stdout)]
        try:
            yield watch
        finally:
            looks.stdin.close()
            events.terminate()
    for thread in threads:
        thread.result()


def _looking(file: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, str(Path(open_files.__file__)), str(file)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _events(labels: list[str]) -> subprocess.Popen[str]:
    """Have the engine tell, from now on, when containers with these labels start and end."""
    wanted = ["type=container", "event=start", "event=die", *(f"label={label}" for label in labels)]
    filters = [word for each in wanted for word in ("--filter", each)]
    argv = [
        "docker",
        "events",
        "--since",
        f"{time.time():.3f}",
        "--format",
        "{{.Action}} {{.Actor.ID}}",
        *filters,
    ]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
