"""A site's volumes, read and filled beside it by containers of the application's own image and user."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stack import compose, console, run
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

    from stack.run import Streams
    from stack.settings import Settings

INSIDE = Path(__file__).parent / "inside"
CHUNK = 1 << 20  # bytes
LINE_AT_MOST = 64 << 20  # bytes: the names of a million missing files
ATTEMPTS = 2
NEVER_RAN = "OCI runtime create failed"  # the engine's words; nothing in that container has run


@dataclass(frozen=True)
class Place:
    """Where the data is: two volumes, the database's path inside, and the image whose user may read it.

    ``formerly`` is what Compose has to be told of a release that has files of its own.
    """

    image: str
    database: str
    db_volume: str
    media_volume: str
    formerly: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        return {
            "APP_IMAGE": self.image,
            "DB_VOLUME": self.db_volume,
            "MEDIA_VOLUME": self.media_volume,
            **self.formerly,
        }


@dataclass(frozen=True)
class Facts:
    """What a database says of itself; ``journal_mode`` and ``sha256`` are empty where nobody asked.

    ``dev_pushed``: a development server changed its schema, without a migration.
    """

    user_version: int
    migrations: tuple[str, ...]
    rows: Mapping[str, int]
    foreign_key_violations: Mapping[str, int]
    dev_pushed: bool = False
    journal_mode: str = ""
    sha256: str = ""


class Unsound(Refused):
    """Data that cannot be trusted: ``kind`` is a word of the scripts inside, ``said`` SQLite's."""

    WORDS = {  # noqa: RUF012 - never changed
        "missing": "there is no such file",
        "empty": "it is empty: no table is in it",
        "not-sqlite": "it is not a SQLite database",
        "corrupt": "it is corrupt",
        "foreign": "it is not Payload's: it has no table payload_migrations",
        "unreadable": "SQLite cannot read it",
        "room": "the disk is full where the volume is",
        "sum": "what was written differs from what was checked",
        "not-empty": "the volume is not empty",
        "cut-off": "the data ended early",
    }

    def __init__(self, kind: str, said: str) -> None:
        self.kind = kind
        words = self.WORDS.get(kind, kind)
        super().__init__(
            "the database cannot be used",
            why=words if said in ("", kind) else f"{words}: {said}",
            fix="`bin/inv backups` lists what can be restored",
        )


def inspect(site: Settings, place: Place) -> Facts:
    """Ask a database what it holds, without changing it; one that cannot be trusted is :class:`Unsound`."""
    with running(site, place, "reader", "inspect", place.database) as process:
        return facts(heard(process))


@contextmanager
def running(site: Settings, place: Place, service: str, script: str, *arguments: str) -> Iterator[Streams]:
    """Run a script of `stack/inside` in a container of its own beside the site; give it when it speaks.

    A container in which nothing has run has done nothing: it is tried once more.
    """
    source = "\n".join((INSIDE / f"{name}.mjs").read_text() for name in ("database", script))
    argv = compose.beside(service, ["node", "--input-type=module", "--eval", source, *arguments])
    env = compose.environment(site, place.variables)
    for left in reversed(range(ATTEMPTS)):
        with run.streaming(argv, cwd=site.root, env=env) as process:
            if process.output.peek(1) or NEVER_RAN not in process.complaint():
                yield process
                return
            _never_ran(process.complaint(), last=left == 0)


def _never_ran(why: str, *, last: bool) -> None:
    if last:
        raise Refused(
            "the engine could not start a container beside the site",
            why=why,
            fix="run this again; where it stays so, look at `dmesg` and at the engine's log",
        )
    console.progress(f"  {why}: once more")


def heard(process: Streams) -> dict[str, Any]:
    """Return the next line of what a script tells; a refusal is :class:`Unsound`."""
    line = process.output.readline(LINE_AT_MOST)
    if not line.endswith(b"\n"):
        raise Refused(
            "the container beside the site ended early",
            why=process.complaint(),
            fix="see `docker info` and the disk; the image needs Node.js 22.13 or newer",
        )
    told: dict[str, Any] = json.loads(line)
    if "refused" in told:
        raise Unsound(told["refused"], told["said"])
    return told


def say(process: Streams, data: bytes) -> None:
    """Give a script its next bytes; one that has ended tells why."""
    try:
        process.input.write(data)
        process.input.flush()
    except BrokenPipeError:
        heard(process)
        raise


def facts(told: Mapping[str, Any]) -> Facts:
    said = told["facts"]
    return Facts(**{**said, "migrations": tuple(said["migrations"])})


@dataclass
class Content:
    """The bytes of one file on their way out of a container."""

    stream: IO[bytes]
    left: int
    on_bytes: Callable[[int], object] = lambda _: None

    def read(self, size: int = CHUNK) -> bytes:
        data = self.stream.read(min(size, self.left))
        self.left -= len(data)
        self.on_bytes(len(data))
        return data
