"""The only printer: progress and warnings on stderr, the result on stdout."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stack import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import IO, TextIO

TITLE_WIDTH = 34
COLOUR = re.compile(r"\033\[\d+m")
READER_GONE = (errno.EPIPE, errno.EIO)  # of a pipe, of a terminal

_transcripts: list[IO[bytes]] = []


@dataclass
class Step:
    """One line of the minutes; ``say`` replaces what stands behind its time when it is done."""

    title: str
    show: Callable[[str], None] = field(default=lambda _: None)
    outcome: str = ""

    def say(self, outcome: str) -> None:
        self.outcome = outcome

    def progress(self, line: str) -> None:
        self.show(f"{self.title}  [dim]{_escape(line)}[/dim]")


@contextmanager
def transcript(path: Path) -> Iterator[None]:
    """Keep in a file, with the time, what is told on stderr meanwhile; as much as the disk takes."""
    with path.open("ab", buffering=0) as file:
        _transcripts.append(file)
        try:
            yield
        finally:
            _transcripts[:] = [other for other in _transcripts if other is not file]


def result(text: str) -> None:
    _write(text, sys.stdout)


def result_json(value: object) -> None:
    result(json.dumps(value, indent=2, sort_keys=False))


def result_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows with their cells below each other; the first one names the columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        result("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def progress(text: str) -> None:
    record(text)
    _write(text, sys.stderr)


def record(text: str) -> None:
    """Tell the transcripts alone."""
    for file in [*_transcripts]:
        _keep(text, file)


def warn(text: str) -> None:
    progress(_coloured(f"warning: {text}", "33"))


def error(text: str) -> None:
    progress(_coloured(text, "31") if "\n" not in text else _first_line_coloured(text))


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Time what happens inside; say how it ended, on stderr, in one line."""
    began = time.monotonic()
    try:
        with _spinner(title) as shown:
            yield shown
    except BaseException as trouble:
        how = "interrupted" if isinstance(trouble, KeyboardInterrupt) else "failed"
        progress(f"  {title:<{TITLE_WIDTH}} {_coloured(how, '31')} after {_seconds(began).strip()}")
        raise
    progress(f"  {title:<{TITLE_WIDTH}} {_seconds(began)}  {shown.outcome}".rstrip())


@contextmanager
def _spinner(title: str) -> Iterator[Step]:
    if not sys.stderr.isatty():
        yield Step(title)
        return
    from rich.console import Console  # noqa: PLC0415 - 60 ms that a pipe need not pay

    status = Console(stderr=True).status(title, spinner="dots")
    with _reader_may_go(sys.stderr):
        status.start()
    try:
        yield Step(title, show=status.update)
    finally:
        with _reader_may_go(sys.stderr):
            status.stop()


def _keep(text: str, file: IO[bytes]) -> None:
    """Add to a transcript; a disk that is full must not end an operation, least of all its way back."""
    line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {COLOUR.sub('', text)}\n"
    try:
        file.write(line.encode(errors="backslashreplace"))
    except OSError as trouble:
        _transcripts.remove(file)
        _write(f"  {file.name} tells no more: {trouble.strerror}", sys.stderr)


def _write(text: str, stream: TextIO) -> None:
    with _reader_may_go(stream):
        print(text, file=stream, flush=True)


@contextmanager
def _reader_may_go(stream: TextIO) -> Iterator[None]:
    """Go on in silence where nobody reads a result (`| head`); who stops reading the progress hangs up."""
    try:
        yield
    except OSError as trouble:
        if trouble.errno not in READER_GONE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if stream is sys.stderr:
            signals.hang_up()


def _escape(line: str) -> str:
    return line[:70].replace("[", r"\[")


def _seconds(began: float) -> str:
    return f"{time.monotonic() - began:6.1f} s"


def _coloured(text: str, colour: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if sys.stderr.isatty() else text


def _first_line_coloured(text: str) -> str:
    return "\n".join(
        _coloured(line, "31") if line.startswith("error: ") else line for line in text.split("\n")
    )
