"""What an update decides: it brings a version in, and hands the rest to the code that it has brought."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from stack import journal, lock, run
from stack.errors import Locked, Refused
from stack.operations import update as operation
from stack.operations.resume import resume
from tests.support import repository
from tests.support.repository import git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.repository import Repository
    from tests.unit.support.shop import Shop


class Became(Exception):  # noqa: N818 - it is no error
    """Raised where a process would go on as another one."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Give what this process became, instead of becoming it."""
    seen: list[list[str]] = []

    def become(argv: list[str], **_: object) -> None:
        seen.append(argv)
        raise Became

    monkeypatch.setattr(run, "become", become)
    return seen


@pytest.fixture
def origin(shop: Shop, tmp_path: Path) -> Repository:
    (shop.world.root / ".gitignore").write_text(".env*\n.stack/\n")
    return repository.of(shop.world.root, tmp_path)


def update(shop: Shop, **flags: operation.Flag) -> None:
    with pytest.raises(Became):
        operation.update(shop.world.root, **flags)


def test_the_new_version_deploys_itself(
    shop: Shop, origin: Repository, became: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    commit = origin.publish({"app/page.tsx": "new\n"})
    update(shop)
    assert became == [[str(shop.world.root / "bin" / "inv"), "deploy"]]
    assert (shop.world.root / "app" / "page.tsx").read_text() == "new\n"
    assert f"1 commit(s), now {commit[:12]}" in capsys.readouterr().err
    assert (shop.history["operation"], shop.history["code"]) == ("update", 0)
    assert shop.history["to_commit"] == commit


def test_with_nothing_new_the_deploy_decides_whether_there_is_something_to_do(
    shop: Shop, origin: Repository, became: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """An earlier one can have brought in a version and failed at its trial."""
    update(shop)
    assert "nothing new" in capsys.readouterr().err
    assert len(became) == 1
    assert shop.world.ran() == []


def test_the_flags_of_a_deploy_are_handed_on(shop: Shop, origin: Repository, became: list[list[str]]) -> None:
    update(shop, provision=True, maintenance=False, accept_row_loss=["posts", "a b"], note="", only="x")
    (argv,) = became
    assert argv[2:] == ["--provision", "--accept-row-loss=posts", "--accept-row-loss=a b", "--only=x"]


def test_the_lock_and_the_journal_are_free_for_the_deploy(
    shop: Shop, origin: Repository, became: list[list[str]]
) -> None:
    origin.publish({"app/page.tsx": "new\n"})
    update(shop)
    assert not lock.is_held(shop.site)
    assert journal.read(shop.site) is None


def test_while_somebody_else_is_at_work_nothing_is_brought_in(shop: Shop, origin: Repository) -> None:
    origin.publish({"app/page.tsx": "new\n"})
    with lock.held(shop.site, "backup"), pytest.raises(Locked):
        operation.update(shop.world.root)
    assert (shop.world.root / "app" / "page.tsx").read_text() != "new\n"


def test_a_refusal_touches_nothing_and_is_in_the_history(
    shop: Shop, origin: Repository, became: list[list[str]]
) -> None:
    git(shop.world.root, "switch", "--quiet", "--detach")
    with pytest.raises(Refused, match="is on no branch"):
        operation.update(shop.world.root)
    assert (became, shop.world.ran(), shop.history["code"]) == ([], [], 11)


def test_what_was_killed_while_it_brought_a_version_in_is_put_back(
    shop: Shop, origin: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, before = shop.world.root, git(shop.world.root, "rev-parse", "HEAD")
    commit = origin.publish({"app/page.tsx": "new\n", "app/added.tsx": "new\n"})
    git(root, "fetch", "--quiet")
    for name in ("app/page.tsx", "app/added.tsx"):  # as Git leaves it: the branch moves last
        (root / name).write_text("new\n")
    shop.site.state.mkdir()
    facts = {"from_commit": before, "to_commit": commit}
    entry = journal.Entry("1", "update", "now", os.getpid(), "Newest version", done=False, facts=facts)
    journal.write(shop.site, entry)
    resume(root)
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "rev-parse", "HEAD") == before
    assert (shop.world.ran(), journal.read(shop.site)) == ([], None)
