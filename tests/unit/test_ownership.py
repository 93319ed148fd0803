"""What root makes in somebody's checkout is theirs."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack import envfile, lock, ownership

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

Given = list[tuple[str, int, int]]


@dataclass(frozen=True)
class Stat:
    st_uid: int
    st_gid: int


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


@pytest.mark.parametrize(
    ("me", "owner", "who"), [(1000, 1001, None), (1000, 0, None), (0, 0, None), (0, 4711, 4711)]
)
def test_only_root_works_as_somebody_else(
    me: int, owner: int, who: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: me)
    monkeypatch.setattr(type(tmp_path), "stat", lambda _: Stat(owner, owner + 1))
    found = ownership.of(tmp_path)
    assert (found.user if found else None) == who
    assert found is None or (found.group, found.home) == (owner + 1, "/nonexistent")


def test_who_is_known_on_this_machine_has_a_home_and_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maria = pwd.struct_passwd(("maria", "x", 4711, 4712, "", "/home/maria", "/bin/sh"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(type(tmp_path), "stat", lambda _: Stat(4711, 9))
    monkeypatch.setattr(pwd, "getpwuid", {4711: maria}.__getitem__)
    monkeypatch.setattr(os, "getgrouplist", lambda name, group: [group, 999] if name == "maria" else [])
    found = ownership.of(tmp_path)
    assert found == ownership.Identity(4711, 4712, (4712, 999), "maria", "/home/maria")
    assert found.variables == {"HOME": "/home/maria", "USER": "maria", "LOGNAME": "maria"}
