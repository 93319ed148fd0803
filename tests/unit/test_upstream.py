"""The newest version of a checkout, from real repositories."""

from __future__ import annotations

import os
import pty
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from stack import git as stack_git
from stack import ownership, run, upstream
from stack.errors import Refused
from tests.support import repository
from tests.support.repository import Repository, git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.programs import Programs

SECOND = {"app/page.tsx": "two\n", "app/added.tsx": "new\n", "app/gone.tsx": None}
KILLS_GIT = "kill -9 $PPID"
IN_A_TERMINAL = """
import sys
from pathlib import Path
from stack import upstream
from stack.errors import Refused
checkout = upstream.of(Path(sys.argv[1]))
try:
    upstream.fetched(checkout, upstream.branch(checkout))
except Refused as refused:
    print(refused.why)
"""


@dataclass
class Journal:
    """What an operation writes down."""

    facts: dict[str, str] = field(default_factory=dict)

    def telling(self, **facts: str) -> None:
        self.facts |= facts


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
def here(tmp_path: Path) -> Path:
    root = tmp_path / "here"
    (root / "app").mkdir(parents=True)
    for name in ("page", "gone", "other"):
        (root / "app" / f"{name}.tsx").write_text("one\n")
    (root / ".gitignore").write_text(".env\nbackups/\n")
    return root


@pytest.fixture
def origin(here: Path, tmp_path: Path) -> Repository:
    return repository.of(here, tmp_path)


def brought_in(here: Path) -> int:
    """Do what an update does; return how many commits that brought."""
    checkout = upstream.of(here / "app")
    branch = upstream.branch(checkout)
    upstream.unchanged(checkout)
    newest = upstream.fetched(checkout, branch)
    commits = upstream.distance(checkout, branch, newest)
    if commits:
        upstream.bring_in(Journal(), checkout, newest)  # type: ignore[arg-type]
    return commits


def refusal(here: Path) -> Refused:
    """Return why nothing is brought in; then nothing is changed."""
    before = state(here)
    with pytest.raises(Refused) as refused:
        brought_in(here)
    assert state(here) == before
    return refused.value


def state(here: Path) -> dict[str, Any]:
    files = (path for path in here.rglob("*") if path.is_file() and ".git" not in path.parts)
    refs = "rev-parse", "HEAD", "--symbolic-full-name", "HEAD"
    known = (here / ".git").exists()
    told = (git(here, *refs), git(here, "status", "--porcelain")) if known else ()
    return {"git": told, **{str(path): path.read_bytes() for path in files}}


def test_the_newest_commit_is_brought_in(here: Path, origin: Repository) -> None:
    origin.publish({"README.md": "new\n"})
    commit = origin.publish(SECOND)
    assert brought_in(here) == 2
    assert git(here, "rev-parse", "HEAD") == commit
    assert (here / "app" / "page.tsx").read_text() == "two\n"
    assert not (here / "app" / "gone.tsx").exists()
    assert git(here, "status", "--porcelain") == ""
    assert brought_in(here) == 0


def test_the_branch_that_is_checked_out_follows_its_own_upstream(here: Path, origin: Repository) -> None:
    git(here, "push", "--quiet", "origin", "main:stable")
    git(here, "fetch", "--quiet")
    git(here, "switch", "--quiet", "--create", "live", "--track", "origin/stable")
    origin.publish({"README.md": "for others\n"})
    assert brought_in(here) == 0
    git(origin.author, "push", "--quiet", "origin", "main:stable")
    assert brought_in(here) == 1


def test_commits_that_are_only_here_stay(here: Path, origin: Repository) -> None:
    (here / "mine").write_text("mine\n")
    git(here, "add", "mine")
    git(here, "commit", "--quiet", "--message", "mine")
    assert brought_in(here) == 0
    assert git(here, "log", "-1", "--format=%s") == "mine"


@pytest.mark.parametrize(
    "change", ["edited", "removed", "staged", "staged and taken back", "added", "mode", "renamed"]
)
def test_a_changed_file_is_named(change: str, here: Path, origin: Repository) -> None:
    page, named = here / "app" / "page.tsx", "app/page.tsx"
    if change in ("edited", "staged", "staged and taken back"):
        page.write_text("mine\n")
    if change.startswith("staged"):
        git(here, "add", ".")
    if change == "staged and taken back":
        page.write_text("one\n")
    elif change == "removed":
        page.unlink()
    elif change == "added":
        named = "mine ä.txt"
        (here / named).touch()
        git(here, "add", ".")
    elif change == "mode":
        page.chmod(0o755)
    elif change == "renamed":
        git(here, "mv", "app/page.tsx", "app/mine.tsx")
        named = "app/mine.tsx, app/page.tsx"
    origin.publish({"README.md": "new\n"})
    refused = refusal(here)
    assert (refused.code, refused.why.endswith(f": {named}")) == (11, True), refused.why


def test_of_many_changed_files_the_first_are_named(here: Path, origin: Repository) -> None:
    for number in range(12):
        (here / f"{number:02}").touch()
    git(here, "add", ".")
    refused = refusal(here)
    assert refused.what.startswith("12 file(s) of ")
    assert refused.why.endswith(", 08, 09 and 2 more")


def test_files_that_git_does_not_know_stay(here: Path, origin: Repository) -> None:
    (here / "notes.txt").write_text("mine\n")
    (here / ".env").write_text("mine\n")
    origin.publish(SECOND)
    assert brought_in(here) == 1
    assert ((here / "notes.txt").read_text(), (here / ".env").read_text()) == ("mine\n", "mine\n")


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("app/new.tsx", "app/new.tsx"),
        (".env", ".env"),
        ("new", "new/page.tsx"),
        ("new/deep/notes.txt", "new"),
        ("backups/a.tar", "backups"),
    ],
    ids=["same name", "ignored", "file for a directory", "directory for a file", "ignored directory"],
)
def test_a_file_that_git_does_not_know_and_that_would_go_is_named(
    mine: str, theirs: str, here: Path, origin: Repository
) -> None:
    (here / mine).parent.mkdir(parents=True, exist_ok=True)
    (here / mine).write_text("mine\n")
    origin.publish({theirs: "theirs\n", "app/page.tsx": "two\n"})
    refused = refusal(here)
    assert refused.what.startswith("1 file(s) of ")
    assert refused.why.endswith(f": {mine}")


def test_a_known_directory_that_becomes_a_file_is_in_nobodys_way(here: Path, origin: Repository) -> None:
    origin.publish({"lib/a": "one\n"})
    brought_in(here)
    origin.publish({"lib/a": None})
    origin.publish({"lib": "a file\n"})
    assert brought_in(here) == 2
    assert (here / "lib").read_text() == "a file\n"


def test_outside_of_a_repository_there_is_no_newest_version(here: Path) -> None:
    assert "is in no Git repository" in refusal(here).what


def test_a_repository_that_does_not_know_the_application_is_none_of_it(
    here: Path, origin: Repository
) -> None:
    (here / ".git" / "info" / "exclude").write_text("/site\n")
    (here / "site").mkdir()
    (here / "site" / "page.tsx").touch()
    with pytest.raises(Refused, match="is in no Git repository"):
        upstream.of(here / "site")


def test_a_detached_head_follows_nothing(here: Path, origin: Repository) -> None:
    git(here, "switch", "--quiet", "--detach")
    refused = refusal(here)
    assert "is on no branch" in refused.what
    assert git(here, "rev-parse", "--short=12", "HEAD") in refused.why


def test_a_branch_without_an_upstream_is_refused(here: Path, origin: Repository) -> None:
    git(here, "branch", "--unset-upstream")
    assert refusal(here).what.startswith("branch main of ")


def test_a_branch_without_a_commit_is_refused(here: Path) -> None:
    git(here, "init", "--quiet")
    git(here, "add", ".")
    with pytest.raises(Refused, match="follows none"):
        upstream.branch(upstream.of(here))


def test_a_history_that_forked_is_refused(here: Path, origin: Repository) -> None:
    (here / "mine").touch()
    git(here, "add", "mine")
    git(here, "commit", "--quiet", "--message", "mine")
    origin.publish(SECOND)
    refused = refusal(here)
    assert "has gone another way than origin" in refused.what
    assert "1 commit(s) are here only, 1 there only" in refused.why


def test_a_history_that_was_written_anew_is_refused(here: Path, origin: Repository) -> None:
    git(origin.author, "commit", "--quiet", "--amend", "--message", "begin anew")
    git(origin.author, "push", "--quiet", "--force", "origin", "main")
    assert "has gone another way than origin" in refusal(here).what


def test_an_upstream_that_is_gone_is_refused_in_gits_words(here: Path, origin: Repository) -> None:
    origin.bare.rename(origin.bare.with_name("moved.git"))
    refused = refusal(here)
    assert refused.what.startswith("origin does not give ")
    assert "does not appear to be a git repository" in refused.why


def test_a_branch_that_is_gone_upstream_is_refused(here: Path, origin: Repository) -> None:
    git(here, "push", "--quiet", "origin", "main:stable")
    git(here, "fetch", "--quiet")
    git(here, "branch", "--quiet", "--set-upstream-to=origin/stable")
    git(here, "push", "--quiet", "origin", ":stable")
    assert "couldn't find remote ref" in refusal(here).why


def test_an_upstream_that_does_not_answer_is_given_up(
    here: Path, origin: Repository, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("ssh", "exec sleep 60")
    monkeypatch.setattr(upstream, "PATIENCE", 0.5)
    git(here, "remote", "set-url", "origin", "ssh://git@example.com/shop.git")
    assert "no answer within" in refusal(here).why


def test_nobody_is_asked_for_a_password(
    here: Path, origin: Repository, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ssh and Git ask at the terminal, or through the program of a desktop."""
    programs.add("ssh", '[ "$SSH_ASKPASS_REQUIRE" = never ] && : </dev/tty && sleep 60')
    git(here, "remote", "set-url", "origin", "ssh://git@example.com/shop.git")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", IN_A_TERMINAL, str(here)])  # noqa: S606 - in its terminal
    with os.fdopen(terminal, "rb", buffering=0) as shown:
        assert b"cannot open /dev/tty" in shown.readline()
        assert os.waitpid(child, 0)[1] == 0


def test_what_a_hook_knows_of_another_repository_does_not_matter(
    here: Path, origin: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.publish(SECOND)
    git(tmp_path, "init", "--quiet", "--bare", "pushed-to.git")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "pushed-to.git"))
    assert brought_in(here) == 1
    monkeypatch.undo()
    assert git(here, "rev-parse", "HEAD") == commit


def test_the_way_of_ssh_that_somebody_chose_is_taken(
    here: Path, origin: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(here, "remote", "set-url", "origin", "ssh://git@example.com/shop.git")
    monkeypatch.setenv("GIT_SSH_COMMAND", "echo chosen >&2; false")
    assert refusal(here).why == "chosen"


def slow(here: Path, smudge: str) -> None:
    """Let Git run something when it is about to write `z.slow`, after other files."""
    git(here, "config", "filter.slow.smudge", smudge)
    git(here, "config", "filter.slow.required", "true")


def broken_off(here: Path, origin: Repository, how: str) -> dict[str, str]:
    """Bring in a version during which Git comes to its end; return what the journal knows."""
    slow(here, how)
    origin.publish({**SECOND, ".gitattributes": "*.slow filter=slow\n", "z.slow": "new\n"})
    checkout, journal = upstream.of(here / "app"), Journal()
    newest = upstream.fetched(checkout, upstream.branch(checkout))
    with pytest.raises(Refused) as refused:
        upstream.bring_in(journal, checkout, newest)  # type: ignore[arg-type]
    assert "it is as it was" in refused.value.what
    return journal.facts


@pytest.mark.parametrize("how", [KILLS_GIT, "exit 1"], ids=["killed", "failed"])
def test_a_version_that_git_could_not_bring_in_leaves_the_old_one(
    how: str, here: Path, origin: Repository
) -> None:
    (here / "notes.txt").write_text("mine\n")
    before = state(here)
    broken_off(here, origin, how)
    assert state(here) == before
    slow(here, "cat")
    assert brought_in(here) == 1


def test_git_alone_would_leave_a_mixture(
    here: Path, origin: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the journal is for: should this fail one day, `put_back` can go."""
    monkeypatch.setattr(upstream, "put_back", lambda *_: None)
    broken_off(here, origin, KILLS_GIT)
    assert git(here, "log", "-1", "--format=%s") == "begin"
    assert (here / "app" / "page.tsx").read_text() == "two\n"


def test_who_comes_after_a_crash_puts_the_old_version_back(
    here: Path, origin: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(here)
    with monkeypatch.context() as crash:
        crash.setattr(upstream, "put_back", lambda *_: None)
        facts = broken_off(here, origin, KILLS_GIT)
    assert state(here) != before
    assert (here / ".git" / "index.lock").exists()
    for _ in range(2):
        upstream.put_back(here / "app", facts)
        assert state(here) == before


def test_what_was_brought_in_whole_is_not_put_back(here: Path, origin: Repository) -> None:
    before = git(here, "rev-parse", "HEAD")
    commit = origin.publish(SECOND)
    brought_in(here)
    (here / "app" / "page.tsx").write_text("mine, later\n")
    upstream.put_back(here / "app", {upstream.BEFORE: before, upstream.AFTER: commit})
    assert (here / "app" / "page.tsx").read_text() == "mine, later\n"


def test_an_operation_that_brought_in_nothing_has_nothing_to_put_back(tmp_path: Path) -> None:
    upstream.put_back(tmp_path / "no repository", {"archive": "x"})


def test_root_works_in_a_checkout_as_its_owner(
    here: Path, origin: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git is told who it is; root alone could become somebody else."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        ownership, "of", lambda _: ownership.Identity(4711, 4712, (4713,), "maria", "/home/maria")
    )
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/roots-agent")
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i /root/key")
    seen: list[dict[str, Any]] = []

    def capture(_: list[str], **how: Any) -> run.Result:
        seen.append(how)
        return run.Result((), 0, "", "")

    monkeypatch.setattr(run, "capture", capture)
    stack_git.asked(here, "status", owner=ownership.of(here))
    (how,) = seen
    assert (how["owner"].user, how["env"]["HOME"], how["env"]["USER"]) == (4711, "/home/maria", "maria")
    assert how["env"].keys().isdisjoint({"SSH_AUTH_SOCK", "GIT_SSH_COMMAND"})
