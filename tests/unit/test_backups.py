"""Which archives a site has, and what is known of each."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from stack import backups, settings
from stack.console import Step
from stack.errors import Refused, Rejected
from tests.unit.support import archived

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

OLDER = "shop-20261122T000000Z-00000000.tar.zst"
NEWER = "shop-20261123T000000Z-00000000.tar.zst"


@pytest.fixture(autouse=True)
def place(site: Settings) -> Path:
    """Give the directory of archives of a site at which operations have been."""
    site.state.mkdir()
    return backups.directory(site)


def damage(path: Path) -> None:
    """Change a byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def listed(site: Settings) -> list[str]:
    return [backup.path.name for backup in backups.every(site)]


# --- names -------------------------------------------------------------------------------------


def test_the_directory_is_made_for_its_owner_only(place: Path, site: Settings) -> None:
    assert place == site.root / "backups"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert backups.directory(site) == place


def test_a_directory_of_ones_own_choice_has_to_be_there(tmp_path: Path, site: Settings) -> None:
    assert backups.directory(site, str(tmp_path)) == tmp_path
    (tmp_path / "file").touch()
    for missing in ("gone", "file"):
        with pytest.raises(Refused, match="there is no directory"):
            backups.directory(site, str(tmp_path / missing))
    assert not (tmp_path / "gone").exists()


def test_a_name_tells_site_and_time_and_is_recognised(site: Settings, place: Path) -> None:
    name = backups.name(site, "20261123T051558Z-0a1b2c3d")
    assert name == "shop-20261123T051558Z-0a1b2c3d.tar.zst"
    archived.write(place / name)
    (backup,) = backups.every(site)
    assert f"{backup.created:%Y-%m-%dT%H:%M:%S%z}" == "2026-11-23T05:15:58+0000"
    assert backup.release == archived.TOLD.release
    assert backup.size == (place / name).stat().st_size


# --- listing -----------------------------------------------------------------------------------


def test_without_archives_or_their_directory_the_list_is_empty(site: Settings, place: Path) -> None:
    assert backups.every(site) == []
    place.rmdir()
    assert backups.every(site) == []


def test_the_newest_is_told_by_its_name_whatever_a_copy_did_to_its_times(site: Settings, place: Path) -> None:
    for time, name in ((2_000_000_000, OLDER), (1_000_000_000, NEWER)):
        archived.write(place / name)
        os.utime(place / name, (time, time))
    assert listed(site) == [NEWER, OLDER]
    assert backups.newest(site).path.name == NEWER


def test_archives_repacked_as_gzip_are_listed_too(site: Settings, place: Path) -> None:
    (place / NEWER.replace("zst", "gz")).write_bytes(b"")
    assert listed(site) == [NEWER.replace("zst", "gz")]


@pytest.mark.parametrize(
    "name",
    [
        f".{NEWER}.part",
        f"{NEWER}.part",
        "museum-20261123T000000Z-00000000.tar.zst",
        "my-shop-20261123T000000Z-00000000.tar.zst",
        "shop-2-20261123T000000Z-00000000.tar.zst",
        "shop.tar.zst",
        "shop-20261123T000000Z.tar.zst",
        "shop-20261123T000000Z-00000000.tar",
        "shop-20261123T000000Z-00000000.tar.zst.gpg",
        "shop-20261123T000000Z-0000000g.tar.zst",
        "shop-20261399T000000Z-00000000.tar.zst",
        "shop-20261123T000000Z-00000000.tar.zst\n",
    ],
)
def test_what_is_no_archive_of_this_site_is_left_out(name: str, site: Settings, place: Path) -> None:
    archived.write(place / OLDER)
    (place / name).touch()
    assert listed(site) == [OLDER]


def test_what_is_no_file_is_left_out(site: Settings, place: Path) -> None:
    (place / NEWER).mkdir()
    (place / OLDER).symlink_to("gone")
    assert listed(site) == []


def test_one_that_cannot_be_read_is_listed_without_its_release(site: Settings, place: Path) -> None:
    (place / NEWER).write_bytes(b"not an archive")
    (backup,) = backups.every(site)
    assert (backup.release, backup.verified, backup.damaged) == ("", "", False)


# --- the newest --------------------------------------------------------------------------------


def test_without_one_to_restore_the_person_is_asked_for_a_file(site: Settings, place: Path) -> None:
    with pytest.raises(Refused, match="there is no archive of shop") as refusal:
        backups.newest(site)
    assert str(place) in refusal.value.why


def test_one_that_is_known_to_be_damaged_is_not_the_newest(site: Settings, place: Path) -> None:
    for name in (OLDER, NEWER):
        archived.write(place / name)
    damage(place / NEWER)
    assert backups.newest(site).path.name == NEWER  # nobody has looked yet
    with pytest.raises(Rejected):
        backups.verify(site, place / NEWER, Step("check"))
    assert backups.newest(site).path.name == OLDER
    assert listed(site) == [NEWER, OLDER]


# --- what is known -----------------------------------------------------------------------------


def test_an_archive_that_was_read_whole_is_known_to_be_sound(site: Settings, place: Path) -> None:
    told = archived.write(place / NEWER)
    assert backups.every(site)[0].verified == ""
    assert backups.verify(site, place / NEWER, Step("check")) == told
    (backup,) = backups.every(site)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", backup.verified)
    assert (backup.damaged, backup.known.proven) == (False, "")


def test_one_that_was_booted_is_known_to_be_proven_and_stays_so(site: Settings, place: Path) -> None:
    archived.write(place / NEWER)
    backups.remember(site, place / NEWER, sound=True, proven=True)
    proven = backups.every(site)[0].known.proven
    assert proven
    backups.verify(site, place / NEWER, Step("check"))
    assert backups.every(site)[0].known.proven == proven


def test_of_a_file_that_was_changed_since_nothing_is_known(site: Settings, place: Path) -> None:
    archived.write(place / NEWER)
    backups.remember(site, place / NEWER, sound=True, proven=True)
    damage(place / NEWER)
    (backup,) = backups.every(site)
    assert (backup.verified, backup.damaged, backup.known.proven) == ("", False, "")


def test_what_is_known_of_files_that_are_gone_is_forgotten(site: Settings, place: Path) -> None:
    for name in (OLDER, NEWER):
        archived.write(place / name)
        backups.verify(site, place / name, Step("check"))
    (place / OLDER).unlink()
    backups.verify(site, place / NEWER, Step("check"))
    noted = json.loads((site.state / "archives").read_text())
    assert list(noted) == [str(place / NEWER)]
    assert stat.S_IMODE((site.state / "archives").stat().st_mode) == 0o600


@pytest.mark.parametrize("note", ["", "{", "[]", '{"%s": "x"}', '{"%s": {"size": 1}}', '{"%s": {"more": 1}}'])
def test_a_note_that_is_lost_or_of_another_version_tells_nothing(
    note: str, site: Settings, place: Path
) -> None:
    archived.write(place / NEWER)
    (site.state / "archives").write_text(note.replace("%s", str(place / NEWER)))
    assert backups.every(site)[0].verified == ""
    backups.verify(site, place / NEWER, Step("check"))
    assert backups.every(site)[0].verified


def test_a_note_with_a_word_of_another_version_tells_nothing(site: Settings, place: Path) -> None:
    archived.write(place / NEWER)
    backups.verify(site, place / NEWER, Step("check"))
    noted = json.loads((site.state / "archives").read_text())
    noted[str(place / NEWER)]["signed"] = True
    (site.state / "archives").write_text(json.dumps(noted))
    assert backups.every(site)[0].verified == ""


# --- publishing and finding --------------------------------------------------------------------


def test_an_archive_gets_its_name_for_good(site: Settings, place: Path) -> None:
    (place / "part").write_text("new")
    backups.publish(place / "part", place / NEWER)
    assert (place / NEWER).read_text() == "new"
    assert not (place / "part").exists()


def test_an_archive_is_never_replaced(site: Settings, place: Path) -> None:
    (place / "part").write_text("new")
    (place / NEWER).write_text("old")
    with pytest.raises(Refused, match="exists") as refusal:
        backups.publish(place / "part", place / NEWER)
    assert "never replaced" in refusal.value.why
    assert ((place / NEWER).read_text(), (place / "part").read_text()) == ("old", "new")


def test_an_archive_is_found_where_the_person_is_and_in_backups(
    site: Settings, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / OLDER).touch()
    for path in (place / OLDER, place / NEWER):
        path.touch()
    assert backups.find(site, NEWER, tmp_path / "here") == place / NEWER
    assert backups.find(site, OLDER, tmp_path / "here") == tmp_path / "here" / OLDER
    assert backups.find(site, f"../shop/backups/{NEWER}", tmp_path / "here").samefile(place / NEWER)
    assert backups.find(site, str(place / NEWER), tmp_path / "here") == place / NEWER


@pytest.mark.parametrize("named", ["gone.tar.zst", ".", "/"])
def test_an_archive_that_is_nowhere_is_refused(named: str, site: Settings, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=re.escape(f"there is no archive {named}")):
        backups.find(site, named, tmp_path)


def test_a_site_under_another_name_has_other_archives(site: Settings, place: Path) -> None:
    archived.write(place / NEWER)
    (site.root / ".env").write_text("COMPOSE_PROJECT_NAME=boutique\n")
    assert listed(settings.load(site.root)) == []
