"""A file is there whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from stack import atomic


def test_a_replaced_file_has_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    for mode in (0o600, 0o644):
        atomic.replace(tmp_path / "file", "A=1\n", mode=mode)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_nobody_else_can_read_a_secret_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []

    def fsync(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            (scratch,) = tmp_path.iterdir()
            seen.append((scratch.read_text(), stat.S_IMODE(scratch.stat().st_mode)))

    monkeypatch.setattr(os, "fsync", fsync)
    previous = os.umask(0)
    try:
        atomic.replace(tmp_path / "file", "SECRET=x\n", mode=0o600)
    finally:
        os.umask(previous)
    assert seen == [("SECRET=x\n", 0o600)]


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "chmod"), (Path, "replace")])
def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_else(
    owner: object, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("A=old\n")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(owner, name, full)
    with pytest.raises(OSError, match="No space left"):
        atomic.replace(file, "A=new\n", mode=0o644)
    monkeypatch.undo()
    assert file.read_text() == "A=old\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_signal_right_after_the_rename_is_told_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, rename = tmp_path / "file", Path.replace

    def interrupted(scratch: Path, target: Path) -> None:
        rename(scratch, target)
        raise KeyboardInterrupt("SIGHUP")

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        atomic.replace(file, "A=new\n", mode=0o644)
    assert file.read_text() == "A=new\n"


def test_a_reader_who_has_the_old_file_open_goes_on_reading_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("A=old\n")
    with file.open() as reader:
        atomic.replace(file, "A=new\n", mode=0o644)
        assert reader.read() == "A=old\n"
    assert file.read_text() == "A=new\n"


def test_content_name_and_directory_outlast_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    seen: list[tuple[str, bool]] = []

    def fsync(handle: int) -> None:
        seen.append((str(Path(f"/proc/self/fd/{handle}").readlink()), file.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    atomic.replace(file, "A=1\n", mode=0o600)
    assert [(name.startswith(f"{tmp_path}/.file."), there) for name, there in seen] == [
        (True, False),
        (False, True),
    ]
    assert seen[-1][0] == str(tmp_path)


def test_a_file_cannot_be_synchronised_as_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        atomic.sync_directory(tmp_path / "file")
