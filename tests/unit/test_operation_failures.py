"""Every way in which an operation can end badly; the first failure is the one that is told."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from stack import envfile, journal, lock, signals
from stack.errors import Broken, Failure, Refused, Undone, Untrusted
from tests.unit.support import engine
from tests.unit.support.servers import Reply
from tests.unit.support.shop import IN_USE, SECRET
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.shop import Shop

FAILURE = Refused("the archive cannot be written", why="it is too large", fix="make room")


# --- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Refused, Untrusted])
def test_a_failure_before_the_site_was_touched_is_told_as_it_is(kind: type[Failure], shop: Shop) -> None:
    trouble = kind("it broke", why="it was old", fix="buy a new one")
    assert shop.ending(trouble) is trouble
    assert journal.read(shop.site) is None
    assert not lock.is_held(shop.site)
    assert shop.world.ran() == []
    assert (shop.history["code"], shop.history["what"], shop.history["why"]) == (
        trouble.code,
        "it broke",
        "it was old",
    )


def test_what_was_made_before_a_failure_goes(shop: Shop, tmp_path: Path) -> None:
    part = tmp_path / "part"
    shop.has_scratch(Reply(204))
    shop.ending(FAILURE, files=(part,))
    assert not part.exists()
    assert "DELETE /volumes/shop_scratch" in shop.world.docker.asked


def test_what_the_machine_did_is_told_as_a_failure_of_ours(shop: Shop) -> None:
    failure = shop.failing(OSError(28, "No space left on device", "/srv/backups"))
    assert (failure.what, failure.code) == ("/srv/backups cannot be written", 11)


def test_something_nobody_thought_of_is_told_with_its_name(shop: Shop) -> None:
    failure = shop.failing(KeyError("to_db"))
    assert "KeyError('to_db')" in failure.why


def test_ctrl_c_before_the_site_was_touched_stays_ctrl_c(shop: Shop) -> None:
    trouble = KeyboardInterrupt("SIGINT")
    assert shop.ending(trouble) is trouble  # 130, as tests/unit/test_cli.py shows
    assert journal.read(shop.site) is None
    assert (shop.history["what"], shop.history["code"]) == ("interrupted", 130)


def test_a_failure_after_it_leads_back_and_says_so(shop: Shop) -> None:
    failure = shop.failing(FAILURE, serving=True)
    assert isinstance(failure, Undone)
    assert failure.what == f"{FAILURE.what}; the site is up and healthy, its data as before"
    assert (failure.why, failure.fix) == (FAILURE.why, FAILURE.fix)
    assert failure.__cause__ is FAILURE
    assert shop.world.ran() == ["rm", "up"]
    assert shop.world.live == OLD
    assert journal.read(shop.site) is None
    assert shop.history["code"] == 20


def test_ctrl_c_after_it_leads_back_with_20(shop: Shop) -> None:
    failure = shop.failing(KeyboardInterrupt("SIGTERM"), serving=True)
    assert isinstance(failure, Undone)
    assert failure.what == "interrupted; the site is up and healthy, its data as before"
    assert "SIGTERM" in failure.why


def test_a_signal_during_the_way_back_does_not_leave_it_half_done(shop: Shop) -> None:
    def updated() -> dict[str, None]:
        os.kill(os.getpid(), signal.SIGINT)
        return {"Warnings": None}

    shop.world.docker.answers["POST /containers/app0ff27c883dfb/update"] = updated
    with signals.heeded():
        assert isinstance(shop.failing(FAILURE, serving=True), Undone)
    assert journal.read(shop.site) is None


def test_a_site_that_was_down_is_down_again(shop: Shop) -> None:
    failure = shop.failing(FAILURE, serving=False)
    assert isinstance(failure, Undone)
    assert failure.what.endswith("; the site is down, its data as before")
    assert shop.world.ran() == ["down"]


def test_a_failure_after_dotenv_was_replaced_tells_the_new_data(shop: Shop) -> None:
    def fails_at_the_end() -> None:
        with shop.operating(serving=True) as restoring:
            restoring.telling(to_db="shop_payload-db-2")
            envfile.write(shop.world.root / ".env", {"DB_VOLUME": "shop_payload-db-2"})
            shop.world.docker.answers["GET /volumes/shop_payload-db-2"] = {"Name": "there"}
            raise FAILURE

    with pytest.raises(Broken, match="the site is up and healthy, on the new data"):
        fails_at_the_end()


# --- two failures ------------------------------------------------------------------------------


def test_where_the_way_back_fails_both_reasons_are_told_and_the_journal_stays(shop: Shop) -> None:
    (shop.world.here / "up-breaks").touch()
    failure = shop.failing(FAILURE, serving=True)
    assert isinstance(failure, Broken)
    assert failure.why.startswith(f"{FAILURE.what}: {FAILURE.why}; then: the containers could not be started")
    assert "./deploy.sh" in failure.fix
    assert shop.history["code"] == 21
    left = journal.read(shop.site)
    assert left
    assert left.serving is True
    (shop.world.here / "up-breaks").unlink()
    with shop.operating():
        assert shop.world.live == OLD


def test_a_site_that_does_not_answer_afterwards_is_broken(shop: Shop) -> None:
    shop.world.bad.append(OLD)
    failure = shop.failing(FAILURE, serving=True)
    assert isinstance(failure, Broken)
    assert failure.why.startswith(f"{FAILURE.what}: {FAILURE.why}; then: the site is up as `.env` says")


@pytest.mark.parametrize("kind", [Undone, Broken])
def test_an_operation_that_made_it_good_itself_or_could_not_has_the_last_word(
    kind: type[Failure], shop: Shop
) -> None:
    trouble = kind("it went wrong", why="it was old", fix="look at it")
    assert shop.ending(trouble, serving=True) is trouble
    assert shop.world.ran() == []
    assert journal.read(shop.site) is None
    assert shop.history["code"] == trouble.code


def test_a_volume_that_cannot_be_removed_does_not_hide_the_first_failure(shop: Shop) -> None:
    shop.has_scratch(IN_USE)
    for trouble in (FAILURE, Broken("both failed", why="they were old", fix="look at it")):
        assert shop.ending(trouble) is trouble
        left = journal.read(shop.site)
        assert left
        assert left.volumes == ("shop_scratch",)  # the next operation tries again
        journal.clear(shop.site)


@pytest.mark.parametrize("record", ["history", "reports"])
@pytest.mark.parametrize(
    ("trouble", "serving"),
    [(FAILURE, None), (KeyboardInterrupt("SIGINT"), None), (FAILURE, True)],
    ids=["failure", "ctrl-c", "touched"],
)
def test_a_record_that_cannot_be_written_does_not_hide_the_first_failure(
    record: str, trouble: BaseException, serving: bool | None, shop: Shop
) -> None:
    with shop.operating():
        pass
    place = shop.site.state / record
    place.unlink(missing_ok=True)
    if record == "history":
        place.mkdir()  # nobody can write a line there
    else:
        place.touch()  # nobody can make a file in it
    ended = shop.ending(trouble, serving=serving)
    if serving is None:
        assert ended is trouble
    else:
        assert isinstance(ended, Undone)
    assert journal.read(shop.site) is None


def test_a_report_that_cannot_be_made_keeps_nobody_from_the_way_back(shop: Shop) -> None:
    shop.world.docker.answers["GET /containers/app0ff27c883dfb/logs"] = Reply(200, "\x01\0\0\0\0\0\0\x09cut")
    shop.world.docker.answers["GET /info"] = Reply(200, "{}", {"Content-Type": "application/json"})
    assert isinstance(shop.failing(FAILURE, serving=True), Undone)
    assert shop.world.ran() == ["rm", "up"]


def test_an_engine_that_goes_away_does_not_hide_the_first_failure(shop: Shop) -> None:
    with engine.running() as gone, engine.client_of(gone) as client:
        shop.client = client
    failure = shop.failing(FAILURE, serving=True)
    assert isinstance(failure, Broken)
    assert failure.why.startswith(f"{FAILURE.what}: {FAILURE.why}; then: ")
    assert journal.read(shop.site)


# --- reports -----------------------------------------------------------------------------------


def reports(shop: Shop) -> list[Path]:
    place = shop.site.state / "reports"
    return sorted(place.iterdir()) if place.exists() else []


def test_a_failure_of_a_touched_site_has_a_report_that_is_named(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.docker.answers["GET /containers/app0ff27c883dfb/logs"] = engine.log(f"key {SECRET}\n")
    shop.failing(FAILURE, serving=True)
    (report,) = reports(shop)
    assert f"report: {report}\n" in capsys.readouterr().err
    text = report.read_text()
    assert "failed at '' with exit code 20" in text
    assert "key [PAYLOAD_SECRET]" in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("trouble", "count"),
    [
        (FAILURE, 0),
        (KeyboardInterrupt("SIGINT"), 0),
        (Refused("a", why="b", fix="c", detail="--- its last log lines"), 1),
        (Untrusted("a", why="b", fix="c"), 1),
    ],
    ids=["plain", "ctrl-c", "detail", "untrusted"],
)
def test_an_untouched_site_has_a_report_only_where_it_tells_more(
    trouble: BaseException, count: int, shop: Shop
) -> None:
    shop.ending(trouble)
    assert len(reports(shop)) == count
