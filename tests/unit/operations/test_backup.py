"""What a backup publishes, and what it does not."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stack import archive, backups, journal
from stack.errors import Failure, Refused, Untrusted
from stack.operations.backup import backup
from stack.operations.backups import listed
from tests.unit.support import archived
from tests.unit.support.archived import FILES
from tests.unit.support.servers import Reply
from tests.unit.support.shop import SECRET
from tests.unit.support.world import TRIAL

if TYPE_CHECKING:
    from tests.unit.support.shop import Shop

OLDER = "shop-20261122T000000Z-00000000.tar.zst"
DATABASE = {"database/payload.db": FILES["database/payload.db"]}


def back_up(shop: Shop, **options: Any) -> None:
    flags = {"db_only": False, "output": "", "drilled": False, "as_json": False}
    backup(shop.world.root, **{**flags, **options})


def made(shop: Shop, capsys: pytest.CaptureFixture[str], **options: Any) -> Path:
    """Back up, and return the archive that is named last."""
    back_up(shop, **options)
    return Path(capsys.readouterr().out.splitlines()[-1])


def failing(shop: Shop, **options: Any) -> Failure:
    """Back up in vain: nothing is published, and nothing is left."""
    older = backups.directory(shop.site) / OLDER
    archived.write(older)
    before = older.read_bytes()
    with pytest.raises(Failure) as failure:
        back_up(shop, **options)
    assert [path.name for path in older.parent.iterdir()] == [OLDER]
    assert older.read_bytes() == before
    assert journal.read(shop.site) is None
    return failure.value


# --- what is published -------------------------------------------------------------------------


def test_the_last_line_is_the_path_of_a_sound_archive_for_its_owner_only(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.has_snapshot(FILES)
    path = made(shop, capsys)
    assert re.fullmatch(r"shop-\d{8}T\d{6}Z-[0-9a-f]{8}\.tar\.zst", path.name)
    assert [stat.S_IMODE(place.stat().st_mode) for place in (path, path.parent)] == [0o600, 0o700]
    told = archive.check(path)
    assert [member.name for member in told.members] == list(FILES)
    assert (told.site, told.release, told.media) == ("shop", "20260101T000000Z-000000000000", True)
    assert (told.rows, told.journal_mode) == ({"payload_migrations": 1, "posts": 3}, "wal")
    assert list(path.parent.iterdir()) == [path]
    assert (shop.history["code"], shop.history["archive"]) == (0, str(path))


def test_for_scripts_all_of_stdout_is_json(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.world.has_snapshot(FILES, missing=["gone.jpg"])
    back_up(shop, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["size"] == Path(told["archive"]).stat().st_size
    assert (told["files"], told["missing_media"]) == (1, ["gone.jpg"])


def test_the_database_alone_is_told_as_such(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.world.has_snapshot(DATABASE)
    assert archive.check(made(shop, capsys, db_only=True)).media is False
    (asked,) = [call for call in shop.world.programs.calls("docker") if "reader" in call]
    assert asked[-1] == "/data/payload.db"


def test_another_directory_can_be_chosen(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    shop.world.has_snapshot(FILES)
    assert made(shop, capsys, output=str(tmp_path / "usb")).parent == tmp_path / "usb"


def test_what_is_not_as_it_should_be_on_the_site_is_told_and_no_obstacle(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.has_snapshot(FILES, missing=[f"{n}.jpg" for n in range(6)], skipped=["pipe"])
    back_up(shop)
    out, err = capsys.readouterr()
    assert (
        "6 file(s) of uploads are missing on the site too: '0.jpg', '1.jpg', '2.jpg', '3.jpg', '4.jpg' ..."
        in err
    )
    assert "1 thing(s) in media are no files that can be read: 'pipe'" in err
    told = archive.check(Path(out.strip()))
    assert (len(told.missing_media), told.skipped) == (6, ("pipe",))


def test_no_secret_goes_anywhere(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.world.has_snapshot(FILES)
    path = made(shop, capsys, drilled=True)
    kept = [file for file in shop.site.state.rglob("*") if file.is_file()]
    assert [file for file in [path, *kept] if SECRET.encode() in file.read_bytes()] == []
    assert [call for call in shop.world.programs.calls("docker") if SECRET in " ".join(call)] == []


def test_visitors_are_told_to_wait_for_a_database_that_is_not_in_wal_mode(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.has_snapshot(FILES, journal_mode="delete")
    back_up(shop)
    assert "the database is not in WAL mode: visitors wait" in capsys.readouterr().err


# --- what is not -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["missing", "empty", "corrupt", "not-sqlite", "foreign", "unreadable"])
def test_a_database_that_is_no_use_ends_with_22(kind: str, shop: Shop) -> None:
    (shop.world.here / "snapshot").write_text(json.dumps({"refused": kind, "said": ""}) + "\n")
    failure = failing(shop)
    assert failure.code == 22
    assert failure.what == "the database /data/payload.db cannot be backed up"


def test_a_volume_without_room_for_the_copy_is_refused(shop: Shop) -> None:
    (shop.world.here / "snapshot").write_text('{"refused": "room", "said": "4096 bytes"}\n')
    failure = failing(shop)
    assert isinstance(failure, Refused)
    assert "volume shop_payload-db" in failure.what


def test_a_copy_that_changed_on_its_way_is_not_trusted(shop: Shop) -> None:
    shop.world.has_snapshot(FILES, sha256="0" * 64)
    assert failing(shop).what == "the copy of the database changed on its way into the archive"


def test_a_file_that_is_there_and_did_not_come_is_a_loss(shop: Shop) -> None:
    shop.world.has_snapshot(FILES, lost=["a.jpg", "b.jpg"])
    failure = failing(shop)
    assert (failure.code, failure.what) == (22, "2 file(s) of uploads did not come into the archive")
    assert "a.jpg, b.jpg" in failure.why


def test_a_stream_that_ends_early_is_not_trusted(shop: Shop) -> None:
    shop.world.has_snapshot({"database/payload.db": b"x" * 100})
    snapshot = shop.world.here / "snapshot"
    content = snapshot.read_bytes()
    snapshot.write_bytes(content[: content.index(b"x" * 100) + 50])
    assert failing(shop).code == 22


def test_a_file_that_is_deleted_meanwhile_is_tried_for_three_times_and_then_told(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.has_snapshot(FILES, deleted=["gone.jpg"])
    path = made(shop, capsys)
    assert archive.check(path).missing_media == ("gone.jpg",)
    assert shop.world.ran() == ["run"] * 3
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_changes_all_the_time_is_given_up_after_three_times(shop: Shop) -> None:
    shop.world.has_snapshot(FILES)
    snapshot = shop.world.here / "snapshot"
    snapshot.write_bytes(snapshot.read_bytes().replace(b'{"end"', b'{"again": "media/log.txt", "end"'))
    failure = failing(shop)
    assert isinstance(failure, Untrusted)
    assert "media/log.txt" in failure.why
    assert shop.world.ran() == ["run"] * 3


# --- drills ------------------------------------------------------------------------------------


def test_a_drill_proves_the_archive_before_it_is_published(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.has_snapshot(FILES)
    path = made(shop, capsys, drilled=True)
    (found,) = backups.every(shop.site)
    assert (found.path, bool(found.known.proven)) == (path, True)
    scratch = (shop.world.here / "filled").read_text()
    assert "a photo" in scratch
    listed(shop.world.root, as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["proven"] == found.known.proven


def test_an_archive_whose_drill_fails_is_not_published(shop: Shop) -> None:
    shop.world.has_snapshot(FILES)
    (shop.world.here / "probe").write_text('{"first": null, "answers": [500]}')
    failure = failing(shop, drilled=True)
    assert failure.code == 22
    assert failure.what.startswith("the drill failed: the trial failed")


def test_a_drill_that_the_engine_prevents_says_nothing_of_the_archive(shop: Shop) -> None:
    shop.world.has_snapshot(FILES)
    shop.world.never_runs("filler", times=2)
    failure = failing(shop, drilled=True)
    assert failure.code == 11
    assert failure.what.startswith("the drill could not be held: the engine could not start a container")


def test_a_release_that_ruins_the_database_fails_its_drill(shop: Shop) -> None:
    def ruined() -> Reply:
        (shop.world.here / "facts").write_text('{"refused": "corrupt", "said": "malformed page 7"}\n')
        return Reply(204)

    shop.world.has_snapshot(FILES)
    shop.world.docker.answers[f"POST /containers/{TRIAL}/stop"] = ruined
    failure = failing(shop, drilled=True)
    assert failure.code == 22
    assert "malformed page 7" in failure.why


def test_a_drill_that_finds_the_filled_database_unsound_does(shop: Shop) -> None:
    shop.world.has_snapshot(FILES)
    (shop.world.here / "facts").write_text('{"refused": "corrupt", "said": "malformed page 7"}\n')
    failure = failing(shop, drilled=True)
    assert failure.code == 22
    assert "malformed page 7" in failure.why
