"""A restore is taken back: to the volumes from before it, which have stayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack import envfile, journal
from stack.errors import Failure, Refused, Undone, Usage
from stack.journal import Entry
from stack.operations.restore import Wish, restore
from tests.unit.support.restoring import UNDO, YES, Terminal, now, put_back, refused, removed
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.shop import Shop


def test_without_a_restore_there_is_nothing_to_undo(shop: Shop) -> None:
    assert refused(shop, UNDO).what == "there is no restore to undo"


def test_an_undo_goes_back_to_the_volumes_from_before_and_an_undo_of_it_forward_again(
    shop: Shop, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_back(shop)
    restored = now(shop)
    capsys.readouterr()
    put_back(shop, UNDO)
    assert now(shop) == ("shop_payload-db", "shop_media-uploads")
    assert capsys.readouterr().out == "shop_payload-db\n"
    put_back(shop, UNDO)
    assert now(shop) == restored
    assert removed(shop) == []


def test_of_several_restores_the_last_is_undone(shop: Shop, archive: Path) -> None:
    put_back(shop)
    first = now(shop)
    put_back(shop)
    put_back(shop, UNDO)
    assert now(shop) == first


def test_a_restore_that_failed_is_not_the_last_one(shop: Shop, archive: Path) -> None:
    put_back(shop)
    before = now(shop)
    shop.world.docker.answers["POST /containers/app0ff27c883dfb/start"] = Reply(500, '{"message": "no"}')
    with pytest.raises(Undone):
        restore(shop.world.root, YES)
    assert now(shop) == before
    shop.world.docker.answers["POST /containers/app0ff27c883dfb/start"] = Reply(204)
    put_back(shop, UNDO)
    assert now(shop) == ("shop_payload-db", "shop_media-uploads")


def test_one_that_was_killed_after_the_switch_can_be_undone(shop: Shop, archive: Path) -> None:
    put_back(shop)
    moved = {key: str(value) for key, value in shop.history.items() if key.startswith(("from_", "to_"))}
    (shop.site.state / "history").unlink()
    killed = Entry("1", "restore", "2026-11-23T05:15:58Z", 4711, "Switch", serving=True, facts=moved)
    journal.write(shop.site, killed)
    put_back(shop, UNDO)
    assert now(shop) == ("shop_payload-db", "shop_media-uploads")


def test_volumes_that_somebody_has_chosen_since_are_not_left_by_an_undo(shop: Shop, archive: Path) -> None:
    put_back(shop)
    envfile.write(shop.site.dotenv, {"DB_VOLUME": "shop_payload-db", "MEDIA_VOLUME": "shop_media-uploads"})
    assert "no restore to undo" in undo_refused(shop).what


def test_an_undo_to_a_volume_that_is_gone_is_refused(shop: Shop, archive: Path) -> None:
    put_back(shop)
    (shop.world.here / "volumes").unlink()
    failure = undo_refused(shop)
    assert isinstance(failure, Refused)
    assert failure.what == "the volume shop_payload-db from before the restore is gone"


def undo_refused(shop: Shop) -> Failure:
    """Undo in vain: `.env` stays."""
    before = now(shop)
    with pytest.raises(Failure) as failure:
        restore(shop.world.root, UNDO)
    assert now(shop) == before
    return failure.value


def test_an_undo_has_to_be_confirmed_too(shop: Shop, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_back(shop)
    monkeypatch.setattr("sys.stdin", Terminal("no\n"))
    before = now(shop)
    with pytest.raises(Usage, match="not confirmed"):
        restore(shop.world.root, Wish(undo=True))
    assert now(shop) == before


def test_an_undo_to_data_that_the_release_would_migrate_is_refused(shop: Shop, archive: Path) -> None:
    put_back(shop)
    facts = (shop.world.here / "facts").read_text()
    later = facts.replace('["20260101_000000"]', '["20260101_000000", "20260202_000000"]')
    (shop.world.here / f"facts-{now(shop)[0]}").write_text(later)
    before = now(shop)
    with pytest.raises(Refused, match="the database was migrated since that restore") as refusal:
        restore(shop.world.root, UNDO)
    assert "20260202_000000" in refusal.value.why
    assert now(shop) == before


def test_an_undo_leaves_a_database_that_cannot_be_read(shop: Shop, archive: Path) -> None:
    put_back(shop)
    (shop.world.here / f"facts-{now(shop)[0]}").write_text('{"refused": "corrupt", "said": "page 2"}\n')
    put_back(shop, UNDO)
    assert now(shop) == ("shop_payload-db", "shop_media-uploads")
