"""Where a checkout comes from: a bare repository, and an author elsewhere who publishes to it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

AUTHOR = ("user.name=T", "user.email=t@example.com", "commit.gpgsign=false", "init.defaultBranch=main")
NOBODYS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
MINE = "safe.directory=*"


def git(directory: Path, *arguments: str) -> str:
    """Let somebody type a Git command that works."""
    configured = [word for setting in (*AUTHOR, MINE) for word in ("-c", setting)]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", *configured, *arguments],
        cwd=directory,
        env={**inherited, **NOBODYS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}\n{done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Repository:
    """``bare`` is what everybody fetches from, ``author`` a clone of it on another machine."""

    bare: Path
    author: Path

    def publish(self, files: dict[str, str | None], *, branch: str = "main") -> str:
        """Commit these files, None for one that goes, and push; return the commit."""
        for name, content in files.items():
            path = self.author / name
            if content is None:
                git(self.author, "rm", "--quiet", "--", name)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        git(self.author, "add", "--all", "--force", ".")
        git(self.author, "commit", "--quiet", "--no-verify", "--message", "; ".join(files))
        git(self.author, "push", "--quiet", "origin", f"HEAD:{branch}")
        return git(self.author, "rev-parse", "HEAD")

    def clone(self, place: Path) -> Path:
        git(self.bare.parent, "clone", "--quiet", str(self.bare), str(place))
        return place


def of(checkout: Path, beside: Path) -> Repository:
    """Make a directory the clone of a repository that begins with what Git would commit of it."""
    bare, author = beside / "upstream.git", beside / "author"
    git(checkout, "init", "--quiet", "--initial-branch=main")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--no-verify", "--message", "begin")
    git(beside, "clone", "--quiet", "--bare", str(checkout), str(bare))
    git(checkout, "remote", "add", "origin", str(bare))
    git(checkout, "fetch", "--quiet", "origin")
    git(checkout, "branch", "--quiet", "--set-upstream-to=origin/main")
    git(beside, "clone", "--quiet", str(bare), str(author))
    return Repository(bare, author)
