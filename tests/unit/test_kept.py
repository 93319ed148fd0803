"""What is kept of the last releases: for their owner alone, of three at most."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import kept
from stack.journal import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.shop import Shop

ENTRY = Entry(
    "20261123T051558Z-0a1b2c3d",
    "deploy",
    "2026-11-23T05:15:58Z",
    4711,
    facts={"to_image": "shop:20261123T051600Z-0123456789ab", "migrations": ""},
)


@pytest.fixture
def releases(shop: Shop) -> Path:
    """Give the directory where it is kept; it does not exist yet."""
    shop.site.state.mkdir(exist_ok=True)
    return shop.site.state / "releases"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def keep(shop: Shop, *identities: str) -> None:
    for identity in identities:
        kept.saved(shop.site, replace(ENTRY, id=identity))


# --- saved -------------------------------------------------------------------------------------


def test_the_files_a_release_was_started_with_are_kept_for_their_owner_alone(
    shop: Shop, releases: Path
) -> None:
    (shop.world.root / "docker-compose.override.yml").write_text("services: {}\n")
    kept.part(shop.site, ENTRY.id).write_bytes(b"an archive")
    kept.part(shop.site, ENTRY.id).chmod(0o600)
    keep(shop, ENTRY.id)
    place = releases / ENTRY.id
    of_the_site = ["docker-compose.yml", "docker-compose.override.yml", ".env", ".env.production"]
    assert {path.name for path in place.iterdir()} == {*of_the_site, "before.tar.zst", "release.json"}
    assert [mode(directory) for directory in (releases, place)] == [0o700] * 2
    assert {mode(path) for path in place.iterdir()} == {0o600}
    for name in of_the_site:
        assert (place / name).read_bytes() == (shop.world.root / name).read_bytes()
    assert kept.archive(shop.site, ENTRY.id).read_bytes() == b"an archive"
    assert list(releases.iterdir()) == [place]


def test_what_the_journal_knew_of_the_release_is_kept_too(shop: Shop, releases: Path) -> None:
    keep(shop, ENTRY.id)
    told = json.loads((releases / ENTRY.id / "release.json").read_text())
    assert told == {"id": ENTRY.id, "began": ENTRY.began, **ENTRY.facts}


def test_done_again_after_a_crash_it_is_the_same(shop: Shop, releases: Path) -> None:
    kept.part(shop.site, ENTRY.id).write_bytes(b"an archive")
    keep(shop, ENTRY.id)
    before = {path.name: path.read_bytes() for path in (releases / ENTRY.id).iterdir()}
    keep(shop, ENTRY.id)
    assert {path.name: path.read_bytes() for path in (releases / ENTRY.id).iterdir()} == before
    assert "before.tar.zst" in before


def test_what_is_kept_of_a_release_that_was_taken_back_goes(shop: Shop, releases: Path) -> None:
    keep(shop, "a", "b")
    kept.forgotten(shop.site, "b")
    kept.forgotten(shop.site, "b")
    assert [path.name for path in releases.iterdir()] == ["a"]


# --- pruned ------------------------------------------------------------------------------------


def test_the_newest_three_stay_two_when_another_is_to_come(shop: Shop, releases: Path) -> None:
    named = [f"2026112{day}T051558Z-{tail}" for day, tail in enumerate("fedcb", 1)]
    keep(shop, *reversed(named))
    kept.pruned(shop.site)
    assert sorted(path.name for path in releases.iterdir()) == named[-3:]
    assert kept.identities(shop.site) == named[-2:]


def test_an_archive_that_is_being_written_is_no_release(shop: Shop, releases: Path) -> None:
    part = kept.part(shop.site, "d")
    keep(shop, "a", "b", "c")
    part.touch()
    kept.pruned(shop.site)
    assert sorted(path.name for path in releases.iterdir()) == [part.name, "a", "b", "c"]
    assert kept.identities(shop.site) == ["b", "c"]


def test_a_directory_that_cannot_be_removed_is_told_and_no_failure(
    shop: Shop, releases: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(shop, *"abcd")

    def refusing(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(
        "shutil.rmtree", refusing
    )  # even `chattr +i` lets root do it, where it is known at all
    kept.pruned(shop.site)
    assert "is still there: Operation not permitted" in capsys.readouterr().err
    assert len(list(releases.iterdir())) == 4
