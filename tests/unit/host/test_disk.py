"""Room on file systems."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from stack.host import disk

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_file_system_of_a_directory_is_measured(tmp_path: Path) -> None:
    found = disk.room(str(tmp_path))
    assert found.path == str(tmp_path)
    assert 0 < found.free <= found.total == shutil.disk_usage(tmp_path).total


def test_a_directory_that_is_not_there_yet_counts_as_its_parent(tmp_path: Path) -> None:
    assert disk.room(str(tmp_path / "docker" / "volumes")).path == str(tmp_path)


def test_a_directory_that_this_user_may_not_see_counts_as_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage

    def guarded(place: Path) -> object:
        if place != tmp_path:
            raise PermissionError(13, "Permission denied")
        return usage(place)

    monkeypatch.setattr(shutil, "disk_usage", guarded)
    assert disk.room(str(tmp_path / "docker")).path == str(tmp_path)
