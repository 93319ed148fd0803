"""Who may read a file of secrets. Nothing but an ordinary file is ever opened."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from stack import custody

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file of secrets in a project."""
    (tmp_path / "project").mkdir()
    made = tmp_path / "project" / ".env.production"
    made.write_text("A=1\n")
    made.chmod(0o600)
    return made


def found(file: Path) -> list[str]:
    return [problem.message for problem in custody.opened(file, root=file.parent)[1]]


def is_opened(file: Path) -> bool:
    return custody.opened(file, root=file.parent)[0] is not None


def test_a_file_of_its_owner_only_is_given(file: Path) -> None:
    assert custody.opened(file, root=file.parent) == (b"A=1\n", [])


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604, 0o620, 0o660])
def test_a_file_that_others_can_read_or_write_is_a_problem_with_its_remedy(mode: int, file: Path) -> None:
    file.chmod(mode)
    content, (problem,) = custody.opened(file, root=file.parent)
    assert (problem.level, problem.message) == ("error", "the file can be read by others on this machine")
    assert problem.hint == f"chmod 600 {file}"
    assert content == b"A=1\n"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_that_is_closed_to_others_is_fine(mode: int, file: Path) -> None:
    file.chmod(mode)
    assert found(file) == []


def test_a_file_belongs_to_who_runs_this_to_the_owner_of_the_checkout_or_to_root() -> None:
    assert [custody.is_trusted(uid, me=5000, owner=5001) for uid in (5000, 5001, 0)] == [True] * 3
    assert not custody.is_trusted(5002, me=5000, owner=5001)
    assert not custody.is_trusted(5002, me=0, owner=0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_a_stranger_is_a_problem_with_its_remedy(file: Path) -> None:
    os.chown(file, 5002, 5002)
    _, (problem,) = custody.opened(file, root=file.parent)
    assert problem.message == "the file belongs to somebody else, who can change it"
    assert problem.hint == f"chown 0 {file}"


def test_a_link_out_of_the_project_is_not_followed(file: Path, tmp_path: Path) -> None:
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert found(file) == ["the file is a link to a place outside the project"]
    assert not is_opened(file)


def test_a_link_within_the_project_is_followed(file: Path) -> None:
    file.rename(file.parent / "secrets")
    file.symlink_to("secrets")
    assert custody.opened(file, root=file.parent) == (b"A=1\n", [])


def test_a_pipe_does_not_make_anybody_wait(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)
    rescue = threading.Timer(2, _let_go, args=[file])
    rescue.start()
    try:
        assert found(file) == ["the file is not an ordinary file"]
        assert not is_opened(file)
    finally:
        rescue.cancel()


def _let_go(pipe: Path) -> None:
    """End the wait of whoever reads from a pipe, so that the test can fail."""
    with suppress(OSError):
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))


def test_a_directory_is_no_file(file: Path) -> None:
    file.unlink()
    file.mkdir()
    assert found(file) == ["the file is not an ordinary file"]


@pytest.mark.parametrize(("size", "problem"), [(1 << 20, False), ((1 << 20) + 1, True)])
def test_a_file_of_more_than_a_megabyte_is_not_read(size: int, problem: bool, file: Path) -> None:
    file.write_bytes(b"#" * size)
    assert is_opened(file) is not problem
    assert found(file) == (["the file is larger than 1 MB"] if problem else [])


def test_a_file_that_may_not_be_opened_is_a_problem(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, who runs this in CI, may open everything
    assert found(file) == ["the file cannot be read by this user"]
    assert not is_opened(file)
