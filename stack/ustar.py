"""A tar stream: written so that the same files give the same bytes, read strictly, held in memory never.

Python's `tarfile` writes the headers. It does not read them: it follows links, believes sparse maps, and ends
quietly where a stream is cut between two members.
"""

from __future__ import annotations

import re
import struct
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from stack.compression import CHUNK
from stack.manifest import acceptable, shown
from stack.rejection import changed, damaged

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK, RECORD = 512, 10240
ZEROS = bytes(BLOCK)
FIELDS = struct.Struct("100s 24x 12s 12x 8s c 100x 8s 80x 155s 12x")
POSIX, GNU = b"ustar\x0000", b"ustar  \x00"

FILES = (b"0", b"\0")
DIRECTORY = b"5"
PAX, GNU_NAME = b"x", b"L"
LENGTHS = {PAX: 64 * 1024, GNU_NAME: 8 * 1024}  # bytes of the headers that tell of the one that follows
KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a directory",
}
KINDS |= {b"6": "a FIFO", b"S": "a sparse file"}

RECORD_LENGTH = re.compile(rb"([1-9]\d{0,4}) ")
HEEDED = {"path", "size"}
IGNORED = {"mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment"}


class Stream(Protocol):
    """Anything that gives up to so many bytes, and none at its end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Entry:
    """A regular file in the stream; ``size`` in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class _Header:
    name: bytes
    size: int
    kind: bytes


def header(name: str, size: int, mtime: int) -> bytes:
    """Return what stands before a file's content: owned by nobody in particular, closed to others."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, mtime, 0o600
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int) -> bytes:
    """Return the zeros that follow ``size`` bytes of content."""
    return bytes(-size % BLOCK)


def end(size: int) -> bytes:
    """Return what ends a stream of ``size`` bytes."""
    return bytes(2 * BLOCK + -(size + 2 * BLOCK) % RECORD)


class Tar:
    """The files of a stream, one after the other.

    One made ``by_hand`` may have directories, which are passed over, and names that begin with ``./``.
    """

    def __init__(self, archive: str, stream: Stream, *, by_hand: bool) -> None:
        self._archive = archive
        self._stream = stream
        self._by_hand = by_hand
        self._left = self._padding = 0

    def next(self) -> Entry | None:
        """Pass over what was not read of a file; give the one that follows, None at the end of everything."""
        self._pass_over()
        told: Mapping[str, bytes] = {}
        while (block := self._exactly(BLOCK)) != ZEROS:
            found = self._header(block)
            if found.kind in LENGTHS and not told:
                told = self._told(found)
            elif found.kind == DIRECTORY and self._by_hand:
                self._name(found, told, directory=True)
                told = {}
            else:
                return self._entry(found, told)
        self._see_the_end()
        return None

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of the file's content, none at its end."""
        data = self._some(min(size, self._left, CHUNK))
        self._left -= len(data)
        return data

    def _entry(self, found: _Header, told: Mapping[str, bytes]) -> Entry:
        name = self._name(found, told)
        if found.kind not in FILES:
            kind = KINDS.get(found.kind, f"of the unknown type {found.kind!r}")
            raise changed(self._archive, f"{shown(name)} is {kind}: only regular files belong in it")
        size = int(told["size"]) if "size" in told else found.size
        self._left, self._padding = size, -size % BLOCK
        return Entry(name, size)

    def _name(self, found: _Header, told: Mapping[str, bytes], *, directory: bool = False) -> str:
        raw = told.get("path", found.name)
        try:
            name = raw.decode()
        except UnicodeDecodeError as flaw:
            raise changed(self._archive, f"the name {raw[:200]!r} is not UTF-8") from flaw
        if self._by_hand:
            name = name.removeprefix("./")
        if directory and name and not acceptable(name.removesuffix("/")):
            raise changed(self._archive, f"no restore takes a directory called {shown(name)}")
        return name

    def _header(self, block: bytes) -> _Header:
        try:
            return _header(block)
        except ValueError as flaw:
            raise damaged(self._archive, str(flaw)) from flaw

    def _told(self, found: _Header) -> Mapping[str, bytes]:
        """Read a header that tells something of the one that follows."""
        if found.size > LENGTHS[found.kind]:
            raise changed(self._archive, f"a header of {found.size} bytes is longer than any name")
        data = self._exactly(found.size)
        self._exactly(-found.size % BLOCK)
        if found.kind == GNU_NAME:
            return {"path": data.removesuffix(b"\0")}
        try:
            return _records(data)
        except ValueError as flaw:
            raise changed(self._archive, str(flaw)) from flaw

    def _see_the_end(self) -> None:
        rest = self._exactly(BLOCK)
        while data := self._stream.read(RECORD):
            rest += data
            if len(rest) > RECORD:
                break
        if rest.strip(b"\0") or len(rest) > RECORD:
            raise damaged(self._archive, "something follows the end of its tar stream")

    def _pass_over(self) -> None:
        while self.read(CHUNK):
            pass
        self._exactly(self._padding)
        self._padding = 0

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._some(size - len(data))
        return data

    def _some(self, size: int) -> bytes:
        data = self._stream.read(size) if size else b""
        if size and not data:
            raise damaged(self._archive, "its tar stream ends too early")
        return data


def _header(block: bytes) -> _Header:
    name, size, checksum, kind, magic, prefix = FIELDS.unpack(block)
    if _octal(checksum) != sum(block) - sum(checksum) + 8 * ord(" "):
        raise ValueError("a header of its tar stream has a wrong checksum")
    if magic not in (POSIX, GNU):
        raise ValueError("a header of its tar stream is of no known kind")
    name, prefix = (part.partition(b"\0")[0] for part in (name, prefix))
    return _Header(prefix + b"/" + name if prefix and magic == POSIX else name, _size(size), kind)


def _size(told: bytes) -> int:
    """Read a size: octal digits, or for more than 8 GiB a binary number, as GNU tar has it."""
    return int.from_bytes(told[1:], "big") if told[0] == 0x80 else _octal(told)


def _octal(told: bytes) -> int:
    digits = told.strip(b" \0")
    if not re.fullmatch(rb"[0-7]+", digits):
        raise ValueError("a header of its tar stream has a number that is none")
    return int(digits, 8)


def _records(data: bytes) -> Mapping[str, bytes]:
    """Return what a PAX header tells and is heeded; what would change how the stream is read is refused."""
    told, place = {}, 0
    while place < len(data):
        key, value, place = _record(data, place)
        if key not in HEEDED | IGNORED:
            raise ValueError(f"a header says {shown(key)}, which means nothing here")
        told[key] = value
    if not re.fullmatch(rb"\d{1,18}", told.get("size", b"0")):
        raise ValueError("a header tells a size that is no number")
    return told


def _record(data: bytes, place: int) -> tuple[str, bytes, int]:
    length = RECORD_LENGTH.match(data, place)
    after = place + int(length[1]) if length else len(data) + 1
    if not length or after > len(data) or data[after - 1 : after] != b"\n":
        raise ValueError("a header of its tar stream cannot be read")
    key, _, value = data[length.end() : after - 1].partition(b"=")
    return key.decode(errors="replace"), value, after
