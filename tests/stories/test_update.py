"""A new version arrives as its author published it, or nothing changes; the upstream is a real repository."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import journal, settings
from tests.support import readme, repository, visitor
from tests.support.contents import records
from tests.support.repository import git
from tests.support.site import CHECKOUT
from tests.support.variants import THROWS, THROWS_LIVE, check_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.support.repository import Repository
    from tests.support.site import Site, State
    from tests.support.variants import Variant

# Of the application, and what visitors see of it; a release of it takes a second.
SHOWN, WHERE = "app/public/version.txt", "/version.txt"
SHOWS = "COPY --from=app public/version.txt ./public/version.txt"
SOMEBODY = 4711
SECONDS = 2


@pytest.fixture(scope="module")
def origin(place: Path, sibling: Callable[..., Site], image: str) -> tuple[Site, Repository]:
    """Give a site whose checkout was cloned."""
    site = sibling("update", place)
    site.build_on(image, SHOWS)
    (site.root / SHOWN).parent.mkdir(exist_ok=True)
    (site.root / SHOWN).write_text("one\n")
    upstream = repository.of(site.root, place)
    site.deploy()
    return site, upstream


@pytest.fixture
def site(origin: tuple[Site, Repository]) -> Site:
    return origin[0]


@pytest.fixture
def upstream(origin: tuple[Site, Repository]) -> Repository:
    return origin[1]


def untouched(site: Site) -> tuple[State, dict[str, str]]:
    """Return what no refusal changes: all but what Git has fetched."""
    state = site.state()
    files = {name: digest for name, digest in state.files.items() if not name.startswith(".git/")}
    state.files.clear()
    return state, {**files, "commit": git(site.root, "rev-parse", "HEAD"), "shown": site.get(WHERE).text}


def refused(site: Site, *said: str, code: int = 11) -> None:
    """Let an update be refused in these words, with nothing changed."""
    before = untouched(site)
    done = site.run("./update.sh")
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    for words in said:
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert untouched(site) == before


def updated(site: Site) -> CompletedProcess[str]:
    done = site.run("./update.sh")
    assert done.returncode == 0, done.stderr
    return done


def test_a_new_commit_reaches_the_visitors_and_no_data_is_lost(site: Site, upstream: Repository) -> None:
    assert site.get(WHERE).text == "one\n"
    post, commit = visitor.editor(site).publish("kept"), upstream.publish({SHOWN: "two\n"})
    done = updated(site)
    assert site.get(WHERE).text == "two\n"
    assert site.get(f"/api/posts/{post}").json()["title"] == "kept"
    assert done.stdout.splitlines()[-1].endswith(f"-{commit[:12]}")
    assert git(site.root, "rev-parse", "HEAD") == commit
    told = [(each["operation"], each["code"]) for each in journal.history(settings.load(site.root))]
    assert told[-2:] == [("update", 0), ("deploy", 0)]


def test_with_nothing_new_nothing_is_touched_and_it_takes_less_than_two_seconds(site: Site) -> None:
    updated(site)
    before, took = untouched(site), []
    for _ in range(3):  # the quickest counts: other things run on this machine
        began = time.monotonic()
        done = updated(site)
        took.append(time.monotonic() - began)
        assert "nothing new" in done.stderr
    assert min(took) < SECONDS
    assert untouched(site) == before


def test_whoever_follows_the_document_updates_and_resumes(site: Site, upstream: Repository) -> None:
    upstream.publish({SHOWN: "as it is written\n"})
    blocks = readme.runnable("site", (CHECKOUT / "docs" / "updates.md").read_text())
    said = [site.run("bash", "-ec", block) for block in blocks]
    assert [done.returncode for done in said] == [0] * 6, [done.stderr for done in said]
    assert site.get(WHERE).text == "as it is written\n"
    *_, resumed, listed = said
    assert "nothing is unfinished" in resumed.stderr
    live, previous = (re.findall(rf"(\S+) +{mark} ", listed.stdout) for mark in ("live", "previous"))
    assert live == [site.status()["release"]] > previous
    assert len(previous) == 1


def test_what_was_brought_in_and_failed_then_is_tried_again(site: Site, upstream: Repository) -> None:
    whole, shown = (upstream.author / "Dockerfile").read_text(), site.get(WHERE).text
    upstream.publish({"Dockerfile": whole + "RUN false\n", SHOWN: "three\n"})
    assert site.run("./update.sh").returncode == 11
    again = site.run("./update.sh")
    assert ("nothing new" in again.stderr, again.returncode) == (True, 11), again.stderr
    assert site.get(WHERE).text == shown
    upstream.publish({"Dockerfile": whole})
    updated(site)
    assert site.get(WHERE).text == "three\n"


@pytest.mark.parametrize("broken", [THROWS, THROWS_LIVE], ids=str)
def test_a_broken_migration_leaves_the_old_release_serving_and_every_row_as_it_was(
    broken: Variant, site: Site, upstream: Repository, image: str
) -> None:
    visitor.editor(site).publish("kept")
    whole, release, rows = (
        (upstream.author / "Dockerfile").read_text(),
        site.status()["release"],
        records(site),
    )
    check_out(replace(site, root=upstream.author), image, broken)
    upstream.publish({"Dockerfile": (upstream.author / "Dockerfile").read_text()})
    done = site.run("./update.sh")
    assert (done.returncode, done.stdout) == (broken.ends, ""), done.stderr
    assert site.is_healthy()
    assert site.status()["release"] == release
    assert records(site) == rows
    upstream.publish({"Dockerfile": whole})
    updated(site)


def test_the_code_that_deploys_is_the_new_one(site: Site, upstream: Repository) -> None:
    deploy = "stack/operations/deploy.py"
    text = (upstream.author / deploy).read_text()
    said = '    console.progress("said by the new code")\n    if provision_first:\n'
    assert "    if provision_first:\n" in text
    upstream.publish({deploy: text.replace("    if provision_first:\n", said, 1)})
    assert "said by the new code" in updated(site).stderr
    upstream.publish({deploy: text})
    assert "said by the new code" not in updated(site).stderr


def test_changed_files_are_named(site: Site) -> None:
    for name in (SHOWN, "gate/Caddyfile"):
        with (site.root / name).open("a") as file:
            file.write("# mine\n")
    refused(site, f": {SHOWN}, gate/Caddyfile", "2 file(s) of ")
    git(site.root, "checkout", "--quiet", "--", ".")


def test_files_in_the_way_are_named_and_stay(site: Site, upstream: Repository) -> None:
    for name in ("app/notes.txt", ".env.staging"):
        upstream.publish({name: "theirs\n"})
        (site.root / name).write_text("mine\n")
    refused(site, ": .env.staging, app/notes.txt")
    for name in ("app/notes.txt", ".env.staging"):
        (site.root / name).unlink()
        upstream.publish({name: None})
    updated(site)


def test_a_history_that_forked_is_refused(site: Site, upstream: Repository) -> None:
    before = git(site.root, "rev-parse", "HEAD")
    git(site.root, "commit", "--quiet", "--allow-empty", "--message", "mine")
    upstream.publish({"README.md": "theirs\n"})
    refused(site, "has gone another way than origin", "1 commit(s) are here only, 1 there only")
    git(site.root, "reset", "--quiet", "--hard", before)


def test_a_branch_that_follows_none_is_refused(site: Site) -> None:
    git(site.root, "branch", "--unset-upstream")
    refused(site, "branch main of ", "it has no upstream")
    git(site.root, "branch", "--set-upstream-to=origin/main")


def test_a_detached_head_is_refused(site: Site) -> None:
    git(site.root, "switch", "--quiet", "--detach")
    refused(site, "is on no branch")
    git(site.root, "switch", "--quiet", "main")


def test_a_remote_that_is_gone_is_refused(site: Site, upstream: Repository) -> None:
    away = upstream.bare.rename(upstream.bare.with_name("away.git"))
    refused(site, "origin does not give ", "does not appear to be a git repository")
    away.rename(upstream.bare)


def test_a_directory_without_git_is_refused(site: Site) -> None:
    away = (site.root / ".git").rename(site.root.parent / "away")
    done = site.run("./update.sh")
    away.rename(site.root / ".git")
    assert (done.returncode, "is in no Git repository" in done.stderr) == (11, True), done.stderr


def test_an_update_waits_for_nobody(site: Site) -> None:
    with (site.root / ".stack" / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(site, "another operation is at work on ", code=12)


def test_what_root_brings_into_a_checkout_is_its_owners(site: Site, upstream: Repository) -> None:
    upstream.publish({SHOWN: "of somebody\n", "app/new/deep.txt": "new\n"})
    for cache in site.root.rglob("__pycache__"):
        shutil.rmtree(cache)
    for place in (upstream.bare, site.root):
        give(place, SOMEBODY)
    try:
        done = site.run("./update.sh", env={"PYTHONDONTWRITEBYTECODE": ""})
        assert done.returncode == 0, done.stderr
        assert site.get(WHERE).text == "of somebody\n"
        assert [str(path) for path in everything(site.root) if path.lstat().st_uid != SOMEBODY] == []
    finally:
        for place in (upstream.bare, site.root):
            give(place, 0)


def give(place: Path, owner: int) -> None:
    for path in [place, *place.rglob("*")]:
        os.chown(path, owner, owner, follow_symlinks=False)


def everything(root: Path) -> list[Path]:
    return [root, *root.rglob("*")]
