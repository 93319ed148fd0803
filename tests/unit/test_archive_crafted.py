"""Archives that somebody made to do harm: sound to look at, refused before anything is touched."""

from __future__ import annotations

import gzip
import tarfile
from typing import TYPE_CHECKING

import pytest

from stack import archive, ustar
from stack.errors import Rejected
from stack.manifest import DATABASE, NAME, Member
from tests.unit.support import archives
from tests.unit.support.archives import AFTER, BEFORE, FILES, PHOTO, SUFFIXES, craft, entry, photo, sealed

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20
SIZE_FIELD = 124  # its offset


def test_what_is_crafted_here_is_an_archive_but_for_the_harm(tmp_path: Path) -> None:
    told = archives.told_of(FILES)
    for suffix in (".zst", ".gz"):
        craft(tmp_path / f"shop.tar{suffix}", told, [*BEFORE, photo(), *AFTER])
        assert archives.content(tmp_path / f"shop.tar{suffix}", told) == FILES


# --- strangers ------------------------------------------------------------------------------------


@SUFFIXES
@pytest.mark.parametrize(
    "name",
    [
        *(
            "../../etc/cron.d/x",
            "/etc/passwd",
            "media/../../x",
            "media\\..\\x",
            "C:\\x",
            "media/./a.jpg",
            "media//a.jpg",
        ),
        *(
            "media/\x1b[2J",
            "media/a\nb",
            "media/a.jpg/",
            "media/A.JPG",
            "a.jpg",
            "././media/a.jpg",
            "media/" + "x/" * 3000,
        ),
    ],
    ids=lambda name: ascii(name)[:30],
)
def test_a_file_that_the_manifest_does_not_name_is_refused(name: str, suffix: str, tmp_path: Path) -> None:
    for parts in ([photo(), entry(name, b"x")], [entry(name, PHOTO)]):
        refused = archives.refusal_of_parts(tmp_path, suffix, *parts)
        assert refused.what == f"shop.tar{suffix} was changed after it was made"
        assert refused.why.startswith("its manifest does not name '")
        assert refused.why.isprintable()
        assert len(refused.why) < 300


@SUFFIXES
@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "a symbolic link"),
        ({"type": tarfile.LNKTYPE, "linkname": DATABASE}, "a hard link"),
        ({"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, "a device"),
        ({"type": tarfile.BLKTYPE}, "a device"),
        ({"type": tarfile.FIFOTYPE}, "a FIFO"),
        ({"type": tarfile.GNUTYPE_SPARSE}, "a sparse file"),
        ({"type": tarfile.CONTTYPE}, "of the unknown type b'7'"),
        ({"type": b"K"}, "of the unknown type b'K'"),
        ({"type": b"g"}, "of the unknown type b'g'"),
        ({"type": b"\xff"}, r"of the unknown type b'\xff'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_regular_file_is_refused(
    fields: dict[str, object], kind: str, suffix: str, tmp_path: Path
) -> None:
    for size in (0, len(PHOTO), 2**40):
        refused = archives.refusal_of_parts(
            tmp_path, suffix, sealed(photo(**fields), size=(SIZE_FIELD, b"%011o\0" % size))
        )
        assert refused.why == f"'media/a.jpg' is {kind}: only regular files belong in it"


def test_a_directory_is_refused_where_this_tool_wrote_the_archive(tmp_path: Path) -> None:
    refused = archives.refusal_of_parts(tmp_path, ".zst", entry("media/", type=tarfile.DIRTYPE), photo())
    assert refused.why == "'media/' is a directory: only regular files belong in it"


@pytest.mark.parametrize("name", ["../", "/", "/etc/", "media/../..", "a\\b", "media/\x1b"])
def test_a_directory_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    refused = archives.refusal_of_parts(tmp_path, ".gz", entry(name, type=tarfile.DIRTYPE), photo())
    assert refused.why.startswith("no restore takes a directory called ")


@SUFFIXES
def test_a_file_that_comes_twice_is_refused(suffix: str, tmp_path: Path) -> None:
    assert archives.refusal_of_parts(tmp_path, suffix, photo(), photo()).why == "'media/a.jpg' is in it twice"


@SUFFIXES
def test_a_file_that_does_not_come_is_refused(suffix: str, tmp_path: Path) -> None:
    assert (
        archives.refusal_of_parts(tmp_path, suffix).what == f"shop.tar{suffix} was changed after it was made"
    )


def test_files_in_another_order_are_refused_where_this_tool_wrote_the_archive(tmp_path: Path) -> None:
    assert (
        archives.refusal_of_parts(tmp_path, ".zst", AFTER[0], photo()).why
        == "'media/empty.txt' is not in its place"
    )


@SUFFIXES
@pytest.mark.parametrize("content", [PHOTO + b"x", PHOTO[:-1], b""], ids=["more", "less", "none"])
def test_a_file_of_another_size_is_refused_before_it_is_read(
    content: bytes, suffix: str, tmp_path: Path
) -> None:
    refused = archives.refusal_of_parts(tmp_path, suffix, entry("media/a.jpg", content))
    assert refused.why == f"'media/a.jpg' has {len(content)} bytes, and {len(PHOTO)} in its manifest"


@SUFFIXES
def test_a_file_of_another_content_is_refused(suffix: str, tmp_path: Path) -> None:
    refused = archives.refusal_of_parts(tmp_path, suffix, entry("media/a.jpg", PHOTO[::-1]))
    assert refused.why == "'media/a.jpg' has another content than its manifest says"


@SUFFIXES
def test_no_read_gives_the_last_bytes_of_a_content_that_differs(suffix: str, tmp_path: Path) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    craft(path, told, [*BEFORE, entry("media/a.jpg", PHOTO[:-1] + b"!"), *AFTER])
    given = b""
    for member, reader in archive.members(path, told):
        if member.name == "media/a.jpg":
            given += reader.read(len(PHOTO) - 1)
            with pytest.raises(Rejected, match="another content"):
                reader.read(1)
            break
    assert given == PHOTO[:-1]


def test_an_empty_file_has_a_sum_too(tmp_path: Path) -> None:
    path = tmp_path / "shop.tar.zst"
    told = archives.told_of(FILES, members=(Member(DATABASE, 0, "0" * 64),))
    craft(path, told, [entry(DATABASE)])
    assert "another content" in archives.refusal(path, told).why
    with pytest.raises(Rejected, match="another content"):
        next(archive.members(path, told))


# --- the manifest ---------------------------------------------------------------------------------


@SUFFIXES
def test_without_a_manifest_it_is_no_archive(suffix: str, tmp_path: Path) -> None:
    path, files = tmp_path / f"shop.tar{suffix}", b"".join(archives.entries(FILES))
    if suffix == ".gz":
        path.write_bytes(gzip.compress(files + ustar.end(len(files))))
    else:
        archives.pack(path, files, ustar.end(len(files)))
    refused = archives.refusal(path)
    assert refused.what == f"shop.tar{suffix} is not a backup archive"
    assert refused.why == "there is no manifest.json in it"


@SUFFIXES
@pytest.mark.parametrize("place", [0, 1, 4])
def test_two_manifests_are_refused(place: int, suffix: str, tmp_path: Path) -> None:
    path, told = tmp_path / f"shop.tar{suffix}", archives.told_of(FILES)
    for raw in (told.dump(), archives.told_of({DATABASE: b""}).dump(), b"{}"):
        parts = archives.entries(FILES)
        parts.insert(place, entry(NAME, raw))
        craft(path, told, parts)
        assert archives.refusal(path, told).what == f"shop.tar{suffix} was changed after it was made"


def test_the_manifest_is_alone_in_its_frame(tmp_path: Path) -> None:
    path, told, parts = tmp_path / "shop.tar.zst", archives.told_of(FILES), archives.entries(FILES)
    last = entry(NAME, told.dump())
    for frames in ([b"".join(parts[:-1]), parts[-1] + last], [b"".join(parts), last + last]):
        archives.pack(path, frames[0], frames[1] + ustar.end(len(frames[0] + frames[1])))
        assert "where only one manifest.json belongs" in archives.refusal(path, told).why


@SUFFIXES
def test_an_archive_of_a_newer_version_says_so(suffix: str, tmp_path: Path) -> None:
    told, path = (
        archives.told_of(FILES).dump().replace(b'"format": 1', b'"format": 9'),
        tmp_path / f"a{suffix}",
    )
    files, last = b"".join(archives.entries(FILES)), entry(NAME, told) + bytes(1024)
    if suffix == ".gz":
        path.write_bytes(gzip.compress(files + last))
    else:
        archives.pack(path, files, last)
    assert archives.refusal(path).what == f"a{suffix} was made by a newer version of this tool"


@SUFFIXES
def test_a_manifest_that_is_none_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"shop.tar{suffix}"
    files, last = entry(DATABASE, b"x"), entry(NAME, b"[" * 100_000) + bytes(1024)
    if suffix == ".gz":
        path.write_bytes(gzip.compress(files + last))
    else:
        archives.pack(path, files, last)
    assert archives.refusal(path).what == f"shop.tar{suffix} has no valid manifest"


@SUFFIXES
def test_a_manifest_of_a_gigabyte_is_refused_unread(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"shop.tar{suffix}"
    last = sealed(entry(NAME), size=(SIZE_FIELD, b"%011o\0" % 2**30))
    if suffix == ".gz":
        path.write_bytes(gzip.compress(last + bytes(MIB)))
    else:
        archives.pack(path, entry(DATABASE, b"x"), last + bytes(MIB))
    assert archives.refusal(path).why == f"its manifest.json has {2**30} bytes"
