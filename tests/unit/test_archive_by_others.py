"""Other programs unpack what this tool packed, and what they pack again by hand is an archive."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from stack import archive, ustar
from stack.manifest import DATABASE, NAME
from tests.unit.support import archives
from tests.unit.support.archives import CREATED, FILES, ODD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.tar.zst"


def by_python(path: Path, place: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archives.unpacked(path)), mode="r:") as tar:
        for member in tar:
            file = place / member.name
            file.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content
            file.write_bytes(content.read())


def by_tar(path: Path, place: Path) -> None:
    subprocess.run(["tar", "--zstd", "-xf", path, "-C", place], check=True)


def files_in(place: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(place)): file.read_bytes() for file in sorted(place.rglob("*")) if file.is_file()
    }


UNPACKERS = [by_python, *([by_tar] if shutil.which("tar") and shutil.which("zstd") else [])]


@pytest.mark.parametrize("unpack", UNPACKERS)
@pytest.mark.parametrize("files", [FILES, ODD], ids=["usual", "odd"])
def test_other_programs_unpack_it(
    files: Mapping[str, bytes], unpack: Callable[[Path, Path], None], path: Path, tmp_path: Path
) -> None:
    told = archives.write(path, files)
    place = tmp_path / "unpacked"
    place.mkdir()
    unpack(path, place)
    assert files_in(place) == {**files, NAME: told.dump()}


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not installed; Python's reads it above")
def test_zstd_finds_nothing_wrong_with_it(path: Path) -> None:
    archives.write(path, ODD)
    done = subprocess.run(["zstd", "-t", path], capture_output=True, text=True, check=False)
    assert (done.returncode, "error" in done.stderr.lower()) == (0, False)


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not installed; ours finds each bit that flips")
def test_zstd_by_itself_finds_content_that_changed(path: Path) -> None:
    archives.write(path, {DATABASE: os.urandom(50_000)})
    raw = bytearray(path.read_bytes())
    raw[25_000] ^= 1
    path.write_bytes(raw)
    assert subprocess.run(["zstd", "-tq", path], capture_output=True, check=False).returncode != 0


def test_owners_and_times_do_not_depend_on_who_packs(path: Path) -> None:
    archives.write(path, ODD)
    with tarfile.open(fileobj=io.BytesIO(archives.unpacked(path)), mode="r:") as tar:
        told = {(one.uid, one.gid, one.uname, one.gname, one.mode, one.mtime, one.type) for one in tar}
        assert told == {(0, 0, "", "", 0o600, int(CREATED.timestamp()), tarfile.REGTYPE)}
        assert tar.getnames() == [*ODD, NAME]


def test_the_stream_ends_as_tar_ends_it(path: Path) -> None:
    archives.write(path)
    stream = archives.unpacked(path)
    assert len(stream) % ustar.RECORD == 0
    assert stream.endswith(bytes(1024))


@pytest.mark.parametrize(
    "arguments",
    [
        ["database", "media", "manifest.json"],
        ["manifest.json", "media", "database"],
        ["."],
        ["--format=pax", "."],
        ["--format=posix", "manifest.json", "database", "media"],
        ["--format=gnu", "."],
        ["--owner=somebody:1000", "--mtime=2001-01-01", "--no-recursion", *ODD, NAME],
    ],
    ids=" ".join,
)
def test_one_that_was_unpacked_and_packed_again_by_hand_is_an_archive(
    arguments: list[str], path: Path, tmp_path: Path
) -> None:
    told = archives.write(path, ODD)
    (tmp_path / "unpacked").mkdir()
    by_python(path, tmp_path / "unpacked")
    packed = tmp_path / "by-hand.tar.gz"
    subprocess.run(["tar", "-C", tmp_path / "unpacked", "-czf", packed, *arguments], check=True)
    assert archive.manifest_of(packed) == told
    sizes: list[int] = []
    assert archive.check(packed, on_bytes=sizes.append) == told
    assert sum(sizes) == packed.stat().st_size
    assert archives.content(packed, told) == ODD


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_one_that_python_packed_is_an_archive(form: int, path: Path, tmp_path: Path) -> None:
    told = archives.write(path, ODD)
    (tmp_path / "unpacked").mkdir()
    by_python(path, tmp_path / "unpacked")
    packed = tmp_path / "by-hand.tar.gz"
    with tarfile.open(packed, "w:gz", format=form) as tar:
        for name in (NAME, "media", "database"):
            tar.add(tmp_path / "unpacked" / name, arcname=name)
    assert archive.check(packed) == told
    assert archives.content(packed, told) == ODD


def test_the_name_of_the_file_means_nothing(path: Path, tmp_path: Path) -> None:
    told = archives.write(path)
    path.rename(tmp_path / "backup.tar.gz")
    assert archive.check(tmp_path / "backup.tar.gz") == told


@pytest.mark.parametrize("size", [2**33 - 1, 2**33, 2**40 + 3])
def test_the_size_of_a_file_beyond_eight_gib_is_read_as_it_was_written(size: int) -> None:
    for header in (ustar.header(DATABASE, size, 0), tarfile_header(size)):
        tar = ustar.Tar("archive", io.BytesIO(header), by_hand=False)
        assert tar.next() == ustar.Entry(DATABASE, size)


def tarfile_header(size: int) -> bytes:
    """Return a header as GNU tar writes it."""
    info = tarfile.TarInfo(DATABASE)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)
