"""What `releases` and `history` tell: of images that are here, of what is kept, of what was done."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stack import envfile, journal, kept
from stack.journal import Entry
from stack.operations.releases import history, listed

if TYPE_CHECKING:
    from tests.unit.support.shop import Shop

FIRST, SECOND, THIRD = (
    f"2026112{day}T051558Z-{revision}" for day, revision in ((1, "aa"), (2, "bb"), (3, "nogit"))
)
ENTRY = Entry("", "deploy", "2026-11-23T05:15:58Z", 4711)


def came(shop: Shop, release: str, **facts: str) -> None:
    """Keep what a release was started with, as an update does that has come to its end."""
    shop.site.state.mkdir(exist_ok=True)
    live = shop.site.app_image
    envfile.write(shop.world.root / ".env", {"APP_IMAGE": f"shop:{release}"})
    number = len(kept.notes(shop.site))
    if facts:
        facts = {"from_image": live, "to_image": f"shop:{release}", "trial": "1.4", "migrations": "", **facts}
        kept.part(shop.site, str(number)).write_bytes(b"an archive")
    kept.saved(shop.site, replace(ENTRY, id=str(number), facts=facts))


@pytest.fixture
def three(shop: Shop) -> Shop:
    """Give a site on its third release; with the second one came two migrations."""
    came(shop, FIRST)
    came(shop, SECOND, migrations="20261120_a, 20261121_b")
    came(shop, THIRD, migrations="")
    docker, names = shop.world.docker, [f"shop:{release}" for release in (FIRST, THIRD, SECOND)]
    docker.answers["GET /images/json"] = [{"Id": "sha256:1"}]
    docker.answers["GET /images/sha256:1/json"] = {"Id": "sha256:1", "RepoTags": names}
    for name in names:
        docker.has_image(name)
    docker.has_containers()
    return shop


def told(shop: Shop, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    listed(shop.world.root, as_json=True)
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_releases_come_newest_first_with_all_that_is_known(
    three: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(three, capsys) == [
        {
            "release": THIRD,
            "built": "2026-11-23T05:15:58Z",
            "revision": "nogit",
            "migrations": [],
            "trial": 1.4,
            "snapshot": str(kept.archive(three.site, "2")),
            "size": 1000,
            "live": True,
            "previous": False,
        },
        {
            "release": SECOND,
            "built": "2026-11-22T05:15:58Z",
            "revision": "bb",
            "migrations": ["20261120_a", "20261121_b"],
            "trial": 1.4,
            "snapshot": str(kept.archive(three.site, "1")),
            "size": 1000,
            "live": False,
            "previous": True,
        },
        {
            "release": FIRST,
            "built": "2026-11-21T05:15:58Z",
            "revision": "aa",
            "migrations": None,
            "trial": None,
            "snapshot": None,
            "size": 1000,
            "live": False,
            "previous": False,
        },
    ]


def test_a_release_that_came_twice_has_the_data_from_before_it_came_first(
    three: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    came(three, THIRD, migrations="20261123_c")
    newest = told(three, capsys)[0]
    assert (newest["migrations"], newest["snapshot"]) == (
        ["20261123_c"],
        str(kept.archive(three.site, "2")),
    )
    assert [release["previous"] for release in told(three, capsys)] == [False, True, False]


def test_the_table_fits_a_terminal(three: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    listed(three.world.root, as_json=False)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["release", "age", "size", "migrations", "trial", "data", "from", "before"]
    assert [row.split()[0] for row in rows] == [THIRD, SECOND, FIRST]
    assert [row.split()[1] for row in rows[:2]] == ["live", "previous"]
    assert rows[1].split()[-5:] == ["B", "2", "1.4", "s", "kept"]
    assert max(map(len, [head, *rows])) <= 120


@pytest.mark.parametrize("text", ["{", "7", '{"to_image": "shop:1"}'])
def test_notes_that_were_cut_off_are_told_and_the_release_is_listed_all_the_same(
    text: str, three: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    (three.site.state / "releases" / "1" / "release.json").write_text(text)
    listed(three.world.root, as_json=True)
    out, err = capsys.readouterr()
    assert [release["migrations"] for release in json.loads(out)] == [[], None, None]
    assert "releases/1 tells nothing of its release" in err


def test_where_no_release_is_here_that_is_said(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.world.docker.answers["GET /images/json"] = []
    listed(shop.world.root, as_json=False)
    assert capsys.readouterr() == ("", "no release of shop is here; `./deploy.sh` makes one\n")


def test_the_history_tells_how_each_operation_ended_the_latest_last(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.site.state.mkdir(exist_ok=True)
    began = {"operation": "deploy", "began": "2026-11-23T05:15:58Z"}
    for number in range(30):
        journal.remember(shop.site, {**began, "id": str(number), "code": 0, "to_image": f"shop:{SECOND}"})
    journal.remember(shop.site, {**began, "code": 20, "what": "the new release does not answer"})
    journal.remember(shop.site, {**began, "code": 0, "resumed": True, "to_image": f"shop:{THIRD}"})
    history(shop.world.root, as_json=False)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["began", "operation", "code", "how"]
    assert len(rows) == 20
    assert rows[0].split() == ["2026-11-23T05:15:58Z", "deploy", "0", SECOND]
    assert rows[-2].endswith("deploy     20    the new release does not answer")
    assert rows[-1].endswith(f"deploy     0     broken off, made good: {THIRD}")
    history(shop.world.root, as_json=True)
    assert len(json.loads(capsys.readouterr().out)) == 32


def test_where_nothing_was_done_yet_that_is_said(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    history(shop.world.root, as_json=False)
    assert capsys.readouterr() == ("", "nothing was done here yet\n")
