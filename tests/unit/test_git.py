"""The version of a directory, from real repositories."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from stack import git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.programs import Programs


def run(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home without configuration of Git, and no variable of Git's either."""
    made = tmp_path / "home"
    made.mkdir()
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(made))
    return made


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Give a committed directory `app` of a repository, with a file beside it."""
    root = tmp_path / "repository"
    (root / "app").mkdir(parents=True)
    (root / "app" / "page.tsx").write_text("one\n")
    (root / "app" / ".gitignore").write_text("node_modules\n.env\n")
    (root / "README.md").write_text("one\n")
    run(root, "init", "--quiet")
    run(root, "add", ".")
    run(root, "commit", "--quiet", "--message", "one")
    return root / "app"


def test_a_clean_directory_is_its_commit_in_twelve_digits(app: Path) -> None:
    found = git.revision(app)
    assert re.fullmatch(r"[0-9a-f]{12}", found)
    assert run(app, "rev-parse", "HEAD").startswith(found)


def test_a_changed_file_makes_it_dirty(app: Path) -> None:
    commit = git.revision(app)
    (app / "page.tsx").write_text("two\n")
    assert git.revision(app) == f"{commit}-dirty"
    run(app, "add", ".")
    assert git.revision(app) == f"{commit}-dirty"


def test_an_untracked_file_makes_it_dirty(app: Path) -> None:
    commit = git.revision(app)
    (app / "new.tsx").write_text("new\n")
    assert git.revision(app) == f"{commit}-dirty"


def test_a_removed_file_makes_it_dirty(app: Path) -> None:
    (app / "page.tsx").unlink()
    assert git.revision(app).endswith("-dirty")


def test_what_git_ignores_does_not(app: Path) -> None:
    (app / "node_modules").mkdir()
    (app / "node_modules" / "index.js").touch()
    (app / ".env").touch()
    assert not git.revision(app).endswith("-dirty")


def test_changes_beside_the_directory_do_not(app: Path) -> None:
    (app.parent / "README.md").write_text("two\n")
    (app.parent / "new").touch()
    assert not git.revision(app).endswith("-dirty")


def test_outside_of_a_repository_there_is_no_version(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    assert git.revision(tmp_path / "app") == "nogit"


def test_a_repository_without_a_commit_has_no_version(tmp_path: Path) -> None:
    run(tmp_path, "init", "--quiet")
    assert git.revision(tmp_path) == "nogit"


def test_a_machine_without_git_has_no_version(app: Path, programs: Programs) -> None:
    programs.alone()
    assert git.revision(app) == "nogit"


def test_the_configuration_of_the_user_does_not_hide_a_new_file(app: Path, home: Path) -> None:
    (home / ".gitconfig").write_text("[status]\n\tshowUntrackedFiles = no\n")
    (app / "new.tsx").write_text("new\n")
    assert git.revision(app).endswith("-dirty")


def test_a_git_hook_that_deploys_gets_the_version_of_the_application(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git.revision(app)
    run(tmp_path, "init", "--quiet", "--bare", "pushed-to.git")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "pushed-to.git"))
    assert git.revision(app) == commit
