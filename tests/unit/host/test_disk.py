"""Room on file systems."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from stack.errors import Refused
from stack.host import disk

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_system_of_a_directory_is_measured(tmp_path: Path) -> None:
    found = disk.room(str(tmp_path))
    assert found.path == str(tmp_path)
    assert 0 < found.free <= found.total == shutil.disk_usage(tmp_path).total


def test_a_directory_that_is_not_there_yet_counts_as_its_parent(tmp_path: Path) -> None:
    assert disk.room(str(tmp_path / "docker" / "volumes")).path == str(tmp_path)


def test_a_directory_that_this_user_may_not_see_counts_as_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = os.statvfs

    def guarded(place: Path) -> os.statvfs_result:
        if place != tmp_path:
            raise PermissionError(13, "Permission denied")
        return measure(place)

    monkeypatch.setattr(os, "statvfs", guarded)
    assert disk.room(str(tmp_path / "docker")).path == str(tmp_path)


def test_what_fits_is_not_refused(tmp_path: Path) -> None:
    disk.need(disk.Need(free=1, inodes=1), str(tmp_path), "for a byte")


@pytest.mark.parametrize(
    ("need", "complaint"),
    [
        (disk.Need(free=1 << 60, inodes=0), r"not enough room to test: \d+ MiB free at "),
        (disk.Need(free=0, inodes=1 << 60), r"not enough inodes to test: \d+ free at "),
    ],
    ids=["bytes", "inodes"],
)
def test_what_does_not_fit_is_refused_with_both_figures(
    need: disk.Need, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=complaint) as refusal:
        disk.need(need, str(tmp_path), "to test")
    assert str(1 << 40) in refusal.value.why or str(1 << 60) in refusal.value.why


def test_a_file_system_that_counts_no_inodes_has_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = os.statvfs_result((4096, 4096, 1 << 20, 1 << 20, 1 << 20, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: without)
    disk.need(disk.Need(free=1, inodes=1000), str(tmp_path), "to test")
