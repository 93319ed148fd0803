"""Files that unpack to too much, or were never an archive."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from stack import archive, compression
from stack.manifest import DATABASE, NAME, Member
from tests.unit.support import archives
from tests.unit.support.archives import FILES, SUFFIXES, craft, entry, sealed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from pathlib import Path


MIB = 2**20
SIZE_FIELD = 124  # its offset


# --- bombs ----------------------------------------------------------------------------------------


@SUFFIXES
def test_a_hundred_thousand_strangers_are_refused_at_the_first(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    craft(path, told, [b"".join(entry(f"media/{number}") for number in range(100)) * 1000])
    called: list[str] = []

    class Roll(archive._Roll):
        def call(self, name: str) -> Member:
            called.append(name)
            return super().call(name)

    monkeypatch.setattr(archive, "_Roll", Roll)
    assert archives.refusal(path).why == "its manifest does not name 'media/0'"
    assert called == ["media/0"]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path, told = tmp_path / "shop.tar.zst", archives.told_of(FILES)
    with path.open("wb") as file:
        packer = compression.Packer(file.write)
        packer.pack(sealed(entry(DATABASE), size=(SIZE_FIELD, b"%011o\0" % 2**30)))
        for _ in range(1024):
            packer.pack(bytes(MIB))
        last = packer.end_frame()
        packer.pack(entry(NAME, told.dump()) + bytes(1024))
        packer.end_frame()
        packer.put_footer(last)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    assert f"has {2**30} bytes" in archives.refusal(path, told).why
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_zeros_without_end_are_refused_after_one_record(tmp_path: Path) -> None:
    path, told = tmp_path / "shop.tar.zst", archives.told_of(FILES)
    last = entry(NAME, told.dump())
    archives.pack(path, b"".join(archives.entries(FILES)), last + bytes(64 * MIB))
    tracemalloc.start()
    assert "something follows the end" in archives.refusal(path, told).why
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MIB


@pytest.mark.parametrize(("wider", "refused"), [(0, False), (1, True), (4, True)])
def test_a_frame_that_asks_for_more_memory_than_ours_is_refused(
    wider: int, refused: bool, tmp_path: Path
) -> None:
    path, told = tmp_path / "shop.tar.zst", archives.told_of(FILES)
    parameter = zstd.CompressionParameter
    with path.open("wb") as file:
        packer = compression.Packer(file.write)
        packer._frame = zstd.ZstdCompressor(options={parameter.window_log: compression.WINDOW + wider})
        packer.pack(b"".join(archives.entries(FILES)))
        last = packer.end_frame()
        packer.pack(entry(NAME, told.dump()) + bytes(1024))
        packer.end_frame()
        packer.put_footer(last)
    if refused:
        assert "too much memory" in archives.refusal(path, told).why
    else:
        assert archive.check(path) == told


# --- no archives at all ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"x", "it is neither zstd nor gzip"),
        (b"SQLite format 3\0" + bytes(4096), "it is neither zstd nor gzip"),
        (entry(DATABASE, b"x") + bytes(1024), "it is neither zstd nor gzip"),
        (compression.SKIPPABLE + bytes(40), "it is neither zstd nor gzip"),
    ],
    ids=["empty", "byte", "database", "tar", "footer alone"],
)
def test_what_was_never_an_archive_is_told_so(raw: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "payload.db"
    path.write_bytes(raw)
    refused = archives.refusal(path)
    assert (refused.what, refused.why) == ("payload.db is not a backup archive", why)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x28\xb5\x2f\xfd",
        zstd.compress(b"x" * 1000),
        b"\x1f\x8b",
        gzip.compress(b"hello"),
        gzip.compress(b""),
    ],
)
def test_what_only_looks_like_one_is_damaged(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(raw)
    assert archives.refusal(path).what == "notes is damaged"


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    refused = archives.refusal(tmp_path / "gone.tar.zst")
    assert refused.what == f"there is no archive {tmp_path / 'gone.tar.zst'}"


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    assert archives.refusal(tmp_path / "fifo").why == "it is no regular file"
    assert archives.refusal(tmp_path / "directory").why == "it is a directory"


def test_a_file_that_may_not_be_read_is_a_matter_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels"):
        archive.check(tmp_path / "loop")
