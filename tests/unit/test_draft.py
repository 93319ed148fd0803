"""A new migration comes out into the checkout whole, over nothing that is somebody's, or not at all."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from stack import draft
from stack.errors import Refused
from stack.volumes import Place
from tests.unit.support.shop import SECRET
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.shop import Shop

PLACE = Place(OLD, "/data/payload.db", "", "")
DIRECTORY = "src/migrations"
NEW, SNAPSHOT, INDEX = (
    f"{DIRECTORY}/{name}" for name in ("20260202_more.ts", "20260202_more.json", "index.ts")
)
OLD_INDEX = "export const migrations = []\n"
QUESTION = "Is extra2 column created or renamed from another column?"


def told(*files: tuple[str, str, str | None]) -> str:
    """Return what the container says of files: their names, their content, and what they were."""
    said = ""
    for name, content, before in files:
        was = None if before is None else hashlib.sha256(before.encode()).hexdigest()
        said += json.dumps({"name": name, "size": len(content), "was": was}) + "\n" + content
    return said + '{"end": true}\n'


WRITTEN = told(
    ("next-env.d.ts", "generated", None),
    (INDEX, "with more\n", OLD_INDEX),
    (SNAPSHOT, "{}", None),
    (NEW, "up\n", None),
)


@pytest.fixture
def author(shop: Shop) -> Shop:
    """Give a site whose project has migrations, and in which nothing has changed since."""
    (shop.site.app_dir / DIRECTORY).mkdir(parents=True)
    (shop.site.app_dir / INDEX).write_text(OLD_INDEX)
    says(shop, once=told(), forced=WRITTEN)
    return shop


def says(shop: Shop, *, once: str, forced: str) -> None:
    (shop.world.here / "create-says").write_text(f"{QUESTION} {SECRET}\n")
    (shop.world.here / "written").write_text(once)
    (shop.world.here / "forced").write_text(forced)


def written(shop: Shop, *, blank: bool = False) -> Path | None:
    with shop.operating() as operation:
        return draft.written(operation, PLACE, "more", blank=blank)


def files(shop: Shop) -> dict[str, str]:
    app = shop.site.app_dir
    return {
        str(file.relative_to(app)): file.read_text()
        for file in app.rglob("*")
        if file.suffix != ".tsx" and file.is_file()
    }


def test_the_migration_its_snapshot_and_the_index_come_out_and_nothing_else(author: Shop) -> None:
    says(author, once=WRITTEN, forced="")
    assert written(author) == author.site.app_dir / NEW
    assert files(author) == {NEW: "up\n", SNAPSHOT: "{}", INDEX: "with more\n"}


def test_where_only_an_empty_one_can_be_had_nothing_has_changed(author: Shop) -> None:
    assert written(author) is None
    assert files(author) == {INDEX: OLD_INDEX}


def test_an_empty_one_comes_out_where_it_is_asked_for(author: Shop) -> None:
    assert written(author, blank=True) == author.site.app_dir / NEW


def test_where_not_even_that_can_be_had_payload_asks_and_says_so(
    author: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    says(author, once=told(), forced=told())
    for blank in (False, True):
        with pytest.raises(Refused, match="Payload wrote no migration"):
            written(author, blank=blank)
    err = capsys.readouterr().err
    assert QUESTION in err
    assert SECRET not in err


@pytest.mark.parametrize("name", [INDEX, NEW, SNAPSHOT])
def test_what_somebody_wrote_meanwhile_is_not_written_over(name: str, author: Shop) -> None:
    says(author, once=WRITTEN, forced="")
    (author.site.app_dir / name).write_text("mine")
    before = files(author)
    with pytest.raises(Refused, match="is not what it was when this began") as refusal:
        written(author)
    assert name in refusal.value.what
    assert files(author) == before


def test_the_first_migration_makes_its_directory(author: Shop) -> None:
    (author.site.app_dir / INDEX).unlink()
    (author.site.app_dir / DIRECTORY).rmdir()
    says(author, once=told((INDEX, "with more\n", None), (NEW, "up\n", None)), forced="")
    assert written(author) == author.site.app_dir / NEW
    assert files(author) == {NEW: "up\n", INDEX: "with more\n"}
