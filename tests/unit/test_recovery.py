"""After an operation that was killed: the site as `.env` says, and nothing left of what was begun."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import envfile, journal, recovery
from stack.errors import Broken, Refused
from stack.journal import Entry
from stack.operations.resume import resume
from tests.unit.support import engine
from tests.unit.support.servers import Reply
from tests.unit.support.shop import IN_USE
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.shop import Shop

KILLED = Entry("20261123T051558Z-0a1b2c3d", "restore", "2026-11-23T05:15:58Z", 4711, "Switch", done=False)
NEW = {"DB_VOLUME": "shop_payload-db-2", "MEDIA_VOLUME": "shop_media-uploads-2"}


def left(shop: Shop, **changes: object) -> Entry:
    """Leave the journal of an operation that was killed."""
    shop.site.state.mkdir(exist_ok=True)
    entry = replace(KILLED, **changes)  # type: ignore[arg-type]
    journal.write(shop.site, entry)
    return entry


def policies(shop: Shop) -> list[bytes]:
    updates = [one for one in shop.world.docker.server.requests if one.path.endswith("/update")]
    return [one.body for one in updates]


def test_with_nothing_unfinished_nothing_is_done(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    resume(shop.world.root)
    assert shop.world.ran() == []
    assert journal.history(shop.site) == []
    assert capsys.readouterr().err == "nothing is unfinished\n"


def test_an_operation_that_had_not_touched_the_site_leaves_it_alone(shop: Shop, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.touch()
    shop.has_scratch(Reply(204))
    left(shop, operation="backup", volumes=("shop_scratch",), files=(str(part), str(tmp_path / "gone")))
    resume(shop.world.root)
    assert shop.world.ran() == []
    assert not part.exists()
    assert "DELETE /volumes/shop_scratch" in shop.world.docker.asked
    assert shop.history["code"] == 20


def test_a_site_that_served_is_made_what_dotenv_says(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    left(shop, serving=True, facts={"to_db": "shop_payload-db-2"})
    resume(shop.world.root)
    assert shop.world.ran() == ["rm", "up"]
    assert shop.world.live == OLD
    assert [b'"always"' in policy for policy in policies(shop)] == [True]
    unpinned = [call for call in shop.world.programs.calls("docker") if "/run/gate/pinned" in call]
    assert [call[-3:-1] for call in unpinned] == [["rm", "-f"]]
    told = capsys.readouterr().err
    assert 'restore of 2026-11-23T05:15:58Z was broken off at "Switch"; making it good' in told
    assert told.endswith("restore of 2026-11-23T05:15:58Z is made good\n")
    history = dict(shop.history)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(history.pop("ended")))
    assert history == {
        "id": KILLED.id,
        "operation": "restore",
        "began": KILLED.began,
        "resumed": True,
        "code": 20,
        "to_db": "shop_payload-db-2",
    }


def test_a_site_that_was_down_is_down(shop: Shop) -> None:
    left(shop, serving=False)
    resume(shop.world.root)
    assert shop.world.ran() == ["down"]
    assert shop.world.live is None


def has_new_volumes(shop: Shop) -> None:
    for volume in NEW.values():
        shop.world.docker.answers[f"GET /volumes/{volume}"] = {"Name": volume}
        shop.world.docker.answers[f"DELETE /volumes/{volume}"] = Reply(204)


def test_where_dotenv_names_the_new_data_already_the_operation_is_done(shop: Shop) -> None:
    has_new_volumes(shop)
    envfile.write(shop.world.root / ".env", NEW)
    left(shop, serving=True, volumes=tuple(NEW.values()), facts={"to_db": NEW["DB_VOLUME"]})
    resume(shop.world.root)
    assert shop.history["code"] == 0
    assert not [line for line in shop.world.docker.asked if line.startswith("DELETE /volumes")]


def test_where_one_volume_stays_the_other_tells_whether_it_is_done(shop: Shop) -> None:
    """As with `--media-only`: `.env` names the old database's volume before and after."""
    left(shop, serving=True, facts={"to_db": shop.site.db_volume, "to_media": NEW["MEDIA_VOLUME"]})
    resume(shop.world.root)
    assert shop.history["code"] == 20


def test_where_it_does_not_the_new_volumes_go(shop: Shop) -> None:
    has_new_volumes(shop)
    left(shop, serving=True, volumes=tuple(NEW.values()), facts={"to_db": NEW["DB_VOLUME"]})
    resume(shop.world.root)
    assert sorted(line for line in shop.world.docker.asked if line.startswith("DELETE /volumes")) == [
        "DELETE /volumes/shop_media-uploads-2",
        "DELETE /volumes/shop_payload-db-2",
    ]


def test_what_ran_beside_the_site_goes_first_and_nothing_of_anybody_elses(shop: Shop) -> None:
    one_off = {"com.docker.compose.oneoff": "True"}
    beside = [engine.container(name, labels=one_off) for name in ("reader", "filler", "trial")]
    shells = engine.container("app", labels=one_off) | {"Id": "somebodys-shell"}
    other = engine.container("trial", labels={**one_off, "com.docker.compose.project": "museum"})
    others = other | {"Id": "of-the-museum"}
    listed = [engine.listed(one) for one in [*beside, shells, others, shop.world.container()]]
    shop.world.docker.answers["GET /containers/json"] = listed
    for one in [*beside, shells, others]:
        shop.world.docker.answers[f"GET /containers/{one['Id']}/json"] = one
        shop.world.docker.answers[f"DELETE /containers/{one['Id']}"] = Reply(204)
    left(shop, serving=None)
    recovery.earlier(shop.client, shop.site)
    removed = [line for line in shop.world.docker.asked if line.startswith("DELETE")]
    assert removed == [f"DELETE /containers/{one['Id']}" for one in beside]


def test_a_second_time_there_is_nothing_to_do(shop: Shop) -> None:
    left(shop, serving=True)
    resume(shop.world.root)
    resume(shop.world.root)
    assert shop.world.ran() == ["rm", "up"]
    assert len(journal.history(shop.site)) == 1


def test_what_cannot_be_made_good_now_can_be_later(shop: Shop) -> None:
    left(shop, serving=True)
    (shop.world.here / "up-breaks").touch()
    with pytest.raises(Broken, match="was broken off and could not be made good"):
        resume(shop.world.root)
    assert journal.read(shop.site)
    (shop.world.here / "up-breaks").unlink()
    resume(shop.world.root)
    assert journal.read(shop.site) is None


def test_a_volume_that_is_in_use_still_keeps_the_journal(shop: Shop) -> None:
    shop.has_scratch(IN_USE)
    left(shop, volumes=("shop_scratch",))
    with pytest.raises(Broken, match="was broken off and could not be made good"):
        recovery.earlier(shop.client, shop.site)
    assert journal.read(shop.site)


def test_a_site_that_is_up_and_does_not_answer_is_told_as_broken(shop: Shop) -> None:
    left(shop, serving=True)
    shop.world.bad.append(OLD)
    with pytest.raises(Broken, match=r"the site is up as `\.env` says, and does not answer"):
        resume(shop.world.root)


def test_a_site_whose_data_was_removed_since_does_not_begin_empty(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    left(shop, serving=True)
    (shop.world.here / "volumes").unlink()
    recovery.earlier(shop.client, shop.site)
    assert shop.world.ran() == ["down"]
    assert "the site stays down, it would begin empty" in capsys.readouterr().err


def test_a_journal_in_a_copy_of_the_checkout_touches_nothing(shop: Shop) -> None:
    left(shop, serving=True)
    elsewhere = shop.world.container(directory="/srv/another")
    shop.world.docker.answers["GET /containers/app0ff27c883dfb/json"] = elsewhere
    with pytest.raises(Refused):
        recovery.earlier(shop.client, shop.site)
    assert shop.world.ran() == []
    assert journal.read(shop.site)


def test_a_site_that_was_down_and_is_proven_is_not_taken_down(shop: Shop) -> None:
    left(shop, serving=False, facts={"to_db": "shop_payload-db", "to_media": "shop_media-uploads"})
    recovery.earlier(shop.client, shop.site)
    assert shop.world.ran() == ["rm", "up"]
