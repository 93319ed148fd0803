"""What Payload's own command did is told by the rows that it left, never by its exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import migrator, run, volumes
from stack.errors import Refused
from stack.run import Result
from stack.volumes import Facts, Place
from tests.unit.support.shop import SECRET
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from tests.unit.support.shop import Shop

PLACE = Place(OLD, "/data/payload.db", "shop_payload-db-2", "shop_media-uploads-2")
FIRST, SECOND = "20260101_000000", "20260202_000000_more"
DYED = "│\033[37m \033[0m\033[32m{}  \033[0m │\033[37m \033[0m\033[32m {}\033[0m │ \033[32m{}\033[0m │"
TABLE = (("Name", "Batch", "Ran"), (FIRST, "1", "Yes"), (SECOND, " ", "No"))
LISTED = "\n".join(DYED.format(*row) for row in TABLE) + "\nINFO: Done.\n"
BEFORE = Facts(0, (FIRST,), {"payload_migrations": 1, "posts": 3}, {})
QUESTION = "data loss will occur. Would you like to proceed? (y/N)"


@pytest.fixture
def halfway(shop: Shop) -> Shop:
    """Give a site with a migrator that brings two migrations, of which one has run, and gets no further."""
    shop.world.docker.has_image(f"{OLD}-migrator")
    (shop.world.here / "listed").write_text(LISTED)
    (shop.world.here / "migrate-says").write_text(f"Reading\n{QUESTION}\n")
    return shop


def prepared(shop: Shop, before: Facts | None = BEFORE) -> migrator.Migration | None:
    with shop.operating() as operation:
        return migrator.prepared(shop.client, operation, PLACE, before)


def commands(shop: Shop) -> list[str]:
    return [call[-1] for call in shop.world.programs.calls("docker") if "timeout" in call]


def test_what_has_not_run_is_run(halfway: Shop) -> None:
    facts = json.loads((halfway.world.here / "facts").read_text())
    facts["facts"]["migrations"] = [FIRST, SECOND]
    (halfway.world.here / "migrated").write_text(json.dumps(facts) + "\n")
    told = prepared(halfway)
    assert told is not None
    assert told.names == (FIRST, SECOND)
    assert commands(halfway) == ["migrate:status", "migrate"]


def test_where_all_have_run_nothing_is_started(halfway: Shop) -> None:
    assert prepared(halfway, replace(BEFORE, migrations=(FIRST, SECOND))) is None
    assert commands(halfway) == ["migrate:status"]


def test_a_command_that_ended_well_and_left_no_row_is_refused_with_its_last_words(halfway: Shop) -> None:
    with pytest.raises(Refused) as refusal:
        prepared(halfway)
    assert refusal.value.what == f"not all migrations ran: {SECOND}"
    assert refusal.value.why == QUESTION


def test_of_what_it_says_the_error_is_told_without_secrets(halfway: Shop) -> None:
    (halfway.world.here / "migrate-says").write_text(f"ERROR: it has {SECRET}\n  at file.ts\n")
    with pytest.raises(Refused) as refusal:
        prepared(halfway)
    assert SECRET not in str(refusal.value)
    assert refusal.value.why.startswith("ERROR: it has ")


def test_on_a_volume_without_a_database_everything_is_to_be_run(
    halfway: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> Facts:
        raise volumes.Unsound("missing", "")

    monkeypatch.setattr(volumes, "inspect", missing)
    with pytest.raises(Refused, match=f"{FIRST}, {SECOND}"), halfway.operating() as operation:
        migrator.first(halfway.client, operation, PLACE)


def test_a_project_that_names_no_migration_is_refused(halfway: Shop) -> None:
    (halfway.world.here / "listed").write_text("INFO: No migrations found.\n")
    with pytest.raises(Refused, match="names no migration") as refusal:
        prepared(halfway)
    assert refusal.value.why == "INFO: No migrations found."


def test_without_an_image_that_migrates_none_is_made_by_the_way(shop: Shop) -> None:
    with pytest.raises(Refused, match="no migrator of 20260101T000000Z-000000000000 is here"):
        prepared(shop)
    assert commands(shop) == []


@pytest.mark.parametrize("code", [124, 137])
def test_one_that_did_not_end_in_time_is_told_so(
    code: int, halfway: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "capture", lambda *_, **__: Result((), code, "", "Reading"))
    with pytest.raises(Refused) as refusal:
        migrator.perform(halfway.client, halfway.site, PLACE, (SECOND,), within=7)
    assert refusal.value.why == "it was ended: 7 s had passed, or its memory did not suffice"
