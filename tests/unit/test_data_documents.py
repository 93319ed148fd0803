"""The documents about data: each command is typed by a story, each link leads somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support import readme
from tests.support.site import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = ("backup-and-restore.md", "volume-migration.md")
STORIES = ("test_data_documents.py", "test_vps.py")
PLACES = ("site", "vps", "elsewhere", "both", "directories", "volumes", "rename", "old_server", "new_server")
ALL = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_shell_block_is_marked_with_the_place_where_a_story_types_it(document: str) -> None:
    text = (CHECKOUT / "docs" / document).read_text()
    marked = [block for place in PLACES for block in readme.runnable(place, text)]
    assert len(marked) == len(re.findall(r"^```sh$", text, re.MULTILINE)) == text.count(readme.MARK) > 0


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_section_with_something_to_type_is_followed_by_a_story(document: str) -> None:
    stories = "".join((CHECKOUT / "tests" / "stories" / name).read_text() for name in STORIES)
    with_blocks = [heading for heading, text in readme.sections(document).items() if readme.MARK in text]
    assert [heading for heading in with_blocks if f'"{heading}"' not in stories] == []


def test_a_section_ends_where_the_next_heading_stands() -> None:
    sections = readme.sections("backup-and-restore.md")
    assert "docker volume rm" in sections["The old volumes"]
    assert "docker volume rm" not in sections["Restore"]


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(file: Path) -> None:
    for target, anchor in LINK.findall(file.read_text()):
        there = (file.parent / target).resolve() if target else file
        assert there.exists(), target
        if anchor:
            assert anchor in _anchors(there.read_text()), f"{target}#{anchor}"


def _anchors(text: str) -> set[str]:
    """Return what GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
