"""A release is tried where nobody can be hurt, and what it did there is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import envfile, trial
from stack.errors import Refused
from stack.volumes import Facts, Place
from tests.unit.support import engine
from tests.unit.support.servers import Reply
from tests.unit.support.shop import SECRET
from tests.unit.support.world import NEVER_RAN, OLD, TRIAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.unit.support.shop import Shop

PLACE = Place(OLD, "/data/payload.db", "shop_payload-db-2", "shop_media-uploads-2")
BEFORE = Facts(0, ("20260101_000000",), {"payload_migrations": 1, "posts": 3}, {})


def failing(shop: Shop) -> Refused:
    """Hold a trial that fails; nothing of it is left."""
    with pytest.raises(Refused) as refusal:
        trial.held(shop.client, shop.site, PLACE, BEFORE)
    assert not (shop.world.here / "trial").exists()
    assert refusal.value.code == 11
    return refusal.value


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ({"posts": 3}, {"posts": 3}, []),
        ({"posts": 3}, {"posts": 4, "pages": 1}, []),
        ({"posts": 3}, {"posts": 2}, ["posts"]),
        ({"posts": 3, "pages": 1}, {"pages": 1}, ["posts"]),
        ({"posts": 0}, {}, []),
        ({"posts": 1, "pages": 1}, {}, ["posts", "pages"]),
        ({"payload_locked_documents": 2, "payload_locked_documents_rels": 4}, {}, []),
        ({"payload_jobs": 2, "payload_jobs_log": 1, "payload_kv": 1, "payload_query_presets": 1}, {}, []),
        ({"payload_preferences": 2}, {"payload_preferences": 1}, ["payload_preferences"]),
        ({"payload_migrations": 2}, {"payload_migrations": 1}, ["payload_migrations"]),
    ],
)
def test_every_row_counts_but_those_of_payloads_own_housekeeping(
    before: Mapping[str, int], after: Mapping[str, int], lost: list[str]
) -> None:
    assert trial.shrunk(before, after) == lost


def test_a_release_that_answers_is_told_with_what_it_did(shop: Shop) -> None:
    after = {"migrations": ["20260101_000000", "20260202_000000"], "rows": {"posts": 3}}
    told = {"user_version": 0, "foreign_key_violations": {}, **after}
    (shop.world.here / "facts").write_text(json.dumps({"facts": told}) + "\n")
    before = replace(BEFORE, rows={"posts": 3})
    held = trial.held(shop.client, shop.site, PLACE, before)
    assert (held.first, held.migrations) == (0.4, ("20260202_000000",))
    assert held.facts.rows == {"posts": 3}
    asked = shop.world.docker.asked
    assert asked.index(f"POST /containers/{TRIAL}/stop") < asked.index(f"DELETE /containers/{TRIAL}")


def test_it_has_to_answer_as_long_as_dotenv_says(shop: Shop) -> None:
    envfile.write(shop.world.root / ".env", {"START_LIMIT": "30", "TRIAL_SECONDS": "5"})
    trial.held(shop.client, shop.site, PLACE, BEFORE)
    (asked,) = [call for call in shop.world.programs.calls("docker") if call[:2] == ["exec", TRIAL]]
    assert asked[-2:] == ["30", "5"]


def test_what_cannot_be_started_is_refused_with_the_words_of_compose(shop: Shop) -> None:
    (shop.world.here / "trial-breaks").write_text(" Volume Creating\nError response: no such image\n")
    assert failing(shop).why == "Error response: no such image"


def test_one_whose_container_did_not_run_is_started_once_more(shop: Shop) -> None:
    shop.world.never_runs("trial")
    assert trial.held(shop.client, shop.site, PLACE, BEFORE).first == 0.4
    assert shop.world.docker.asked.count(f"DELETE /containers/{TRIAL}") == 2
    assert not (shop.world.here / "trial").exists()


def test_one_that_cannot_be_started_twice_is_refused_in_the_words_of_the_engine(shop: Shop) -> None:
    shop.world.never_runs("trial", times=3)
    with pytest.raises(Refused, match="the trial could not be started") as refusal:
        trial.held(shop.client, shop.site, PLACE, BEFORE)
    assert refusal.value.why == NEVER_RAN


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        ({"first": None, "answers": ["ECONNREFUSED"]}, "nothing answers there: ECONNREFUSED"),
        ({"first": None, "answers": [503]}, "its health route answers 503"),
        ({"first": 0.4, "answers": [200, 200, 500]}, "its health route answers 500"),
        ({"first": 0.4, "answers": [200, "TimeoutError"]}, "nothing answers there: TimeoutError"),
    ],
    ids=["never", "unwell", "later", "hangs"],
)
def test_a_release_that_does_not_go_on_answering_fails_with_its_last_words(
    probe: object, why: str, shop: Shop
) -> None:
    (shop.world.here / "probe").write_text(json.dumps(probe))
    shop.world.docker.answers[f"GET /containers/{TRIAL}/logs"] = engine.log(f"bad key {SECRET}\n")
    failure = failing(shop)
    assert failure.what == "the trial failed: the release does not work on this data"
    assert failure.why == why
    assert failure.detail == "--- the trial's last log lines\nbad key [PAYLOAD_SECRET]"


def test_a_release_that_is_at_its_limit_fails_with_that(shop: Shop) -> None:
    (shop.world.here / "probe").write_text(json.dumps({"first": None, "answers": ["ECONNREFUSED"]}))
    many = engine.IDLE | {"pids_stats": {"current": 256}}
    shop.world.docker.answers[f"GET /containers/{TRIAL}/stats"] = many
    assert failing(shop).why == "trial is at its limit of 256 processes and threads"


def test_a_release_that_ends_by_itself_fails(shop: Shop) -> None:
    (shop.world.here / "probe").unlink()  # the engine: container is not running
    failure = failing(shop)
    assert "No such file" in failure.why
    assert "cannot open database" in failure.detail


def test_a_release_that_loses_rows_fails_with_their_number(shop: Shop) -> None:
    facts = shop.world.here / f"facts-{PLACE.db_volume}"
    facts.write_text((shop.world.here / "facts").read_text().replace('"posts": 3', '"posts": 1'))
    assert failing(shop).what == "the trial failed: rows are gone from posts (3 -> 1)"


def test_a_trial_that_the_engine_breaks_off_leaves_nothing(shop: Shop) -> None:
    shop.world.docker.answers[f"POST /containers/{TRIAL}/stop"] = Reply(500, '{"message": "cannot stop"}')
    assert failing(shop).why == "cannot stop"
