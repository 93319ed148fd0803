"""The word of a person, where data is replaced."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from stack import console
from stack.errors import Usage

if TYPE_CHECKING:
    from stack.settings import Settings


def can_be_given(command: str) -> None:
    """Refuse to ask where nobody is; ``command`` is how to do it without being asked."""
    if not sys.stdin.isatty():
        raise Usage(
            "this replaces data, and nobody is here to confirm it",
            why="stdin is not a terminal",
            fix=f"`{command} --yes`",
        )


def given(site: Settings, *told: str) -> None:
    """Tell what is about to happen, and go on when the site's name is typed."""
    for line in told:
        console.progress(line)
    console.progress(f"Type the site's name, {site.site}, to go on:")
    if sys.stdin.readline().strip() != site.site:
        raise Usage("not confirmed", why="that is not the site's name", fix="run this again, or with --yes")
