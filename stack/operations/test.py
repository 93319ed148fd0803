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
    some = unit or bool(only)
    chosen = ["tests/unit" if unit else "tests", *(["-k", only] if only else [])]
    pytest = ["pytest", *chosen] if some else ["coverage", "run", "-m", "pytest", *chosen]
    if not devtools.passes(devtools.python(*pytest), root):
        raise Refused("tests failed", why="see above", fix="run one of them again: bin/inv test --only NAME")
    if not some and not _covered(root):
        raise Refused("too little is covered by tests", why="see above", fix="test what is missing")


def _covered(root: Path) -> bool:
    combined = devtools.passes(devtools.python("coverage", "combine", "--quiet"), root)
    return combined and devtools.passes(devtools.python("coverage", "report"), root)
