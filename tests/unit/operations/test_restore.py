"""What a restore refuses, puts back, and takes back again."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stack import backups, journal
from stack.errors import Rejected, Undone
from stack.operations import restore as module
from stack.operations.restore import Wish, restore
from stack.volumes import Facts, Place
from tests.unit.support import archived
from tests.unit.support.restoring import NAME, YES, Terminal, now, put_back, refused, removed
from tests.unit.support.servers import Reply
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings
    from tests.unit.support.shop import Shop

EMPTY = {"payload_migrations": 1, "payload_preferences": 9, "posts": 0}
FULL = Facts(0, (), {"payload_migrations": 1, "posts": 3}, {})
NOTHING = Facts(0, (), EMPTY, {})


# --- what makes sense --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "what"),
    [
        (Wish(db_only=True, media_only=True, yes=True), "--db-only and --media-only exclude each other"),
        (Wish(undo=True, file="a.tar.zst", yes=True), "--undo stands alone"),
        (Wish(undo=True, db_only=True, yes=True), "--undo stands alone"),
        (Wish(undo=True, media_only=True, yes=True), "--undo stands alone"),
        (Wish(), "this replaces data, and nobody is here to confirm it"),
        (Wish(undo=True), "this replaces data, and nobody is here to confirm it"),
    ],
    ids=["both", "undo-file", "undo-db", "undo-media", "nobody", "nobody-undoes"],
)
def test_a_wish_without_sense_ends_with_2_before_anything_is_looked_at(
    wish: Wish, what: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("shop\n"))  # no terminal, whatever it says
    failure = refused(shop, wish)
    assert (failure.code, failure.what) == (2, what)
    assert shop.world.docker.asked == []
    assert not shop.site.state.exists()


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "Shop\n", "shop2\n", "shop shop\n"])
def test_nothing_but_the_sites_name_confirms(
    typed: str, shop: Shop, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    failure = refused(shop, Wish())
    assert (failure.code, failure.what) == (2, "not confirmed")


def test_the_sites_name_confirms_what_was_told(
    shop: Shop, archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("shop\n"))
    restore(shop.world.root, Wish())
    told = capsys.readouterr().err
    assert NAME in told
    assert "`./restore.sh --undo` goes back to them" in told
    assert "Type the site's name, shop, to go on:" in told
    assert now(shop)[0] != "shop_payload-db"


# --- what is accepted --------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Give the path of an archive that is judged by its manifest."""
    return tmp_path / NAME


def judge(ours: Settings, path: Path, wish: Wish, before: Facts | None, **changes: Any) -> None:
    """Judge an archive with these changes of its manifest."""
    module._accept(ours, wish, archived.write(path, **changes), path, before)


def test_an_archive_of_another_site_is_refused_and_the_way_to_mean_it_told(
    site: Settings, told: Path
) -> None:
    with pytest.raises(Rejected, match="is of another site: museum") as refusal:
        judge(site, told, Wish(), FULL, site="museum")
    assert refusal.value.code == 23
    assert refusal.value.why == "one of shop is wanted"
    assert "--from-site museum" in refusal.value.fix


def test_who_means_another_site_names_it(site: Settings, told: Path) -> None:
    judge(site, told, Wish(from_site="museum"), FULL, site="museum")


def test_who_names_another_site_than_that_of_the_archive_is_refused(site: Settings, told: Path) -> None:
    with pytest.raises(Rejected, match="is of another site: library"):
        judge(site, told, Wish(from_site="museum"), FULL, site="library")


def test_an_empty_database_does_not_replace_a_full_one(site: Settings, told: Path) -> None:
    with pytest.raises(Rejected, match="holds an empty database") as refusal:
        judge(site, told, Wish(), FULL, rows=EMPTY)
    assert "3 rows of content" in refusal.value.why


@pytest.mark.parametrize(
    ("wish", "before"),
    [(Wish(), NOTHING), (Wish(), None), (Wish(media_only=True), FULL)],
    ids=["empty", "unreadable", "media-only"],
)
def test_where_nothing_would_be_lost_an_empty_database_is_fine(
    wish: Wish, before: Facts | None, site: Settings, told: Path
) -> None:
    judge(site, told, wish, before, rows=EMPTY)


def test_an_archive_without_media_has_none_to_put_back(site: Settings, tmp_path: Path) -> None:
    database = {"database/payload.db": b"pages\n"}
    path = tmp_path / NAME
    manifest = archived.write(path, database, media=False)
    with pytest.raises(Rejected, match="holds no media"):
        module._accept(site, Wish(media_only=True), manifest, path, FULL)
    module._accept(site, Wish(), manifest, path, FULL)


# --- putting back ------------------------------------------------------------------------------


def test_an_archive_is_put_on_new_volumes_and_the_old_ones_stay(
    shop: Shop, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.world.here / "facts-shop_payload-db").write_text(
        (shop.world.here / "facts").read_text().replace('"posts": 3', '"posts": 5, "drafts": 1')
    )
    put_back(shop)
    identity = str(shop.history["id"])
    assert now(shop) == (f"shop_payload-db-{identity}", f"shop_media-uploads-{identity}")
    assert shop.world.dotenv["APP_IMAGE"] == shop.world.live == OLD
    assert removed(shop) == []
    out, err = capsys.readouterr()
    assert out == f"{archive}\n"
    assert re.search(r"posts +5 -> 3 rows\n", err)
    assert re.search(r"drafts +1 -> 0 rows\n", err)
    assert "payload_migrations" not in err
    assert shop.history["restored"] == str(archive)
    assert journal.read(shop.site) is None
    assert bool(backups.every(shop.site)[0].known.proven)


def test_only_new_volumes_are_proven_before_the_application_is_stopped(shop: Shop, archive: Path) -> None:
    put_back(shop)
    calls = [" ".join(call) for call in shop.world.programs.calls("docker")]
    steps = ["beside", "filler", "--detach", "stop app", "create", "up --detach"]
    words = ["reader", "filler", "run --detach", "compose stop app", "compose create", "compose up --detach"]
    places = [next(n for n, call in enumerate(calls) if word in call[:200]) for word in words]
    assert dict(zip(steps, places, strict=True)) == dict(zip(steps, sorted(places), strict=True))


def test_the_database_alone_leaves_the_media_where_they_are(shop: Shop, archive: Path) -> None:
    put_back(shop, Wish(db_only=True, yes=True))
    assert now(shop) == (f"shop_payload-db-{shop.history['id']}", "shop_media-uploads")
    assert "a photo" not in (shop.world.here / "filled").read_text()


def test_the_media_alone_leave_the_database_where_it_is(shop: Shop, archive: Path) -> None:
    filler = (shop.world.here / "docker").read_text()
    (shop.world.here / "docker").write_text(
        filler.replace(f"done; cat '{shop.world.here}/facts' ;;", """done; echo '{"end": true}' ;;""")
    )
    put_back(shop, Wish(media_only=True, yes=True))
    assert now(shop) == ("shop_payload-db", f"shop_media-uploads-{shop.history['id']}")
    assert "pages of a database" not in (shop.world.here / "filled").read_text()


@pytest.mark.parametrize(
    ("wish", "media", "there", "expected"),
    [
        (Wish(), True, True, ("new", "new")),
        (Wish(), False, True, ("new", "old")),
        (Wish(), False, False, ("new", "new")),
        (Wish(db_only=True), True, True, ("new", "old")),
        (Wish(db_only=True), True, False, ("new", "new")),
        (Wish(media_only=True), True, True, ("old", "new")),
    ],
    ids=["all", "archive-of-db", "no-media-left", "db-only", "db-only-no-media-left", "media-only"],
)
def test_what_is_put_back_is_on_new_volumes_and_the_rest_where_it_was(
    wish: Wish, media: bool, there: bool, expected: tuple[str, str], shop: Shop
) -> None:
    if not there:
        (shop.world.here / "volumes").unlink()
    manifest = replace(archived.TOLD, media=media)
    old = Place(OLD, "/data/payload.db", "shop_payload-db", "shop_media-uploads")
    new = Place(OLD, "/data/payload.db", "new", "new")
    target = module._target(shop.client, wish, manifest, old, new)
    told = ["new" if volume == "new" else "old" for volume in (target.db_volume, target.media_volume)]
    assert tuple(told) == expected


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (True, "the uploads stay as they are now"),
        (False, "there are no uploads here: the site will have none"),
    ],
)
def test_what_becomes_of_the_uploads_is_told_where_the_archive_has_none(
    there: bool, told: str, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    path = backups.directory(shop.site) / NAME
    archived.write(path, {"database/payload.db": b"pages\n"}, media=False)
    if not there:
        (shop.world.here / "volumes").unlink()
    put_back(shop)
    assert re.search(f"warning: {NAME} was made with --db-only.*{told}", capsys.readouterr().err)


def test_who_wants_the_database_alone_is_told_nothing_of_uploads(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    path = backups.directory(shop.site) / NAME
    archived.write(path, {"database/payload.db": b"pages\n"}, media=False)
    put_back(shop, Wish(db_only=True, yes=True))
    assert "uploads" not in capsys.readouterr().err


# --- failing -----------------------------------------------------------------------------------


def test_an_archive_that_is_damaged_touches_nothing(shop: Shop, archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    failure = refused(shop, YES)
    assert failure.code == 23
    assert "run" not in shop.world.ran()[1:]  # it has looked at the present database, and no more
    assert backups.every(shop.site)[0].damaged


def test_a_trial_that_fails_touches_nothing(shop: Shop, archive: Path) -> None:
    (shop.world.here / "probe").write_text('{"first": null, "answers": [500]}')
    failure = refused(shop, YES)
    assert (failure.code, failure.what) == (
        11,
        "the trial failed: the release does not work on this data",
    )
    (report,) = (shop.site.state / "reports").iterdir()
    assert "the trial's last log lines" in report.read_text()


def test_where_the_application_does_not_start_on_them_it_goes_back(shop: Shop, archive: Path) -> None:
    shop.world.docker.answers["POST /containers/app0ff27c883dfb/start"] = Reply(500, '{"message": "no"}')
    before = shop.site.dotenv.read_bytes()
    with pytest.raises(Undone, match="the site is up and healthy, its data as before"):
        restore(shop.world.root, YES)
    assert shop.site.dotenv.read_bytes() == before
    assert shop.world.ran()[-2:] == ["rm", "up"]
    assert shop.history["code"] == 20


def test_where_rows_are_gone_after_the_start_it_goes_back(shop: Shop, archive: Path) -> None:
    create = (shop.world.here / "docker").read_text()
    fewer = (shop.world.here / "facts").read_text().replace('"posts": 3', '"posts": 2')
    (shop.world.here / "fewer").write_text(fewer)
    here = shop.world.here
    mounts = f"echo $DB_VOLUME $MEDIA_VOLUME >{here}/mounts"
    lossy = f"""" compose create "*) {mounts}; cp '{here}/fewer' "{here}/facts-$DB_VOLUME" ;;"""
    (shop.world.here / "docker").write_text(create.replace('*" version "*)', f'{lossy}\n*" version "*)'))
    with pytest.raises(Undone, match="rows are gone from posts; the site is up and healthy"):
        restore(shop.world.root, YES)
    assert now(shop)[0] == "shop_payload-db"


def test_a_database_that_is_no_use_any_more_can_be_replaced(
    shop: Shop, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.world.here / "facts-shop_payload-db").write_text('{"refused": "corrupt", "said": "page 7"}\n')
    put_back(shop)
    told = capsys.readouterr().err
    assert "the present database is no use: it is corrupt: page 7" in told
    assert re.search(r"posts +0 -> 3 rows\n", told)


def test_media_alone_are_not_put_beside_a_database_that_is_not_there(shop: Shop, archive: Path) -> None:
    (shop.world.here / "volumes").unlink()
    failure = refused(shop, replace(YES, media_only=True))
    assert failure.what == "there is no database here that could stay"


def test_a_compose_that_keeps_the_old_volumes_does_not_make_a_restore(shop: Shop, archive: Path) -> None:
    script = (shop.world.here / "docker").read_text()
    keeps = '*" create "*) echo "shop_payload-db shop_media-uploads" >'
    (shop.world.here / "docker").write_text(
        script.replace('*" create "*) echo "$DB_VOLUME $MEDIA_VOLUME" >', keeps)
    )
    with pytest.raises(Undone, match="the application could not be put on the new volumes"):
        restore(shop.world.root, YES)
    assert now(shop)[0] == "shop_payload-db"


def test_old_volumes_that_cannot_be_listed_take_nothing_back(
    shop: Shop, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.docker.answers["GET /volumes"] = Reply(500, '{"message": "out of memory"}')
    put_back(shop)
    assert "old volumes are still there: " in capsys.readouterr().err
    assert now(shop)[0] != "shop_payload-db"
