"""Every linter over every file it understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import console, devtools
from stack.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

SHELL = ("deploy.sh", "stop.sh", "update.sh", "backup.sh", "restore.sh", "bin/inv", ".ci/run")


def lint(root: Path) -> None:
    """Run them all, then name those that found something."""
    devtools.ensure(root)
    failed = [name for name, argv in _linters().items() if not devtools.passes(argv, root)]
    if failed:
        raise Refused(f"not clean: {', '.join(failed)}", why="see above", fix="mend them and run it again")
    console.result(f"{len(_linters())} linters are content")


def _linters() -> dict[str, list[str]]:
    return {
        "ruff": devtools.python("ruff", "check"),
        "ruff format": devtools.python("ruff", "format", "--check"),
        "mypy": devtools.python("mypy"),
        "shellcheck": [devtools.program("shellcheck"), *SHELL],
        "hadolint": [devtools.program("hadolint"), "Dockerfile"],
        "yamllint": devtools.python("yamllint", "--strict", "."),
        "compose-lint": [devtools.program("compose-lint"), "docker-compose.yml"],
    }
