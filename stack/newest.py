"""The newest version of a checkout, looked at, not brought in: its repository stays as it is."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stack import inputs, migrations, upstream
from stack.engine import context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from stack.settings import Settings
    from stack.upstream import Branch, Checkout

# A fetch without all that an ordinary one would write into the repository; for objects see `_aside`.
# Unpacked, objects that are here already would get a new date.
FETCH = (
    *("-c", "fetch.unpackLimit=1"),
    "fetch",
    "--quiet",
    "--no-write-fetch-head",
    "--no-tags",
    "--no-prune",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
    "--refmap=",
)


@dataclass(frozen=True)
class Version:
    """What an update would bring: ``commits`` of them, from one to another.

    ``builds``: files of the image change, ``composes``: a Compose file does, ``tool``: this tool itself does.
    ``added`` and ``gone`` are migrations.
    """

    before: str
    after: str
    commits: int
    builds: bool = False
    composes: bool = False
    tool: bool = False
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def looked_at(site: Settings, noted: Callable[[], AbstractContextManager[None]]) -> Version | None:
    """Return what the upstream has; None where that cannot be told.

    What an update would refuse is ``noted``.
    """
    found = None
    with noted():
        checkout = upstream.of(site.app_dir)
        branch = upstream.branch(checkout)
        with noted():
            upstream.unchanged(checkout)
        with _aside(checkout) as quiet:
            before, after = quiet.says("rev-parse", "HEAD"), _asked(quiet, branch)
            commits = upstream.distance(quiet, branch, after)
            if not commits:
                return Version(before, before, 0)
            found = _compared(site, quiet, Version(before, after, commits))
            upstream.in_nobodys_way(quiet, before, after)
    return found


@contextmanager
def _aside(checkout: Checkout) -> Iterator[Checkout]:
    """Give a checkout whose new objects go into a directory of their own, which goes afterwards."""
    objects = Path(checkout.top, checkout.says("rev-parse", "--git-path", "objects"))
    with tempfile.TemporaryDirectory() as place:
        if checkout.owner:
            os.chown(place, checkout.owner.user, checkout.owner.group)
        # quoted, as Git reads it: a path can have a colon
        there = json.dumps(str(objects), ensure_ascii=False)
        variables = {"GIT_OBJECT_DIRECTORY": place, "GIT_ALTERNATE_OBJECT_DIRECTORIES": there}
        yield replace(checkout, variables=variables)


def _asked(quiet: Checkout, branch: Branch) -> str:
    """Return the newest commit of the other side, with all that it needs."""
    told = quiet.git("ls-remote", "--exit-code", branch.remote, branch.ref, timeout=upstream.PATIENCE)
    upstream.came(quiet, branch, told)
    newest = told.out.split()[0]
    if not quiet.git("rev-list", "--quiet", "--objects", newest, "--not", "HEAD").ok:
        fetch = quiet.git(*FETCH, branch.remote, branch.ref, timeout=upstream.PATIENCE)
        upstream.came(quiet, branch, fetch)
    return quiet.says("rev-parse", "--verify", f"{newest}^{{commit}}")


def _compared(site: Settings, quiet: Checkout, version: Version) -> Version:
    def changed(only: str) -> list[str]:
        to = ("diff", "--name-only", "-z", "--no-renames", f"--diff-filter={only}")
        return quiet.names(*to, version.before, version.after)

    def of(directory: Path, only: str = "ACDMT") -> list[str]:
        return _below(directory, quiet.top, changed(only))

    root, app = of(site.root), of(site.app_dir)
    return replace(
        version,
        builds=_goes_into_the_image(site, root, app),
        composes=any(name.startswith("docker-compose") for name in root),
        tool=any(name.startswith(("stack/", "bin/")) or name == "tasks.py" for name in root),
        added=tuple(migrations.names(of(site.app_dir, "A"))),
        gone=tuple(migrations.names(of(site.app_dir, "D"))),
    )


def _goes_into_the_image(site: Settings, root: Sequence[str], app: Sequence[str]) -> bool:
    """Tell whether a build would get another file; `.dockerignore` is always one of them."""
    return bool(context.sent(site.root, root) or context.sent(site.app_dir, app, without=inputs.NEVER_BUILT))


def _below(directory: Path, top: Path, names: Sequence[str]) -> list[str]:
    """Return the names of what is in a directory, seen from there."""
    paths = (top / name for name in names)
    inside = directory.resolve()
    return [str(path.relative_to(inside)) for path in paths if path.is_relative_to(inside)]
