"""What root makes in somebody's checkout is theirs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from stack import envfile, lock, ownership

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

Given = list[tuple[str, int, int]]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Give the list of what was given to whom."""
    calls: Given = []
    monkeypatch.setattr(os, "chown", lambda path, user, group, **_: calls.append((path.name, user, group)))
    return calls


def test_root_gives_a_file_to_the_owner_of_its_directory(
    tmp_path: Path, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    ownership.hand_over(tmp_path / "file")
    owner = tmp_path.stat()
    assert given == [("file", owner.st_uid, owner.st_gid)]


def test_an_ordinary_user_keeps_what_they_make(
    tmp_path: Path, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    ownership.hand_over(tmp_path / "file")
    assert given == []


def test_settings_secrets_and_the_lock_are_handed_over(
    site: Settings, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    envfile.write(site.dotenv, {"HOST_PORT": "3100"})
    with lock.held(site, "deploy"):
        pass
    names = [name for name, *_ in given]
    assert names[0].startswith("..env.")  # the scratch file, before it is renamed
    assert names[1:] == [".stack", "lock"]
