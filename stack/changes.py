"""What a database has more or less of than another one, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import console

if TYPE_CHECKING:
    from collections.abc import Mapping


def of_rows(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Return the tables that have not as many rows as before, with both numbers."""
    counts = {table: (before.get(table, 0), after.get(table, 0)) for table in sorted({*before, *after})}
    return {table: (was, now) for table, (was, now) in counts.items() if was != now}


def tell(before: Mapping[str, int], after: Mapping[str, int]) -> None:
    changed = of_rows(before, after)
    for table, (was, now) in changed.items():
        console.progress(f"  {table:<32} {was:>8} -> {now} rows")
    if not changed:
        console.progress("  as many rows as before in every table")
