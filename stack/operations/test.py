"""The project's own tests: without the engine in seconds, on the real engine in minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import devtools
from stack.errors import Refused
from stack.operations.provision import provision

if TYPE_CHECKING:
    from pathlib import Path


def test(root: Path, *, unit: bool, provision_first: bool, only: str) -> None:
    """Run all tests and insist on their coverage; ``unit`` and ``only`` run some and measure nothing."""
    if provision_first:
        provision(root)
    devtools.ensure(root)
    if unit or only:
        chosen = ["tests/unit" if unit else "tests", *(["-k", only] if only else [])]
        _insist(root, "tests failed", "pytest", *chosen)
        return
    devtools.passes(devtools.python("coverage", "erase"), root)  # what runs that were broken off left
    _insist(root, "tests failed", "coverage", "run", "-m", "pytest", "tests")
    _insist(root, "what was measured cannot be put together", "coverage", "combine", "--quiet")
    _insist(root, "too little is covered by tests", "coverage", "report")


def _insist(root: Path, complaint: str, *module: str) -> None:
    if not devtools.passes(devtools.python(*module), root):
        raise Refused(complaint, why="see above", fix="one of them again: bin/inv test --only NAME")
