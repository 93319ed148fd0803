"""What `backups` and `backups.verify` tell of archives that are really there."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from stack import archive, backups
from stack.errors import Refused, Rejected
from stack.manifest import DATABASE, Manifest, Member
from stack.operations.backups import listed, verify
from stack.sizes import age

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

CONTENT = b"a database" * 100


def made(site: Settings, *, ago: timedelta, media: bool = True) -> Path:
    created = datetime.now(timezone.utc) - ago
    path = backups.directory(site) / backups.name(site, f"{created:{backups.STAMP}}-0123abcd")
    member = Member(DATABASE, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    told = Manifest(
        site=site.site,
        release="20261123T055743Z-a1b2c3d",
        image="sha256:0",
        created=f"{created:{backups.TIME}}",
        journal_mode="wal",
        user_version=0,
        migrations=(),
        rows={"payload_migrations": 0},
        media=media,
        members=(member,),
    )
    with archive.Writer(path, created=created) as writer:
        writer.add(DATABASE, len(CONTENT), io.BytesIO(CONTENT))
        writer.finish(told)
    return path


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def test_the_list_fits_a_terminal_and_tells_what_is_known_of_each(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = made(site, ago=timedelta(days=3)), made(site, ago=timedelta(minutes=5))
    backups.remember(site, old, sound=True, proven=True)
    listed(site.root, as_json=False)
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["archive", "age", "size", "holds", "verified", "proven", "release"]
    assert first.split()[:3] == [new.name, "5", "min"]
    assert first.split()[-4:] == ["all", "never", "never", "20261123T055743Z-a1b2c3d"]
    assert second.split()[:3] == [old.name, "3", "d"]
    assert second.count(" s ago") == 2
    assert max(map(len, (head, first, second))) <= 120


def test_an_archive_of_the_database_alone_is_listed_as_such(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    made(site, ago=timedelta(0), media=False)
    listed(site.root, as_json=False)
    assert capsys.readouterr().out.splitlines()[1].split()[5] == "database"
    listed(site.root, as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["media"] is False


def test_the_list_for_scripts_has_times_in_utc_and_null_for_never(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(site, ago=timedelta(hours=2))
    listed(site.root, as_json=True)
    (told,) = json.loads(capsys.readouterr().out)
    assert told["archive"] == str(path)
    assert told["size"] == path.stat().st_size
    assert 7200 <= told["age"] < 7260
    assert (told["verified"], told["proven"], told["damaged"]) == (None, None, False)


def test_an_archive_can_be_verified_before_anything_else_was_done_on_a_server(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(site, ago=timedelta(0))
    verify(site.root, "", site.root, every=False)
    assert capsys.readouterr().out == f"{path}\n"
    assert backups.newest(site).verified


def test_a_damaged_archive_is_told_with_23_and_listed_as_such(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, damaged = made(site, ago=timedelta(days=1)), made(site, ago=timedelta(0))
    damage(damaged)
    with pytest.raises(Rejected, match=r"1 archive\(s\) are damaged"):
        verify(site.root, "", site.root, every=True)
    assert capsys.readouterr().out == f"{sound}\n"
    listed(site.root, as_json=False)
    assert "DAMAGED" in capsys.readouterr().out.splitlines()[1]


def test_verifying_where_there_is_no_archive_is_no_success(site: Settings) -> None:
    for every in (False, True):
        with pytest.raises(Refused, match=f"there is no archive of {site.site}"):
            verify(site.root, "", site.root, every=every)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (7199, "1 h"),
        (86_399, "23 h"),
        (1_000_000, "11 d"),
        (None, "-"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_fits(seconds: int | None, text: str) -> None:
    assert age(seconds) == text
