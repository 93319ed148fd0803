"""Which files are migrations of Payload's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import migrations

if TYPE_CHECKING:
    from pathlib import Path

FILES = (
    "src/migrations/20261122_231435_initial.ts",
    "src/migrations/20261122_231435_initial.json",
    "src/migrations/index.ts",
    "src/migrations/20261123_101500.ts",
    "db/20261124_101500_more_tags.js",
    "db/20261124_101500_more_tags.d.ts",
    "db/2026_notes.ts",
    "node_modules/other/20200101_000000_theirs.ts",
    ".next/server/20200101_000000_built.js",
)


def test_migrations_are_found_wherever_the_project_has_them_oldest_first(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = ["20261122_231435_initial", "20261123_101500", "20261124_101500_more_tags"]
    assert migrations.in_directory(tmp_path) == found


def test_an_application_without_migrations_has_none(tmp_path: Path) -> None:
    assert migrations.in_directory(tmp_path) == []
