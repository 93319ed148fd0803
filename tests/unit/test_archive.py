"""Archives as they should be: what was put in comes out again, by this tool's hands and by others'."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import archive, manifest
from stack.errors import Rejected, Untrusted
from stack.manifest import DATABASE, MEDIA
from tests.unit.support import archives
from tests.unit.support.archives import CREATED, FILES, ODD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Buffer

BIG = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
from stack import archive
from stack.manifest import DATABASE
from tests.unit.support import archives

MIB = 2**20
class Same:
    def read(self, size):
        return b"x" * size

path, before = Path(sys.argv[1]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with archive.Writer(path, created=archives.CREATED) as writer:
    members = (writer.add(DATABASE, 300 * MIB, Same()),)
    told = archives.told_of({{}}, members=members)
    writer.finish(told)
assert archive.check(path) == told
for _, reader in archive.members(path, told):
    while reader.read(64 * MIB):
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.tar.zst"


# --- what comes out -------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [FILES, ODD, {DATABASE: b""}], ids=["usual", "odd", "database only"])
def test_what_was_put_in_comes_out(files: Mapping[str, bytes], path: Path) -> None:
    told = archives.write(path, files)
    assert archive.manifest_of(path) == told
    assert archive.check(path) == told
    assert archives.content(path, told) == files


def test_the_members_are_those_of_the_manifest_in_their_order(path: Path) -> None:
    told = archives.write(path, ODD)
    assert [member for member, _ in archive.members(path, told)] == list(told.members)


def test_only_what_is_wanted_is_given(path: Path) -> None:
    told = archives.write(path)
    for wanted in ({DATABASE}, {"media/a.jpg"}, set(FILES) - {DATABASE}, set()):
        found = {
            member.name: archives.reader_of(reader)
            for member, reader in archive.members(path, told, wanted=wanted.__contains__)
        }
        assert found == {name: FILES[name] for name in wanted}


def test_what_is_left_unread_of_a_member_is_passed_over(path: Path) -> None:
    told = archives.write(path)
    assert [reader.read(3) for _, reader in archive.members(path, told)] == [
        content[:3] for content in FILES.values()
    ]


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        archives.write(tmp_path / name, ODD)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_reading_tells_how_far_it_is(path: Path) -> None:
    archives.write(path, {DATABASE: os.urandom(3 * 2**20)})
    told: list[int] = []
    archive.check(path, on_bytes=told.append)
    assert sum(told) == path.stat().st_size
    assert max(told) <= 2**20


def test_what_an_archive_says_about_itself_is_read_without_the_rest(path: Path) -> None:
    told = archives.write(path)
    raw = bytearray(path.read_bytes())
    raw[100:110] = bytes(10)
    path.write_bytes(raw)
    assert archive.manifest_of(path) == told
    archives.refusal(path)


def test_an_archive_that_was_replaced_after_it_was_checked_is_refused(path: Path) -> None:
    told = archives.write(path)
    path.unlink()
    archives.write(path, {**FILES, "media/a.jpg": b"another"})
    with pytest.raises(Rejected, match="another one than was checked"):
        next(archive.members(path, told))


names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=90
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join).filter(manifest.acceptable)
file_sets = st.dictionaries(paths, st.binary(max_size=1500), max_size=5).filter(
    lambda files: not any(b.startswith(f"{a}/") for a in files for b in files)
)


@given(files=file_sets, database=st.binary(max_size=3000), size=st.integers(1, 2000))
def test_whatever_was_put_in_comes_out(
    files: dict[str, bytes], database: bytes, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "shop.tar.zst"
    everything = {DATABASE: database, **{MEDIA + name: content for name, content in files.items()}}
    told = archives.write(path, everything)
    assert archive.check(path) == told
    read = {member.name: archives.reader_of(reader, size) for member, reader in archive.members(path, told)}
    assert read == everything


def test_memory_is_bounded_however_large_a_member_is(path: Path) -> None:
    program = BIG.format(checkout=str(Path(archive.__file__).resolve().parents[1]))
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64  # MiB more than before, for a member of 300


# --- writing --------------------------------------------------------------------------------------


def test_nobody_else_can_read_it(path: Path) -> None:
    previous = os.umask(0)
    try:
        archives.write(path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_written_over(path: Path, tmp_path: Path) -> None:
    path.write_text("here already")
    with pytest.raises(FileExistsError):
        archives.write(path)
    assert path.read_text() == "here already"
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        archives.write(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_a_member_is_told_with_its_sum(path: Path) -> None:
    with archive.Writer(path, created=CREATED) as writer:
        member = writer.add(DATABASE, 3, io.BytesIO(b"abc"))
    assert member == manifest.Member(DATABASE, 3, hashlib.sha256(b"abc").hexdigest())


def test_no_more_is_taken_from_a_source_than_was_announced(path: Path) -> None:
    source = io.BytesIO(b"first" + b"second")
    with archive.Writer(path, created=CREATED) as writer:
        writer.add(DATABASE, 5, source)
        assert source.read() == b"second"


def test_a_source_may_give_little_at_a_time(path: Path) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    with archive.Writer(path, created=CREATED) as writer:
        assert writer.add(DATABASE, 100, Slow(bytes(100))) == archives.member(DATABASE, bytes(100))


def test_a_disk_may_take_little_at_a_time(path: Path, tmp_path: Path) -> None:
    class Slow(io.FileIO):
        def write(self, data: Buffer, /) -> int:
            return super().write(memoryview(data)[:7])

    archives.write(tmp_path / "fast")
    with archive.Writer(path, created=CREATED) as writer, Slow(path, "wb") as slow:
        writer._file.close()
        writer._file = slow
        for name, content in FILES.items():
            writer.add(name, len(content), io.BytesIO(content))
        writer.finish(archives.told_of(FILES))
    assert path.read_bytes() == (tmp_path / "fast").read_bytes()


def test_a_source_that_ends_early_is_not_passed_off_as_whole(path: Path) -> None:
    with (
        archive.Writer(path, created=CREATED) as writer,
        pytest.raises(Untrusted, match=r"'media/a\.jpg' could not be read whole") as untrusted,
    ):
        writer.add("media/a.jpg", 10, io.BytesIO(b"short"))
    assert untrusted.value.code == 22
    assert untrusted.value.why.startswith("5 bytes fewer came")


def test_a_manifest_of_other_files_is_not_written(path: Path) -> None:
    with archive.Writer(path, created=CREATED) as writer:
        writer.add(DATABASE, 1, io.BytesIO(b"x"))
        with pytest.raises(Untrusted, match="is not what its manifest says"):
            writer.finish(archives.told_of(FILES))


def test_an_archive_that_was_not_finished_is_none(path: Path) -> None:
    with archive.Writer(path, created=CREATED) as writer:
        writer.add(DATABASE, 10**6, io.BytesIO(os.urandom(10**6)))
    assert archives.refusal(path).what == "shop.tar.zst is damaged"


def test_all_of_it_is_on_the_disk_when_it_is_finished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.read_bytes()))
    archives.write(path)
    assert synced == [path.read_bytes()]
