"""Files that tell what operations did: the last of them, for their owner's eyes."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from stack import records

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings


@pytest.fixture(autouse=True)
def state(site: Settings) -> Path:
    """Give the directory that an operation has made before it tells anything."""
    site.state.mkdir()
    return site.state


def test_a_record_is_an_empty_file_of_its_owner(site: Settings) -> None:
    file = records.file(site, "log", "20261123T051558Z-0a1b2c3d-backup.log")
    assert file == site.state / "log" / "20261123T051558Z-0a1b2c3d-backup.log"
    assert file.read_text() == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_last_fifty_are_kept_and_the_oldest_go(site: Settings) -> None:
    names = [f"20261123T05{n // 60:02}{n % 60:02}Z-backup.log" for n in range(70)]
    for name in names:
        records.file(site, "log", name)
    assert sorted(file.name for file in (site.state / "log").iterdir()) == names[-50:]


def test_each_kind_is_counted_by_itself(site: Settings) -> None:
    for n in range(60):
        records.file(site, "log", f"{n:02}")
    report = records.file(site, "reports", "00")
    records.file(site, "log", "60")
    assert report.exists()
