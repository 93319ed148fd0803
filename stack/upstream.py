"""The newest version of a checkout: fetched from where its branch comes from, brought in whole or not at all.

Git itself changes file after file and moves the branch last: killed in between, it leaves a mixture of both
versions. So the journal knows of it before it begins, and who comes afterwards puts the old version back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stack import git, ownership, signals
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stack.operation import Operation
    from stack.ownership import Identity
    from stack.run import Result

PATIENCE = 300  # seconds for the other side
NAMED = 10  # files
BOTH = ("gc.autoDetach=false", "maintenance.autoDetach=false")  # of old and of new versions of Git
IN_FRONT = [word for setting in BOTH for word in ("-c", setting)]  # what goes on behind would keep the lock
BEFORE, AFTER = "from_commit", "to_commit"  # facts of the journal


@dataclass(frozen=True)
class Checkout:
    """A working tree of Git, and its owner where that is somebody else than this process.

    ``variables`` are for Git alone.
    """

    top: Path
    owner: Identity | None
    variables: Mapping[str, str] = field(default_factory=dict)

    def git(self, *arguments: str, timeout: float | None = None) -> Result:
        words = [*IN_FRONT, *arguments]
        return git.asked(self.top, *words, owner=self.owner, variables=self.variables, timeout=timeout)

    def says(self, *arguments: str) -> str:
        """Return what Git must be able to tell."""
        done = self.git(*arguments)
        if not done.ok:
            raise Refused(
                f"Git cannot read {self.top}",
                why=_complaint(done),
                fix="mend that, then run this again",
                detail=done.err,
            )
        return done.out.rstrip("\n")

    def names(self, *arguments: str) -> list[str]:
        return [name for name in self.says(*arguments).split("\0") if name]


@dataclass(frozen=True)
class Branch:
    """A branch, and what it follows: ``ref`` of ``remote``, known here as ``tracking``."""

    name: str
    remote: str
    ref: str
    tracking: str


def of(directory: Path) -> Checkout:
    """Return the checkout that a directory is of; where there is none it is :class:`Refused`."""
    found = git.asked(directory, "rev-parse", "--show-toplevel")
    if not found.ok or not git.asked(directory, "ls-files", "--", ".").out:
        raise Refused(
            f"{directory} is in no Git repository",
            why=_complaint(found) if not found.ok else "the one around it knows no file of it",
            fix="clone it with Git; or put the new version there yourself, then `./deploy.sh`",
        )
    top = Path(found.out.rstrip("\n"))
    return Checkout(top, ownership.of(top))


def branch(checkout: Checkout) -> Branch:
    """Return what is checked out and what it follows."""
    name = checkout.git("symbolic-ref", "--quiet", "--short", "HEAD").out.strip()
    if not name:
        raise Refused(
            f"{checkout.top} is on no branch",
            why=f"its HEAD is detached at {checkout.says('rev-parse', '--short=12', 'HEAD')}",
            fix="`git switch main`, or what your branch is called",
        )
    wanted = "%(upstream:remotename)%00%(upstream:remoteref)%00%(upstream)"
    told = checkout.says("for-each-ref", f"--format={wanted}", f"refs/heads/{name}").split("\0")
    if len(told) != 3 or not all(told):  # nothing at all of a branch without a commit
        raise Refused(
            f"branch {name} of {checkout.top} follows none",
            why="it has no upstream: where a newer version would come from is not known",
            fix=f"`git branch --set-upstream-to=origin/{name}`",
        )
    return Branch(name, *told)


def unchanged(checkout: Checkout) -> None:
    """Refuse a checkout in which somebody changed files: the site would get what no commit holds."""
    status = ("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames")
    if changed := [entry[3:] for entry in checkout.names(*status)]:
        raise Refused(
            f"{len(changed)} file(s) of {checkout.top} were changed here",
            why=f"an update would mix them with the new version: {_listed(changed)}",
            fix="`git stash`, or commit and push them; `git checkout -- FILE` gives a change up",
        )


def fetched(checkout: Checkout, branch: Branch) -> str:
    """Ask the other side, and return the newest commit."""
    done = checkout.git("fetch", "--quiet", branch.remote, branch.ref, timeout=PATIENCE)
    came(checkout, branch, done)
    return checkout.says("rev-parse", "--verify", f"{branch.tracking}^{{commit}}")


def came(checkout: Checkout, branch: Branch, done: Result) -> None:
    """Refuse what the other side did not answer as it should."""
    if not done.ok:
        raise Refused(
            f"{branch.remote} does not give {checkout.top} its newest version",
            why=_complaint(done),
            fix=f"try `git fetch {branch.remote}` there, as the checkout's owner; it must ask for nothing",
            detail=done.err,
        )


def distance(checkout: Checkout, branch: Branch, newest: str) -> int:
    """Return how many commits there are to bring in; a history that forked is :class:`Refused`."""
    counted = checkout.says("rev-list", "--left-right", "--count", f"HEAD...{newest}")
    ours, theirs = map(int, counted.split())
    if ours and theirs:
        raise Refused(
            f"branch {branch.name} of {checkout.top} has gone another way than {branch.remote}",
            why=f"{ours} commit(s) are here only, {theirs} there only",
            fix="`git log --left-right HEAD...@{upstream}` shows them; merge or rebase, then run this again",
        )
    return theirs


def bring_in(updating: Operation, checkout: Checkout, newest: str) -> None:
    """Make a checkout the newest commit; where that fails it stays what it was."""
    before = checkout.says("rev-parse", "HEAD")
    in_nobodys_way(checkout, before, newest)
    facts = {BEFORE: before, AFTER: newest}
    updating.telling(**facts)
    with signals.ignored():
        done = checkout.git("merge", "--quiet", "--ff-only", "--no-overwrite-ignore", newest)
        if not done.ok:
            put_back(checkout.top, facts)
            raise Refused(
                f"{checkout.top} could not be brought to the newest version; it is as it was",
                why=_complaint(done),
                fix="mend that, then run this again",
                detail=done.err,
            )


def put_back(directory: Path, facts: Mapping[str, str]) -> None:
    """Make a checkout the old version again, where bringing in the newest one was broken off."""
    if AFTER not in facts:
        return
    checkout = of(directory)
    if checkout.says("rev-parse", "HEAD") != facts[BEFORE]:  # the branch moves last: it is all there
        return
    Path(checkout.top, checkout.says("rev-parse", "--git-path", "index.lock")).unlink(missing_ok=True)
    checkout.says("read-tree", facts[AFTER])  # now Git knows which files it may have made
    checkout.says("reset", "--quiet", "--hard", facts[BEFORE])


def in_nobodys_way(checkout: Checkout, before: str, newest: str) -> None:
    """Refuse new files that would replace some that Git does not know: even ignored ones stay."""
    changes = ("diff", "--name-only", "-z", "--no-renames", "--diff-filter=A", before, newest)
    new, here = set(checkout.names(*changes)), set(checkout.names("ls-files", "--others", "-z"))
    in_the_way = (here & new) | (here & _above(new)) | {name for name in here if _above([name]) & new}
    if in_the_way:
        raise Refused(
            f"{len(in_the_way)} file(s) of {checkout.top} are in the way of the new version",
            why=f"Git does not know them, and the new version has files there: {_listed(in_the_way)}",
            fix="move them away, then run this again",
        )


def _above(names: Iterable[str]) -> set[str]:
    return {str(parent) for name in names for parent in Path(name).parents}


def _listed(names: Iterable[str]) -> str:
    first, more = sorted(names)[:NAMED], len(set(names)) - NAMED
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")


def _complaint(done: Result) -> str:
    """Return the line that says most: what ssh or Git says first, but for warnings."""
    lines = [line.strip() for line in done.err.splitlines() if not line.startswith("warning:")]
    return next(filter(None, lines), f"exit code {done.code}")
