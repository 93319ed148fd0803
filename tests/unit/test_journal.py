"""What an operation leaves on the disk for whoever comes after it."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from stack import journal
from stack.errors import Broken
from stack.journal import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

ENTRY = Entry(
    id="20261123T051558Z-0a1b2c3d",
    operation="restore",
    began="2026-11-23T05:15:58Z",
    pid=4711,
    step="Fill new volumes",
    done=False,
    serving=True,
    volumes=("shop_payload-db-1", "shop_media-uploads-1"),
    files=("/srv/shop/backups/.shop.tar.zst.part",),
    facts={"to_db": "shop_payload-db-1"},
)
TOLD = asdict(ENTRY)


@pytest.fixture(autouse=True)
def state(site: Settings) -> Path:
    """Give the directory that an operation has made before it writes anything."""
    site.state.mkdir()
    return site.state


def refused(site: Settings, content: bytes) -> Broken:
    """Return what is said of a journal of this content, which stays as it is."""
    journal.path(site).write_bytes(content)
    with pytest.raises(Broken, match="the journal of an unfinished operation cannot be read") as refusal:
        journal.read(site)
    assert journal.path(site).read_bytes() == content
    return refusal.value


def test_what_was_written_is_read_back(site: Settings) -> None:
    journal.write(site, ENTRY)
    assert journal.read(site) == ENTRY
    untouched = replace(ENTRY, serving=None, volumes=(), files=(), facts={})
    journal.write(site, untouched)
    assert journal.read(site) == untouched


def test_without_an_unfinished_operation_there_is_no_journal(site: Settings) -> None:
    assert journal.read(site) is None
    journal.write(site, ENTRY)
    journal.clear(site)
    journal.clear(site)
    assert journal.read(site) is None


def test_it_is_closed_to_others(site: Settings) -> None:
    journal.write(site, ENTRY)
    journal.remember(site, {"id": "1"})
    assert [stat.S_IMODE(file.stat().st_mode) for file in site.state.iterdir()] == [0o600, 0o600]


def test_it_is_on_the_disk_before_the_next_thing_happens(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    really = os.fsync

    def fsync(handle: int) -> None:
        status = os.fstat(handle)
        known = {file.stat().st_ino: file.name for file in [site.state, *site.state.iterdir()]}
        synced.append(known[status.st_ino])
        really(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    journal.write(site, ENTRY)
    journal.remember(site, {"id": "1"})
    journal.clear(site)
    assert synced[0].startswith(".journal.")  # renamed after that
    assert synced[1:] == [".stack", "history", ".stack"]


# --- damage ------------------------------------------------------------------------------------


def test_one_that_was_cut_off_anywhere_is_never_guessed_at(site: Settings) -> None:
    journal.write(site, ENTRY)
    whole = journal.path(site).read_bytes()
    for length in range(len(whole.rstrip())):
        assert refused(site, whole[:length]).code == 21


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        json.dumps({**TOLD, "more": 1}).encode(),
        json.dumps({key: value for key, value in TOLD.items() if key != "serving"}).encode(),
        json.dumps({**TOLD, "volumes": None}).encode(),
    ],
    ids=["not-text", "null", "list", "text", "empty", "more", "less", "no-volumes"],
)
def test_one_that_is_no_journal_is_refused_with_21_and_stays_where_it_is(
    content: bytes, site: Settings
) -> None:
    refusal = refused(site, content)
    assert refusal.code == 21
    assert str(journal.path(site)) in refusal.why
    assert "bin/inv status" in refusal.fix


@pytest.mark.parametrize(
    "change",
    [
        {"volumes": "shop_payload-db"},
        {"volumes": [1]},
        {"files": "/etc/passwd"},
        {"files": [None]},
        {"serving": "yes"},
        {"serving": 1},
        {"facts": []},
        {"facts": {"to_db": 1}},
        {"step": None},
        {"began": 0},
    ],
    ids=str,
)
def test_one_whose_words_mean_something_else_is_not_acted_upon(
    change: dict[str, object], site: Settings
) -> None:
    assert refused(site, json.dumps({**TOLD, **change}).encode()).code == 21


def test_one_of_a_newer_version_is_refused_by_its_format(site: Settings) -> None:
    assert "format 2 is not known" in refused(site, json.dumps({**TOLD, "format": 2}).encode()).why


# --- history -----------------------------------------------------------------------------------


def test_the_history_keeps_one_line_for_each_operation_the_oldest_first(site: Settings) -> None:
    assert journal.history(site) == []
    journal.remember(site, {"id": "1", "code": 0, "why": "two\nlines"})
    journal.remember(site, {"id": "2", "code": 11})
    assert [told["id"] for told in journal.history(site)] == ["1", "2"]
    assert (site.state / "history").read_text().count("\n") == 2


def test_a_last_line_that_was_cut_off_is_left_out(site: Settings) -> None:
    journal.remember(site, {"id": "1"})
    with (site.state / "history").open("a") as history:
        history.write('{"id": "2", "co')
    assert [told["id"] for told in journal.history(site)] == ["1"]


def test_what_comes_after_a_line_that_was_cut_off_is_not_lost_with_it(site: Settings) -> None:
    (site.state / "history").write_text('{"id": "1"}\n{"id": "2", "co')
    journal.remember(site, {"id": "3"})
    assert [told["id"] for told in journal.history(site)] == ["1", "3"]


@pytest.mark.parametrize("line", [b"[]", b"1", b"\xff\xff", b"", b"{}"], ids=str)
def test_a_line_that_tells_nothing_is_left_out(line: bytes, site: Settings) -> None:
    (site.state / "history").write_bytes(b'{"id": "1"}\n' + line + b'\n{"id": "2"}\n')
    assert [told["id"] for told in journal.history(site)] == ["1", "2"]
