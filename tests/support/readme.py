"""The commands of the README and of the documents beside it, as they stand there."""

from __future__ import annotations

import re

from tests.support.site import CHECKOUT

MARK = "<!-- runnable: "
BLOCK = re.compile(rf"^{MARK}(\w+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^##+ (.+?)\n(.*?)(?=^##+ |\Z)", re.MULTILINE | re.DOTALL)


def runnable(where: str, text: str = "") -> list[str]:
    """Return the shell blocks that are marked as runnable in a place, in their order."""
    found: list[tuple[str, str]] = BLOCK.findall(text or (CHECKOUT / "README.md").read_text())
    return [block for place, block in found if place == where]


def sections(document: str) -> dict[str, str]:
    """Return the text of a document in `docs/` by the headings that stand directly above it."""
    return dict(SECTION.findall((CHECKOUT / "docs" / document).read_text()))
