"""Run the project's own tests and linters, installed on first use beside what the server needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stack import console, run
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

PINS = "requirements-dev.txt"


def ensure(root: Path) -> None:
    """Install the pinned development tools into this environment unless they are the ones in it."""
    wanted, installed = root / PINS, Path(sys.prefix) / PINS
    if installed.exists() and installed.read_bytes() == wanted.read_bytes():
        return
    with console.step("Install the development tools"):
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--requirement",
            str(wanted),
        ]
        done = run.capture(pip)
        if not done.ok:
            raise Refused(
                "the development tools could not be installed",
                why=(done.err.strip().splitlines() or [f"pip ended with {done.code}"])[-1],
                fix="check that this machine reaches PyPI",
            )
    installed.write_bytes(wanted.read_bytes())


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def program(name: str) -> str:
    """Return the path of a tool that is installed as a program."""
    return str(Path(sys.executable).parent / name)


def passes(argv: Sequence[str], root: Path) -> bool:
    """Run a tool with its output on this terminal; tell whether it was content."""
    return run.attached(argv, cwd=root, env=dict(os.environ)) == 0
