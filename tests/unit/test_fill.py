"""New volumes are filled with what an archive holds, and with nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stack import console, fill
from stack.errors import Refused, Rejected
from stack.fill import Source
from stack.manifest import DATABASE
from stack.volumes import Facts, Place
from tests.unit.support import archived
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.shop import Shop

PLACE = Place(OLD, "/data/payload.db", "shop_payload-db-2", "shop_media-uploads-2")
FOUND = Facts(0, ("20260101_000000",), {"payload_migrations": 1, "posts": 3}, {})


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Give an archive of a database and a photo."""
    path = tmp_path / "shop.tar.zst"
    return Source(path, archived.write(path))


def filled(shop: Shop, source: Source) -> Facts | None:
    return fill.filled(shop.client, shop.site, PLACE, source, console.Step("Fill"))


def sent(shop: Shop) -> list[Any]:
    """Return what the container was given: heads as JSON, content as text."""
    lines = (shop.world.here / "filled").read_text().splitlines()
    return [json.loads(line) if line.startswith("{") else line for line in lines]


def test_each_file_is_handed_over_with_its_size_and_sum(shop: Shop, source: Source) -> None:
    assert filled(shop, source) == FOUND
    database, photo = [vars(member) for member in source.manifest.members]
    assert sent(shop) == [database, "pages of a database", photo, "a photo", {"end": True}]
    (call,) = shop.world.programs.calls("docker")
    assert call[6] == "filler"
    assert call[-2:] == ["/data/payload.db", "/app/public/media"]


def test_only_what_is_wanted_is_handed_over(shop: Shop, source: Source) -> None:
    wanted = replace(source, wanted=lambda name: name == DATABASE)
    assert wanted.total == len(b"pages of a database\n")
    assert filled(shop, wanted) == FOUND
    assert [told["name"] for told in sent(shop) if "name" in told] == [DATABASE]


def test_without_a_database_there_is_nothing_to_find(shop: Shop, source: Source) -> None:
    (shop.world.here / "facts").write_text('{"end": true}\n')
    assert filled(shop, replace(source, wanted=lambda name: name != DATABASE)) is None


def test_a_container_that_did_not_run_at_first_is_given_everything(shop: Shop, source: Source) -> None:
    shop.world.never_runs("filler")
    assert filled(shop, source) == FOUND
    assert sum("name" in told for told in sent(shop)) == 2


@pytest.mark.parametrize("there", ["shop_payload-db-2", "shop_media-uploads-2"])
def test_a_volume_that_is_there_already_is_never_filled(there: str, shop: Shop, source: Source) -> None:
    shop.world.docker.answers[f"GET /volumes/{there}"] = {"Name": there}
    with pytest.raises(Refused, match=f"the volume {there} is there already"):
        filled(shop, source)
    assert shop.world.programs.calls("docker") == []


def test_an_archive_that_is_larger_than_the_disk_is_refused_before_anything_is_made(
    shop: Shop, source: Source
) -> None:
    huge = replace(source.manifest.members[0], size=1 << 60)
    with pytest.raises(Refused, match="not enough room for the new volumes"):
        filled(shop, replace(source, manifest=replace(source.manifest, members=(huge,))))
    assert shop.world.programs.calls("docker") == []


@pytest.mark.parametrize("kind", ["sum", "corrupt", "not-sqlite", "room"])
def test_what_the_container_refuses_is_an_archive_that_cannot_be_restored(
    kind: str, shop: Shop, source: Source
) -> None:
    (shop.world.here / "facts").write_text(json.dumps({"refused": kind, "said": "page 7"}) + "\n")
    with pytest.raises(Rejected, match=r"shop\.tar\.zst cannot be restored") as refusal:
        filled(shop, source)
    assert refusal.value.code == 23
    assert refusal.value.why.endswith(": page 7")


def test_an_archive_that_was_replaced_since_it_was_checked_is_refused(shop: Shop, source: Source) -> None:
    source.path.unlink()
    archived.write(source.path, {DATABASE: b"others\n"})
    with pytest.raises(Rejected, match="was changed"):
        filled(shop, source)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rows": {"payload_migrations": 1, "posts": 2}}, "rows"),
        ({"rows": {"payload_migrations": 1}}, "rows"),
        ({"migrations": ()}, "migrations"),
        ({"user_version": 7}, "user_version"),
        ({"foreign_key_violations": {"posts": 1}}, "foreign keys"),
        ({"migrations": (), "user_version": 7}, "migrations, user_version"),
    ],
    ids=str,
)
def test_a_database_that_is_not_what_its_manifest_says_is_refused(
    change: dict[str, Any], named: str, source: Source
) -> None:
    with pytest.raises(Rejected, match="does not hold what its manifest says") as refusal:
        fill._same(source.path, source.manifest, replace(FOUND, **change))
    assert refusal.value.why == f"these differ: {named} of {DATABASE}"
    assert refusal.value.code == 23


def test_what_is_found_in_the_volumes_is_compared(shop: Shop, source: Source) -> None:
    facts = shop.world.here / "facts"
    facts.write_text(facts.read_text().replace('"posts": 3', '"posts": 2'))
    with pytest.raises(Rejected, match="does not hold what its manifest says"):
        filled(shop, source)


def test_the_order_of_tables_is_no_difference(source: Source) -> None:
    fill._same(source.path, source.manifest, replace(FOUND, rows={"posts": 3, "payload_migrations": 1}))
