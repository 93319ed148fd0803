"""Archives that were cut, flipped, spliced or added to: each is refused, whatever it was that happened."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack import archive, compression, ustar
from stack.errors import Rejected
from stack.manifest import DATABASE, NAME
from tests.unit.support import archives
from tests.unit.support.archives import FILES

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {DATABASE: b"SQLite format 3\0", "media/a.jpg": b"\xff\xd8\xff"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.tar.zst"


def gzipped(path: Path) -> None:
    """Write an archive as somebody packs it by hand."""
    archives.craft(path, archives.told_of(FILES), archives.entries(FILES))


def same_or_refused(path: Path) -> None:
    try:
        assert archives.content(path, archive.check(path)) == FILES
    except Rejected as refused:
        assert refused.code == 23  # noqa: PT017 - anything else that is raised fails the test


def test_cut_anywhere_it_is_refused(path: Path) -> None:
    archives.write(path, {**FILES, DATABASE: bytes(range(256)) * 400})
    raw = path.read_bytes()
    for part in range(64):
        path.write_bytes(raw[: len(raw) * part // 64])
        assert archives.refusal(path).what.startswith("shop.tar.zst is ")


def test_without_its_last_bytes_it_is_refused(path: Path) -> None:
    archives.write(path)
    raw = path.read_bytes()
    for missing in range(1, 200):
        path.write_bytes(raw[:-missing])
        assert archives.refusal(path).what == "shop.tar.zst is damaged"


def test_one_packed_by_hand_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "shop.tar.gz"
    gzipped(path)
    raw = path.read_bytes()
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        archives.refusal(path)


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
@pytest.mark.parametrize("kept", range(len(FILES)))
def test_cut_between_two_members_and_packed_again_it_is_refused(
    kept: int, suffix: str, tmp_path: Path
) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    archives.craft(path, told, archives.entries(FILES)[:kept])
    refused = archives.refusal(path, told)
    assert refused.what == f"shop.tar{suffix} was changed after it was made"
    assert suffix == ".zst" or refused.why == f"{list(FILES)[kept]!r} is not in it"


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_a_tar_stream_without_its_end_is_refused(suffix: str, tmp_path: Path) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    inside, last = b"".join(archives.entries(FILES)), archives.entry(NAME, told.dump())
    for ending in (b"", bytes(512), bytes(700), b"\1" * 512, bytes(512) + b"\1" * 512):
        if suffix == ".gz":
            path.write_bytes(gzip.compress(inside + last + ending))
        else:
            archives.pack(path, inside, last + ending)
        assert archives.refusal(path, told).what.endswith("is damaged")


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
@pytest.mark.parametrize("rest", [b"\1", bytes(20_000), bytes(9000) + b"x"], ids=["byte", "zeros", "hidden"])
def test_what_follows_the_end_of_the_tar_stream_is_refused(rest: bytes, suffix: str, tmp_path: Path) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    inside = b"".join(archives.entries(FILES))
    last = archives.entry(NAME, told.dump()) + bytes(1024) + rest
    if suffix == ".gz":
        path.write_bytes(gzip.compress(inside + last))
    else:
        archives.pack(path, inside, last)
    assert "something follows the end" in archives.refusal(path, told).why


def test_each_single_bit_counts(path: Path) -> None:
    archives.write(path, SMALL)
    raw = path.read_bytes()
    harmless = []
    for place in range(len(raw)):
        for bit in range(8):
            flipped = bytearray(raw)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            try:
                archive.check(path)
                harmless.append((place, bit))
            except Rejected:
                pass
    assert harmless == []


def test_a_bit_that_flips_in_one_packed_by_hand_changes_nothing_unseen(tmp_path: Path) -> None:
    path = tmp_path / "shop.tar.gz"
    gzipped(path)
    raw = path.read_bytes()
    for place in range(len(raw)):
        flipped = bytearray(raw)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        same_or_refused(path)


@pytest.mark.parametrize("rest", [b"\0", b"x", bytes(512), b"\x50\x2a\x4d\x18\0\0\0\0"])
@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_whatever_is_appended_it_is_refused(rest: bytes, suffix: str, tmp_path: Path) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    archives.craft(path, told, archives.entries(FILES))
    with path.open("ab") as file:
        file.write(rest)
    assert archives.refusal(path, told).what.endswith("is damaged")


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_two_archives_in_one_file_are_refused(suffix: str, tmp_path: Path) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    archives.craft(path, told, archives.entries(FILES))
    path.write_bytes(path.read_bytes() * 2)
    assert archives.refusal(path, told).what.endswith("is damaged")


def test_what_follows_is_found_wherever_the_reading_stops(tmp_path: Path) -> None:
    path = tmp_path / "shop.tar.gz"
    gzipped(path)
    raw = path.read_bytes()
    comment = b"c" * (compression.CHUNK - len(raw) - 1) + b"\0"
    chunk = raw[:3] + b"\x10" + raw[4:10] + comment + raw[10:]
    path.write_bytes(chunk)
    assert len(chunk) == compression.CHUNK
    assert archive.check(path)
    path.write_bytes(chunk + b"x")
    assert archives.refusal(path).what == "shop.tar.gz is damaged"


def test_the_content_of_one_archive_does_not_pass_with_the_end_of_another(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    archives.write(one)
    archives.write(other, {**FILES, DATABASE: b"another"})
    one.write_bytes(one.read_bytes()[: -compression.FOOTER] + other.read_bytes()[-compression.FOOTER :])
    archives.refusal(one)


@pytest.mark.parametrize("frames", [1, 3])
def test_an_archive_has_two_frames(frames: int, path: Path) -> None:
    told = archives.told_of(FILES)
    pieces = [*archives.entries(FILES), archives.entry(NAME, told.dump())]
    pieces[-1] += ustar.end(len(b"".join(pieces)))
    parts = [b"".join(pieces)] if frames == 1 else [pieces[0], b"".join(pieces[1:-1]), pieces[-1]]
    archives.pack(path, *parts)
    assert archives.refusal(path, told).what == "shop.tar.zst is damaged"


@given(data=st.data())
@settings(max_examples=300)
def test_any_single_change_is_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "shop.tar.zst"
    archives.write(path)
    raw = path.read_bytes()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 60)))
    spliced = raw[:start] + data.draw(st.binary(max_size=60) | st.just(raw[start:end] * 2)) + raw[end:]
    path.write_bytes(spliced)
    if spliced != raw:
        archives.refusal(path)


@given(data=st.data())
@settings(max_examples=300)
def test_whatever_changes_in_a_tar_stream_it_is_the_same_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "shop.tar"
    last = archives.entry(NAME, archives.told_of(FILES).dump()) + bytes(1024)
    frames = [b"".join(archives.entries(FILES)), last]
    changed = [bytearray(frame) for frame in frames]
    for _ in range(data.draw(st.integers(1, 3))):
        frame = changed[data.draw(st.integers(0, 1))]
        start = data.draw(st.sampled_from([0, 512 * 6, len(frame) - 512]))
        place = min(len(frame) - 1, start + data.draw(st.integers(0, 511)))
        frame[place] = data.draw(st.integers(0, 255))
        if data.draw(st.booleans()) and place < 512:
            frame[:512] = archives.sealed(bytes(frame[:512]))
    archives.pack(path, *map(bytes, changed))
    same_or_refused(path)
    path.write_bytes(gzip.compress(b"".join(changed)))
    same_or_refused(path)
