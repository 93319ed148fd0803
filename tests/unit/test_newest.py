"""The newest version of a checkout is looked at, from real repositories that stay as they are."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from stack import newest, settings
from stack.errors import Failure, Refused
from tests.support import repository
from tests.support.repository import git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stack.newest import Version
    from tests.support.repository import Repository

MIGRATION = "app/src/migrations/20261124_101500_more.ts"


@dataclass
class Eye:
    """Looks at the newest version, and sees that nothing of the checkout is changed by that."""

    root: Path
    refused: list[Failure] = field(default_factory=list)

    @contextmanager
    def noted(self) -> Iterator[None]:
        try:
            yield
        except Refused as refusal:
            self.refused.append(refusal)

    def looks(self) -> Version | None:
        self.refused.clear()
        before = self._state()
        found = newest.looked_at(settings.load(self.root), self.noted)
        assert self._state() == before
        return found

    def sees(self) -> Version:
        found = self.looks()
        assert found is not None
        assert self.refused == []
        return found

    def _state(self) -> dict[str, Any]:
        paths = [self.root, *self.root.rglob("*")]
        return {str(path): (path.lstat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in paths}


@pytest.fixture
def eye(checkout: Path) -> Eye:
    (checkout / ".dockerignore").write_text("*\n!stack/inside/public-env.mjs\n")
    (checkout / "app" / ".dockerignore").write_text("README.md\n")
    return Eye(checkout)


@pytest.fixture
def origin(eye: Eye, tmp_path: Path) -> Repository:
    return repository.of(eye.root, tmp_path)


def test_its_commits_and_migrations_are_told_and_nothing_is_written(eye: Eye, origin: Repository) -> None:
    before = git(eye.root, "rev-parse", "HEAD")
    origin.publish({MIGRATION: "export {}\n"})
    after = origin.publish({"app/page.tsx": "two\n"})
    seen = eye.sees()
    assert (seen.before, seen.after, seen.commits) == (before, after, 2)
    assert (seen.builds, seen.composes, seen.tool) == (True, False, False)
    assert (seen.added, seen.gone) == (("20261124_101500_more",), ())


def test_it_is_known_also_where_somebody_has_fetched_it(eye: Eye, origin: Repository) -> None:
    after = origin.publish({"app/page.tsx": "two\n"})
    git(eye.root, "fetch", "--quiet")
    assert (eye.sees().after, eye.sees().commits) == (after, 1)


def test_with_nothing_new_there_is_nothing_to_tell(eye: Eye, origin: Repository) -> None:
    seen = eye.sees()
    assert (seen.commits, seen.before == seen.after, seen.builds) == (0, True, False)


def test_a_migration_that_is_taken_away_is_none_to_come(eye: Eye, origin: Repository) -> None:
    origin.publish({MIGRATION: "export {}\n"})
    git(eye.root, "pull", "--quiet")
    origin.publish({MIGRATION: None})
    assert eye.sees().gone == ("20261124_101500_more",)


@pytest.mark.parametrize(
    ("name", "builds"),
    [
        ("app/page.tsx", True),
        ("Dockerfile", True),
        ("stack/inside/public-env.mjs", True),
        ("app/.dockerignore", True),
        (".dockerignore", True),
        ("app/README.md", False),
        ("README.md", False),
        ("docker-compose.yml", False),
        ("stack/plan.py", False),
    ],
)
def test_what_goes_into_no_image_builds_none(name: str, builds: bool, eye: Eye, origin: Repository) -> None:
    origin.publish({name: "another\n"})
    seen = eye.sees()
    assert seen.builds is builds
    assert seen.composes is (name == "docker-compose.yml")
    assert seen.tool is (name == "stack/plan.py" or name.startswith("stack/"))


def test_each_thing_that_an_update_would_refuse_is_told(eye: Eye, origin: Repository) -> None:
    origin.publish({"app/page.tsx": "two\n", "app/notes.txt": "theirs\n"})
    (eye.root / "app" / "page.tsx").write_text("mine\n")
    (eye.root / "app" / "notes.txt").write_text("mine\n")
    seen = eye.looks()
    assert seen is not None
    assert seen.commits == 1
    told = [refusal.what for refusal in eye.refused]
    assert [what.partition(" of ")[0] for what in told] == ["1 file(s)", "1 file(s)"]
    assert "in the way" in told[1]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("switch", "--quiet", "--detach"), "is on no branch"),
        (("branch", "--unset-upstream"), "follows none"),
        (("remote", "set-url", "origin", "/nowhere"), "does not give"),
    ],
)
def test_where_it_cannot_be_known_that_is_told(
    command: tuple[str, ...], told: str, eye: Eye, origin: Repository
) -> None:
    git(eye.root, *command)
    assert eye.looks() is None
    assert told in eye.refused[0].what


def test_a_history_that_forked_is_refused(eye: Eye, origin: Repository) -> None:
    git(eye.root, "commit", "--quiet", "--allow-empty", "--message", "mine")
    origin.publish({"app/page.tsx": "two\n"})
    assert eye.looks() is None
    assert "has gone another way" in eye.refused[0].what


def test_settings_of_git_that_would_write_more_are_not_followed(eye: Eye, origin: Repository) -> None:
    settings_of_somebody = ("fetch.prune", "fetch.pruneTags", "fetch.writeCommitGraph")
    for name in settings_of_somebody:
        git(eye.root, "config", name, "true")
    git(eye.root, "config", "gc.auto", "1")
    git(eye.root, "config", "remote.origin.tagOpt", "--tags")
    git(origin.author, "tag", "new")
    git(origin.author, "push", "--quiet", "--tags")
    git(eye.root, "tag", "mine")
    origin.publish({"app/page.tsx": "two\n"})
    assert eye.sees().commits == 1
