"""Archives of backups: one compressed tar stream that proves itself, and that `tar --zstd -xf` unpacks too.

The database comes first, then the media, ``manifest.json`` last, in a frame of its own, so that it can be
read alone. What is read is believed only where it is what the manifest says; all else is :class:`Rejected`.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from stack import compression, manifest, ustar
from stack.compression import CHUNK
from stack.errors import Untrusted
from stack.manifest import Manifest, Member, shown
from stack.rejection import changed, foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from stack.compression import Packed
    from stack.ustar import Entry, Stream, Tar

LONGEST_MANIFEST = 256 * 2**20  # bytes


class Writer:
    """Write an archive to a path where nothing is yet.

    Whoever leaves it without :meth:`finish` finds an incomplete file there, to be removed.
    """

    def __init__(self, path: Path, *, created: datetime) -> None:
        self._path = path
        self._mtime = int(created.timestamp())
        self._members: list[Member] = []
        self._size = 0  # bytes of the tar stream

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._path, flags, 0o600), "wb", buffering=0)
        self._packer = compression.Packer(self._write)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, trouble: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, name: str, size: int, source: Stream) -> Member:
        """Take ``size`` bytes from ``source``, and no more; fewer are :class:`Untrusted`."""
        total = hashlib.sha256()
        self._put(ustar.header(name, size, self._mtime))
        for data in _chunks(name, size, source):
            total.update(data)
            self._put(data)
        self._put(ustar.padding(size))
        self._members.append(Member(name, size, total.hexdigest()))
        return self._members[-1]

    def finish(self, told: Manifest) -> None:
        """Add the manifest and the footer, and see all of it on the disk."""
        if told.members != tuple(self._members):
            raise Untrusted(
                f"{self._path.name} is not what its manifest says",
                why="other files were written than it names",
                fix="please report it with all above",
            )
        last_frame = self._packer.end_frame()
        raw = told.dump()
        self._put(ustar.header(manifest.NAME, len(raw), self._mtime) + raw + ustar.padding(len(raw)))
        self._put(ustar.end(self._size))
        self._packer.end_frame()
        self._packer.put_footer(last_frame)
        os.fsync(self._file.fileno())

    def _put(self, data: bytes) -> None:
        self._packer.pack(data)
        self._size += len(data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]


class Reader:
    """The content of a member. Whoever reads it to the end knows that it is what the manifest says."""

    def __init__(self, archive: str, tar: Tar, member: Member) -> None:
        self._archive = archive
        self._tar = tar
        self._member = member
        self._left = member.size
        self._sum = hashlib.sha256()
        self._compare()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        data = self._tar.read(min(size, self._left))
        self._sum.update(data)
        self._left -= len(data)
        self._compare()
        return data

    def _compare(self) -> None:
        if not self._left and self._sum.hexdigest() != self._member.sha256:
            raise changed(
                self._archive, f"{shown(self._member.name)} has another content than its manifest says"
            )


def manifest_of(path: Path) -> Manifest:
    """Return what an archive says about itself: quick for one of zstd, all of it is read for one of gzip."""
    with compression.opened(path) as packed:
        return manifest.parse(_raw_manifest(packed), of=packed.archive)


def check(path: Path, *, on_bytes: Callable[[int], object] = lambda _: None) -> Manifest:
    """Read an archive to its last byte and return its manifest, or raise :class:`Rejected`.

    ``on_bytes`` is told how many more bytes of the file were read.
    """
    with compression.opened(path) as packed:
        raw = _raw_manifest(packed)
        told = manifest.parse(raw, of=packed.archive)
        for _, reader in _called(packed, _expected(told, raw), on_bytes):
            while reader.read(CHUNK):
                pass
        return told


def members(
    path: Path, told: Manifest, *, wanted: Callable[[str], bool] = lambda _: True
) -> Iterator[tuple[Member, Reader]]:
    """Give the members that are ``wanted`` by their names, as they come in the archive.

    ``told`` is what :func:`check` returned: an archive that has another manifest by now is refused. What is
    not read of a member is passed over, and not compared.
    """
    with compression.opened(path) as packed:
        raw = _raw_manifest(packed)
        if manifest.parse(raw, of=packed.archive) != told:
            raise changed(packed.archive, "it is another one than was checked")
        for member, reader in _called(packed, _expected(told, raw)):
            if member.name != manifest.NAME and wanted(member.name):
                yield member, reader


def _chunks(name: str, size: int, source: Stream) -> Iterator[bytes]:
    while size:
        data = source.read(min(size, CHUNK))
        if not data:
            raise Untrusted(
                f"{shown(name)} could not be read whole",
                why=f"{size} bytes fewer came than it had: it became shorter, or its reader ended",
                fix="run this again",
            )
        yield data
        size -= len(data)


def _expected(told: Manifest, raw: bytes) -> Sequence[Member]:
    """Return all files that have to be in the stream, the manifest last."""
    return [*told.members, Member(manifest.NAME, len(raw), hashlib.sha256(raw).hexdigest())]


def _called(
    packed: Packed, expected: Sequence[Member], on_bytes: Callable[[int], object] = lambda _: None
) -> Iterator[tuple[Member, Reader]]:
    """Give the files of the stream that are expected; any other, or one that does not come, is refused."""
    tar = ustar.Tar(packed.archive, packed.whole(on_bytes), by_hand=packed.by_hand)
    roll = _Roll(packed, expected)
    while entry := tar.next():
        member = roll.call(entry.name)
        if entry.size != member.size:
            raise changed(
                packed.archive,
                f"{shown(entry.name)} has {entry.size} bytes, and {member.size} in its manifest",
            )
        yield member, Reader(packed.archive, tar, member)
    roll.end()


class _Roll:
    """Each expected file comes once; in the order of the manifest, but where somebody packed it by hand."""

    def __init__(self, packed: Packed, expected: Sequence[Member]) -> None:
        self._archive = packed.archive
        self._ordered = not packed.by_hand
        self._expected = expected
        self._places = {member.name: place for place, member in enumerate(expected)}
        self._came = bytearray(len(expected))

    def call(self, name: str) -> Member:
        place = self._places.get(name)
        if place is None:
            raise changed(self._archive, f"its manifest does not name {shown(name)}")
        if self._came[place]:
            raise changed(self._archive, f"{shown(name)} is in it twice")
        if self._ordered and place and not self._came[place - 1]:
            raise changed(self._archive, f"{shown(name)} is not in its place")
        self._came[place] = 1
        return self._expected[place]

    def end(self) -> None:
        missing = self._came.find(0)
        if missing >= 0:
            raise changed(self._archive, f"{shown(self._expected[missing].name)} is not in it")


def _raw_manifest(packed: Packed) -> bytes:
    stream = packed.whole(lambda _: None) if packed.by_hand else packed.last_frame()
    tar = ustar.Tar(packed.archive, stream, by_hand=packed.by_hand)
    found = None
    while entry := tar.next():
        if entry.name == manifest.NAME and found is None:
            found = _content(packed, tar, entry)
        elif entry.name == manifest.NAME or not packed.by_hand:
            raise changed(packed.archive, f"{shown(entry.name)} is where only one {manifest.NAME} belongs")
    if found is None:
        raise foreign(packed.archive, f"there is no {manifest.NAME} in it")
    return found


def _content(packed: Packed, tar: Tar, entry: Entry) -> bytes:
    if entry.size > LONGEST_MANIFEST:
        raise changed(packed.archive, f"its {manifest.NAME} has {entry.size} bytes")
    parts = []
    while data := tar.read(CHUNK):
        parts.append(data)
    return b"".join(parts)
