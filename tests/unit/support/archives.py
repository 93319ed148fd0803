"""Archives for tests: sound ones, and such as nobody but an attacker would make."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from stack import archive, compression, ustar
from stack.errors import Rejected
from stack.manifest import DATABASE, NAME, Manifest, Member

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Files = Mapping[str, bytes]

CREATED = datetime(2026, 11, 23, 5, 15, 58, tzinfo=timezone.utc)
FILES: Files = {
    DATABASE: b"SQLite format 3\0" + b"page" * 500,
    "media/a.jpg": b"\xff\xd8" + bytes(range(256)) * 3,
    "media/empty.txt": b"",
    "media/sizes/a-300x200.jpg": b"small",
}
DEEP = "/".join(["directory-" + "x" * 60] * 8)
ODD: Files = {
    DATABASE: b"database",
    "media/\u00e4\u00f6\u00fc \u65e5\u672c\u8a9e \U0001f600.png": b"not of ASCII",
    "media/a\u0308.png": b"decomposed",
    "media/\u00e4.png": b"composed",
    "media/A.png": b"upper case",
    "media/a.png": b"lower case",
    f"media/{'n' * 94}": b"of 100 bytes",
    f"media/{'n' * 95}": b"of 101 bytes",
    f"media/{'n' * 255}": b"of the longest name",
    f"media/{DEEP}": b"of a long path",
    "media/-rf": b"like an option",
    "media/manifest.json": b"like ours",
    "media/ends-at-a-block": b"x" * 512,
    "media/empty": b"",
}


def member(name: str, content: bytes) -> Member:
    return Member(name, len(content), hashlib.sha256(content).hexdigest())


def told_of(files: Files, **changes: Any) -> Manifest:
    """Make the manifest of these files."""
    values: dict[str, Any] = {
        "site": "shop",
        "release": "20261122T181500Z-abcdef0",
        "image": "sha256:" + "0" * 64,
        "created": "2026-11-23T05:15:58Z",
        "journal_mode": "wal",
        "user_version": 0,
        "migrations": ("20261101_120000_initial",),
        "rows": {"payload_migrations": 1, "posts": 3},
        "media": True,
        "members": tuple(member(name, content) for name, content in files.items()),
    }
    return Manifest(**values | changes)


def write(path: Path, files: Files = FILES, **changes: Any) -> Manifest:
    """Write a sound archive."""
    with archive.Writer(path, created=CREATED) as writer:
        for name, content in files.items():
            writer.add(name, len(content), io.BytesIO(content))
        told = told_of(files, **changes)
        writer.finish(told)
    return told


def entry(name: str, content: bytes = b"", **fields: Any) -> bytes:
    """Make a header and its content as `tarfile` writes them; ``fields`` are those of a ``TarInfo``."""
    info = tarfile.TarInfo(name)
    for field, value in {"size": len(content), **fields}.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.PAX_FORMAT) + content + ustar.padding(len(content))


def sealed(header: bytes, **fields: tuple[int, bytes]) -> bytes:
    """Write bytes into a header at their offsets, and the checksum that fits."""
    block = bytearray(header[:512])
    for offset, value in fields.values():
        block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + header[512:]


def pax(data: bytes, *, size: int | None = None) -> bytes:
    return entry("pax", data, type=tarfile.XHDTYPE, size=len(data) if size is None else size)


def record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode()
    length = next(n for n in range(len(rest), len(rest) + 9) if len(str(n)) + len(rest) == n)
    return str(length).encode() + rest


def entries(files: Files) -> list[bytes]:
    return [entry(name, content) for name, content in files.items()]


def photo(**fields: Any) -> bytes:
    """Make the part of :data:`FILES` that most attacks put something else in place of."""
    return entry("media/a.jpg", PHOTO, **fields)


def pack(path: Path, *frames: bytes) -> None:
    """Pack frames as zstd, and seal them with a footer that is right."""
    with path.open("wb") as file:
        packer = compression.Packer(file.write)
        last = 0
        for number, frame in enumerate(frames, 1):
            packer.pack(frame)
            after = packer.end_frame()
            last = after if number < len(frames) else last
        packer.put_footer(last)


PHOTO = FILES["media/a.jpg"]
BEFORE, AFTER = entries(FILES)[:1], entries(FILES)[2:]
SUFFIXES = pytest.mark.parametrize("suffix", [".zst", ".gz"])


def craft(path: Path, told: Manifest, parts: list[bytes]) -> None:
    """Pack parts of a tar stream and the manifest: as zstd or, where the path ends in ``.gz``, as gzip."""
    inside, last = b"".join(parts), entry(NAME, told.dump())
    last += ustar.end(len(inside) + len(last))
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(inside + last, 1))
    else:
        pack(path, inside, last)


def refusal(path: Path, told: Manifest | None = None) -> Rejected:
    """Return why an archive is refused; where ``told`` is given, filling volumes from it has to fail too."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(Rejected) as refused:
        archive.check(path)
    if told is not None:
        with pytest.raises(Rejected):
            content(path, told)
    assert sorted(path.parent.iterdir()) == before
    assert refused.value.code == 23
    return refused.value


def refusal_of_parts(place: Path, suffix: str, *parts: bytes) -> Rejected:
    """Return why an archive is refused that has these parts where the photo belongs."""
    path, told = place / f"shop.tar{suffix}", told_of(FILES)
    craft(path, told, [*BEFORE, *parts, *AFTER])
    return refusal(path, told)


def content(path: Path, told: Manifest) -> dict[str, bytes]:
    """Read all members as a restore does."""
    return {found.name: reader_of(reader) for found, reader in archive.members(path, told)}


def reader_of(reader: archive.Reader, size: int = 700) -> bytes:
    return b"".join(iter(lambda: reader.read(size), b""))


def unpacked(path: Path) -> bytes:
    """Return the tar stream of an archive, unpacked by the library alone."""
    with zstd.open(path) as file:
        stream: bytes = file.read()
    return stream
