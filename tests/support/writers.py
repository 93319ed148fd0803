"""Who has a site's database open for writing, looked up in the kernel; and which applications ran at once."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from docker.errors import NotFound

from stack import settings
from stack.engine.containers import ONE_OFF, PROJECT, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

    from tests.support.site import Site

EVERY = 0.05  # seconds
FILE = "payload.db"
CONTAINER = re.compile(r"[0-9a-f]{64}")
FLAGS = re.compile(r"^flags:\s+([0-7]+)$", re.MULTILINE)
Inode = tuple[int, int]


@dataclass(frozen=True)
class Writing:
    """What was seen: the most processes that wrote at once, the samples, and the longest time between two."""

    most: int
    crowds: tuple[tuple[str, ...], ...]
    services: frozenset[str]
    samples: int
    gap: float
    most_applications: int
    overlaps: tuple[tuple[str, ...], ...]
    starts: int


@dataclass
class Watch:
    """Looks 20 times a second, in a thread of its own, and hears what the engine starts and ends."""

    client: DockerClient
    site: Site
    samples: int = 0
    gap: float = 0.0
    most: int = 0
    crowds: set[tuple[str, ...]] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    most_applications: int = 0
    overlaps: set[tuple[str, ...]] = field(default_factory=set)
    starts: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _inodes: set[Inode] = field(default_factory=set)
    _containers: dict[int, str] = field(default_factory=dict)
    _known: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._volume = settings.load(self.site.root).db_volume
        self._file = Path(self.client.volumes.get(self._volume).attrs["Mountpoint"]) / FILE

    def seen(self) -> Writing:
        return Writing(
            self.most,
            tuple(sorted(self.crowds)),
            frozenset(self.services),
            self.samples,
            self.gap,
            self.most_applications,
            tuple(sorted(self.overlaps)),
            self.starts,
        )

    def look(self) -> None:
        os.setpriority(
            os.PRIO_PROCESS, threading.get_native_id(), -10
        )  # it takes little, and has to be on time
        last = time.monotonic()
        while not self._over.wait(EVERY):
            writers = sorted(self._writers())
            self.samples += 1
            self.gap, last = max(self.gap, time.monotonic() - last), time.monotonic()
            self.most = max(self.most, len(writers))
            self.services |= {name.partition(" ")[0] for name in writers}
            if len(writers) > 1:
                self.crowds.add(tuple(writers))

    def end(self) -> None:
        self._over.set()

    def _writers(self) -> list[str]:
        """Return `service container pid` of each process that could write to the live file right now."""
        with suppress(FileNotFoundError):  # while it is put back
            self._inodes.add(_inode(self._file))
        pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - ten times as quick
        self._containers = {pid: self._containers.get(pid) or _container(pid) for pid in pids}
        writers = []
        for pid, container in self._containers.items():
            if container and any(inode in self._inodes for inode in _written(pid)):
                service, mounted = self._service(container)
                if mounted:
                    writers.append(f"{service} {container[:12]} {pid}")
        return writers

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
    with _events(mine) as process, ThreadPoolExecutor(2) as pool:
        assert process.stdout
        threads = [pool.submit(watch.look), pool.submit(watch.hear, process.stdout)]
        try:
            yield watch
        finally:
            watch.end()
            process.terminate()
    for thread in threads:
        thread.result()


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


def _inode(path: Path | str) -> Inode:
    found = os.stat(path)  # noqa: PTH116 - of a link in /proc, thousands of times
    return found.st_dev, found.st_ino


def _container(pid: int) -> str:
    with suppress(OSError):
        found = CONTAINER.search(Path(f"/proc/{pid}/cgroup").read_text())
        return found[0] if found else ""
    return ""


def _written(pid: int) -> set[Inode]:
    """Return the databases that a process has open for writing."""
    found = set()
    with suppress(OSError):  # it may end at any time
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            link = f"/proc/{pid}/fd/{name}"
            with suppress(OSError):
                if FILE in os.readlink(link).rpartition("/")[2].split(" ") and _for_writing(pid, name):  # noqa: PTH115
                    found.add(_inode(link))
    return found


def _for_writing(pid: int, descriptor: str) -> bool:
    flags = FLAGS.search(Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text())
    assert flags
    return int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY
