"""Tables in Markdown, and where they are written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pytest


def table(
    head: Sequence[str], lines: Sequence[Sequence[str]], *, numbers: Collection[int] | None = None
) -> str:
    """Return a table; ``numbers`` are the columns aligned to the right, all but the first unless told."""
    right = range(1, len(head)) if numbers is None else numbers
    rule = ["---:" if column in right else "---" for column in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


def publish(config: pytest.Config, name: str, told: str) -> None:
    """Print what was measured, for whoever sees a test fail, and write it where `--tables` says."""
    print(told)  # noqa: T201
    if place := config.getoption("--tables"):
        (Path(place) / f"{name}.md").write_text(f"{told}\n")


def verdict(ratio: float, goal: float, *, at_least: bool = False) -> str:
    """Set a ratio beside its goal, an upper limit unless told."""
    met = ratio >= goal if at_least else ratio <= goal
    limit = "at least" if at_least else "at most"
    return f"{ratio:.2f} x, goal {limit} {goal:.2f} x: {'met' if met else 'missed'}"
