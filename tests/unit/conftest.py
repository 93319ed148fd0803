"""What unit tests share: a checkout of a site, and programs that remember."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from stack import settings
from tests.unit.support.programs import Programs

if TYPE_CHECKING:
    from stack.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

# The same examples on each run: what a pull request did not break does not fail it.
hypothesis.settings.register_profile("unit", max_examples=50, deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("unit")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a directory called `shop` with the checkout's own files and an application of one file."""
    root = tmp_path / "shop"
    (root / "app").mkdir(parents=True)
    (root / "app" / "page.tsx").write_text("export default () => null\n")
    for name in ("docker-compose.yml", "Dockerfile", ".env.production.example"):
        shutil.copy(ROOT / name, root)
    return root


@pytest.fixture
def site(checkout: Path) -> Settings:
    """Give the settings of a checkout without `.env`."""
    return settings.load(checkout)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Give a directory in front of PATH for stand-ins."""
    return Programs(tmp_path / "programs", monkeypatch)
