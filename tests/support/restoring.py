"""What stories of restores do again and again."""

from __future__ import annotations

import itertools
import os
import pty
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import visitor
from tests.support.site import TIMEOUT

if TYPE_CHECKING:
    from tests.support.site import Site
    from tests.support.visitor import Editor

RESTORE = ("./restore.sh", "--yes")


@dataclass(frozen=True)
class Life:
    """What an editor writes on a site; each title and each name is another one."""

    editor: Editor
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def goes_on(self) -> None:
        """Publish a post and upload a picture."""
        number = next(self.numbers)
        self.editor.publish(f"post {number}")
        self.editor.upload(f"picture-{number}.png", visitor.picture((number, 40, 40)))


def backed_up(site: Site) -> Path:
    return Path(last_line(site.run("./backup.sh")))


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command that succeeded has made."""
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def typed(site: Site, line: str, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command whose stdin is a terminal, and type a line there."""
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, f"{line}\n".encode())
        return subprocess.run(
            argv,
            cwd=cwd or site.root,
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)
