"""Compressed files, read in bounded memory and to their last byte; nothing else knows zstd or gzip.

An archive is written as zstd::

    frame | last frame | skippable frame: 8 bytes offset of the last frame, 32 bytes sha256 of all before

`zstd` and `tar --zstd` read it too. What somebody packed by hand may be one stream of gzip instead.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from stack.errors import Rejected
from stack.rejection import damaged, foreign

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

CHUNK = 2**20  # bytes in memory at a time
LEVEL = 3  # a database packs to 5.2:1 at 380 MB/s; 6 makes 5.4:1 of it at 150 MB/s, gzip 4.4:1 at 80 MB/s
WINDOW = 23  # 2**23 bytes are what a reader has to keep at most, and what levels up to 19 use

ZSTD, GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
SKIPPABLE = struct.pack("<II", 0x184D2A5E, 40)
FOOTER = len(SKIPPABLE) + 40  # bytes


class Packer:
    """Write frames, and at the end the footer."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        parameter = zstd.CompressionParameter
        self._frame = zstd.ZstdCompressor(
            options={parameter.compression_level: LEVEL, parameter.checksum_flag: 1}
        )
        self._write = write
        self._sum = hashlib.sha256()
        self._size = 0

    def pack(self, data: bytes) -> None:
        self._put(self._frame.compress(data))

    def end_frame(self) -> int:
        """End a frame; return the offset of the one that follows."""
        self._put(self._frame.flush(zstd.ZstdCompressor.FLUSH_FRAME))
        return self._size

    def put_footer(self, last_frame: int) -> None:
        self._put(SKIPPABLE + struct.pack("<Q", last_frame))
        self._write(self._sum.digest())

    def _put(self, data: bytes) -> None:
        self._write(data)
        self._sum.update(data)
        self._size += len(data)


class _Decompressor(Protocol):
    """What the reading of a frame needs of zstd and of gzip."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gunzip:
    """zlib with the interface of zstd."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        unpacked = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self.needs_input = not self._stream.unconsumed_tail
        return unpacked


class _Read:
    """The bytes of a file from one place on, summed up as they are read."""

    def __init__(self, file: BinaryIO, start: int, on_bytes: Callable[[int], object]) -> None:
        file.seek(start)
        self._file = file
        self._on_bytes = on_bytes
        self.sum = hashlib.sha256()

    def __call__(self, size: int) -> bytes:
        data = self._file.read(size)
        self.sum.update(data)
        self._on_bytes(len(data))
        return data


class _Frame:
    """One frame, or one stream of gzip, that has to end with the last of its ``length`` bytes."""

    def __init__(self, archive: str, read: _Read, length: int, decompressor: _Decompressor) -> None:
        self._archive = archive
        self._read = read
        self._left = length
        self._decompressor = decompressor

    def read(self, size: int) -> bytes:
        """Return up to ``size`` unpacked bytes, none at the end."""
        while not self._decompressor.eof:
            if unpacked := self._unpacked(size):
                return unpacked
        if self._left or self._decompressor.unused_data:
            raise damaged(self._archive, "something follows where it should end")
        return b""

    def _unpacked(self, size: int) -> bytes:
        try:
            return self._decompressor.decompress(self._packed(), size)
        except (zstd.ZstdError, zlib.error) as flaw:
            raise damaged(self._archive, str(flaw)) from flaw

    def _packed(self) -> bytes:
        if not self._decompressor.needs_input:
            return b""
        data = self._read(min(CHUNK, self._left))
        if not data:
            raise damaged(self._archive, "it ends too early")
        self._left -= len(data)
        return data


class Unpacked:
    """What is inside, frame after frame. Whoever reads to the end knows that the footer's sum is right."""

    def __init__(self, archive: str, frames: list[_Frame], read: _Read, *, footer: int) -> None:
        self._archive = archive
        self._frames = frames
        self._read = read
        self._footer = footer

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        while self._frames:
            if unpacked := self._frames[0].read(size):
                return unpacked
            del self._frames[0]
            if self._footer and not self._frames:
                self._compare()
        return b""

    def _compare(self) -> None:
        total = self._read.sum.copy()
        footer = self._read(self._footer)
        total.update(footer[:-32])
        if total.digest() != footer[-32:]:
            raise damaged(self._archive, "its content and the checksum at its end differ")


class Packed:
    """An open archive. ``by_hand`` is one of gzip: it has no footer and no frame of its manifest."""

    def __init__(self, archive: str, file: BinaryIO, size: int) -> None:
        self.archive = archive
        self._file = file
        self._size = size
        self.by_hand = _starts_as_gzip(archive, file)
        self._footer = b"" if self.by_hand else _footer(archive, file, size)

    def whole(self, on_bytes: Callable[[int], object]) -> Unpacked:
        """Give all there is; ``on_bytes`` is told how many more bytes of the file were read."""
        read = _Read(self._file, 0, on_bytes)
        if self.by_hand:
            return Unpacked(self.archive, [self._frame(read, self._size, _Gunzip())], read, footer=0)
        lengths = (self._last, self._size - FOOTER - self._last)
        return Unpacked(self.archive, [self._frame(read, n, _unzstd()) for n in lengths], read, footer=FOOTER)

    def last_frame(self) -> _Frame:
        """Give what is in the last frame; where it lies is as yet believed, not proven."""
        read = _Read(self._file, self._last, _unheard)
        return self._frame(read, self._size - FOOTER - self._last, _unzstd())

    def _frame(self, read: _Read, length: int, decompressor: _Decompressor) -> _Frame:
        return _Frame(self.archive, read, length, decompressor)

    @property
    def _last(self) -> int:
        return int.from_bytes(self._footer[len(SKIPPABLE) : -32], "little")


@contextmanager
def opened(path: Path) -> Iterator[Packed]:
    """Open an archive; what cannot be one is :class:`Rejected`, what may not be read an :class:`OSError`."""
    try:
        file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - closed by `with` below
    except FileNotFoundError as trouble:
        raise Rejected(
            f"there is no archive {path}", why=str(trouble.strerror), fix="name a file that ./backup.sh made"
        ) from trouble
    except IsADirectoryError as trouble:
        raise foreign(path.name, "it is a directory") from trouble
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise foreign(path.name, "it is no regular file")
        yield Packed(path.name, file, status.st_size)


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO would keep it waiting


def _starts_as_gzip(archive: str, file: BinaryIO) -> bool:
    start = file.read(len(ZSTD))
    if start == ZSTD:
        return False
    if start.startswith(GZIP):
        return True
    raise foreign(archive, "it is neither zstd nor gzip" if start else "it is empty")


def _footer(archive: str, file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - FOOTER))
    footer = file.read(FOOTER)
    last_frame = int.from_bytes(footer[len(SKIPPABLE) : -32], "little")
    if not footer.startswith(SKIPPABLE) or not 0 < last_frame < size - FOOTER:
        raise damaged(archive, "it does not end as an archive does: it is cut short, or not one of ours")
    return footer


def _unzstd() -> _Decompressor:
    made: _Decompressor = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW})
    return made


def _unheard(_: int) -> None:
    pass
