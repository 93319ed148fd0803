"""`docs/testing-checklist.md`: each criterion has a test that exists."""

from __future__ import annotations

import ast
import re

from tests.unit.support.messages import ROOT

ROW = re.compile(r"^\| (?!criterion|---)(.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def rows() -> dict[str, str]:
    text = (ROOT / "docs" / "testing-checklist.md").read_text()
    return dict(ROW.findall(text))


def test_each_test_of_the_checklist_exists() -> None:
    named = [found for shown_by in rows().values() for found in TEST.findall(shown_by)]
    assert len(named) > 20
    missing = [f"{file}::{name}" for file, name in named if not _exists(file, name)]
    assert missing == []


def test_each_criterion_has_a_test() -> None:
    assert [what for what, shown_by in rows().items() if not TEST.search(shown_by)] == []


def _exists(file: str, name: str) -> bool:
    path = ROOT / file
    if not path.is_file():
        return False
    defined = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    return not name or name in defined
