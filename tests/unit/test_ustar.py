"""Headers of tar streams: what would change how a stream is read is refused, the rest does no harm."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from stack import archive, ustar
from tests.unit.support import archives
from tests.unit.support.archives import (
    AFTER,
    BEFORE,
    FILES,
    PHOTO,
    SUFFIXES,
    craft,
    entry,
    pax,
    photo,
    record,
    sealed,
)

if TYPE_CHECKING:
    from pathlib import Path


NAME_FIELD, SIZE_FIELD, MAGIC_FIELD, PREFIX_FIELD = 0, 124, 257, 345  # their offsets


@SUFFIXES
@pytest.mark.parametrize(
    "key",
    [
        "GNU.sparse.major",
        "GNU.sparse.realsize",
        "GNU.sparse.name",
        "linkpath",
        "SCHILY.xattr.user.a",
        "hdrcharset",
        "",
    ],
)
def test_a_header_that_would_change_how_the_stream_is_read_is_refused(
    key: str, suffix: str, tmp_path: Path
) -> None:
    refused = archives.refusal_of_parts(tmp_path, suffix, pax(record(key, "1")), photo())
    assert refused.why == f"a header says {key!r}, which means nothing here"


@SUFFIXES
@pytest.mark.parametrize("key", ["mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment"])
def test_a_header_about_owners_and_times_is_passed_over(key: str, suffix: str, tmp_path: Path) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    craft(path, told, [*BEFORE, pax(record(key, "../../x")), photo(), *AFTER])
    assert archive.check(path) == told


@SUFFIXES
@pytest.mark.parametrize(
    "data",
    [
        *(
            b"x",
            b"9 path=a\n",
            b"0 path=a\n",
            b"99999 path=a\n",
            b"-8 path=a\n",
            b"10 path=a\nx",
            b"path=a\n",
        ),
        *(
            b"11 size=-5\n",
            b"11 size=1e\n\n",
            b"8 size=\n",
            b"99999999999999999999 path=a\n",
            b"\0" * 512,
            b" " * 9,
        ),
        record("size", "9" * 19),
        record("size", "\u0661"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(data: bytes, suffix: str, tmp_path: Path) -> None:
    archives.refusal_of_parts(tmp_path, suffix, pax(data), photo())


@SUFFIXES
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [64 * 1024 + 1, 2**30, 2**33 - 1])
def test_a_header_of_a_gigabyte_is_refused_unread(
    size: int, kind: bytes, suffix: str, tmp_path: Path
) -> None:
    header = sealed(entry("x", type=kind), size=(SIZE_FIELD, b"%011o\0" % size))
    refused = archives.refusal_of_parts(tmp_path, suffix, header, photo())
    assert refused.why == f"a header of {size} bytes is longer than any name"


@SUFFIXES
def test_a_header_is_followed_by_what_it_tells_of(suffix: str, tmp_path: Path) -> None:
    told = pax(record("path", "media/a.jpg"))
    assert "of the unknown type b'x'" in archives.refusal_of_parts(tmp_path, suffix, told, told, photo()).why
    path = tmp_path / f"shop.tar{suffix}"
    craft(path, archives.told_of(FILES), [*BEFORE, told, entry("media/another name", PHOTO), *AFTER])
    assert archive.check(path)


@SUFFIXES
def test_what_a_header_tells_of_a_directory_does_not_reach_the_next_file(suffix: str, tmp_path: Path) -> None:
    told = pax(record("path", "media/a.jpg"))
    archives.refusal_of_parts(
        tmp_path, suffix, told, entry("media/", type=tarfile.DIRTYPE), entry("media/b.jpg", PHOTO)
    )


@SUFFIXES
@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (SIZE_FIELD, b"\xff" * 12),
        (SIZE_FIELD, b"\x81" + b"\0" * 11),
        (SIZE_FIELD, b"-0000000001\0"),
        (SIZE_FIELD, b"0000000009 \0"),
        (SIZE_FIELD, b" " * 12),
        (SIZE_FIELD, b"0" * 5 + b"\0" + b"1" * 6),
        (MAGIC_FIELD, b"\0" * 8),
        (MAGIC_FIELD, b"ustar\x0001"),
    ],
)
def test_a_header_that_says_nothing_sensible_is_damage(
    offset: int, value: bytes, suffix: str, tmp_path: Path
) -> None:
    refused = archives.refusal_of_parts(tmp_path, suffix, sealed(photo(), field=(offset, value)))
    assert refused.what == f"shop.tar{suffix} is damaged"


@SUFFIXES
def test_a_header_whose_checksum_is_wrong_is_damage(suffix: str, tmp_path: Path) -> None:
    header = bytearray(photo())
    header[SIZE_FIELD - 1] = ord("7")
    refused = archives.refusal_of_parts(tmp_path, suffix, bytes(header))
    assert refused.why == "a header of its tar stream has a wrong checksum"


def test_a_name_in_two_fields_is_one_name() -> None:
    info = tarfile.TarInfo("media/" + "d" * 90 + "/" + "n" * 90)
    tar = ustar.Tar("archive", io.BytesIO(info.tobuf(tarfile.USTAR_FORMAT)), by_hand=False)
    assert tar.next() == ustar.Entry(info.name, 0)


def test_what_gnu_tar_writes_where_others_have_a_second_part_of_the_name_is_no_name() -> None:
    header = tarfile.TarInfo("media/a.jpg").tobuf(tarfile.GNU_FORMAT)
    header = sealed(header, access_time=(PREFIX_FIELD, b"15242021413\0"))
    assert ustar.Tar("archive", io.BytesIO(header), by_hand=False).next() == ustar.Entry("media/a.jpg", 0)


@SUFFIXES
@pytest.mark.parametrize("size", [2**40, 2**63, 2**80])
def test_a_binary_size_beyond_the_manifest_is_refused(size: int, suffix: str, tmp_path: Path) -> None:
    header = sealed(photo(), field=(SIZE_FIELD, b"\x80" + size.to_bytes(11, "big")))
    refused = archives.refusal_of_parts(tmp_path, suffix, header)
    assert suffix == ".gz" or refused.why.startswith(f"'media/a.jpg' has {size} bytes")


@SUFFIXES
def test_a_name_that_is_not_utf_8_is_refused(suffix: str, tmp_path: Path) -> None:
    for part in (
        sealed(photo(), name=(NAME_FIELD, b"media/\xff")),
        pax(b"18 path=media/\xff\xfe\n\n") + photo(),
    ):
        archives.refusal_of_parts(tmp_path, suffix, part)
