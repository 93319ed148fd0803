"""Which processes have a database open for writing, looked up in the kernel 20 times a second.

A program of its own: nothing else that the tests do makes it late. ``python open_files.py FILE`` tells each
change as a line of JSON, ``[[container, pid], ...]``; at the end of its input how often it looked, and the
longest time between two looks in seconds.
"""

from __future__ import annotations

import json
import os
import re
import select
import sys
import time
from contextlib import suppress
from pathlib import Path

EVERY = 0.05  # seconds
PRIORITY = -10  # it takes little, and has to be on time
CONTAINER = re.compile(r"[0-9a-f]{64}")
FLAGS = re.compile(r"^flags:\s+([0-7]+)$", re.MULTILINE)
Inode = tuple[int, int]
Writer = tuple[str, int]


class Look:
    """The processes of containers, and every file that a path has meant since somebody began to look."""

    def __init__(self, file: Path) -> None:
        self._file = file
        volume = file.parent  # above it, a mount is told as its own file system calls it
        self._mounted = f"/{volume.parent.name}/{volume.name} "
        self._inodes: set[Inode] = set()
        self._containers: dict[tuple[int, str], str] = {}

    def writers(self) -> list[Writer]:
        """Return container and pid of each process that could write to the file right now."""
        with suppress(FileNotFoundError):  # while it is put back
            self._inodes.add(_inode(self._file))
        programs = {(int(name), _program(name)) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - ten times as quick
        known = self._containers
        self._containers = {
            each: known[each] if each in known else self._container(each[0]) for each in programs
        }
        inside = sorted((container, pid) for (pid, _), container in self._containers.items() if container)
        return [each for each in inside if self._inodes & _written(each[1], self._file.name)]

    def _container(self, pid: int) -> str:
        """Return the container of a process that has the file's directory among its mounts, else nothing.

        Which mounts it has it is given before its program begins, and keeps.
        """
        with suppress(OSError):
            found = CONTAINER.search(Path(f"/proc/{pid}/cgroup").read_text())
            mounts = Path(f"/proc/{pid}/mountinfo").read_text()
            return found[0] if found and self._mounted in mounts else ""
        return ""


def main() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    look, last, samples, gap = Look(Path(sys.argv[1])), time.monotonic(), 0, 0.0
    before: list[Writer] = []
    while not select.select([sys.stdin], [], [], EVERY)[0]:
        writers, now = look.writers(), time.monotonic()
        samples, gap, last = samples + 1, max(gap, now - last), now
        if writers != before:
            print(json.dumps(writers), flush=True)  # noqa: T201 - to whoever started it
        before = writers
    print(json.dumps({"samples": samples, "gap": gap}), flush=True)  # noqa: T201


def _inode(path: Path | str) -> Inode:
    found = os.stat(path)  # noqa: PTH116 - of a link in /proc, thousands of times
    return found.st_dev, found.st_ino


def _program(pid: str) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115
    return ""


def _written(pid: int, name: str) -> set[Inode]:
    """Return the files of that name that a process has open for writing; deleted ones too."""
    found = set()
    with suppress(OSError):  # it may end at any time
        for descriptor in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            link = f"/proc/{pid}/fd/{descriptor}"
            with suppress(OSError):
                if name in os.readlink(link).rpartition("/")[2].split(" ") and _for_writing(pid, descriptor):  # noqa: PTH115
                    found.add(_inode(link))
    return found


def _for_writing(pid: int, descriptor: str) -> bool:
    flags = FLAGS.search(Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text())
    assert flags
    return int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY


if __name__ == "__main__":
    main()
