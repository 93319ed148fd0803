"""Payload's users, asked of a real server that answers as Payload does."""

from __future__ import annotations

import dataclasses
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stack import payload
from stack.errors import Refused
from tests.unit.support.servers import Reply, Server, free_port, serving, speaking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.settings import Settings

EMAIL, PASSWORD = "me@example.com", "correct-horse-battery"


@contextmanager
def answering(site: Settings, **replies: Reply) -> Iterator[tuple[Settings, Server]]:
    """Serve `init` and `register`, as the gate of a site."""
    paths = {"/api/users/init": "init", "/api/users/first-register": "register"}
    with serving(lambda request: replies.get(paths.get(request.path, ""), Reply(404, "{}"))) as server:
        yield dataclasses.replace(site, host_port=server.port), server


def refusal_of(site: Settings) -> Refused:
    with pytest.raises(Refused) as refusal:
        payload.register_first_user(site, EMAIL, PASSWORD)
    assert refusal.value.code == 11
    assert PASSWORD not in str(refusal.value)
    return refusal.value


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(200, '{"initialized": true}'), True),
        (Reply(200, '{"initialized": false}'), False),
        (Reply(200, '{"initialized": "yes"}'), None),
        (Reply(200, "{}"), None),
        (Reply(404, '{"errors": [{"message": "Route not found"}]}'), None),
        (Reply(500, "oops"), None),
    ],
    ids=["users", "none", "not-a-yes-or-no", "not-told", "no-such-collection", "broken"],
)
def test_whether_a_user_exists_is_asked_without_logging_in(
    reply: Reply, told: bool | None, site: Settings
) -> None:
    with answering(site, init=reply) as (here, server):
        assert payload.has_users(here) is told
    assert server.asked == ["GET /api/users/init"]


def test_a_site_that_does_not_answer_tells_nothing(site: Settings) -> None:
    assert payload.has_users(dataclasses.replace(site, host_port=free_port())) is None


@pytest.mark.parametrize("said", ["<!doctype html>", "[]", "null", "1", ""])
def test_a_site_that_answers_with_a_page_tells_nothing(said: str, site: Settings) -> None:
    with answering(site, init=Reply(200, said)) as (here, _):
        assert payload.has_users(here) is None


def test_the_first_administrator_is_registered_with_one_request(site: Settings) -> None:
    with answering(site, register=Reply(200, '{"message": "Registered"}')) as (here, server):
        payload.register_first_user(here, EMAIL, PASSWORD)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/users/first-register")
    assert json.loads(request.body) == {"email": EMAIL, "password": PASSWORD}


def test_a_second_first_administrator_is_refused_with_the_reason(site: Settings) -> None:
    forbidden = Reply(403, '{"errors": [{"message": "You are not allowed to perform this action."}]}')
    with answering(site, register=forbidden, init=Reply(200, '{"initialized": true}')) as (here, _):
        refusal = refusal_of(here)
    assert refusal.what == f"no administrator was created for {EMAIL}"
    assert refusal.why == "this site has a user already; further ones are made at /admin"


def test_what_payload_objects_to_is_shown_field_by_field(site: Settings) -> None:
    invalid = {
        "errors": [
            {
                "name": "ValidationError",
                "data": {"errors": [{"message": "A user with that email is registered.", "path": "email"}]},
                "message": "The following field is invalid: email",
            }
        ]
    }
    with answering(site, register=Reply(400, json.dumps(invalid))) as (here, _):
        why = refusal_of(here).why
    assert "The following field is invalid: email" in why
    assert "A user with that email is registered." in why


@pytest.mark.parametrize(
    "said", ["", "<html>", "{}", '{"errors": []}', '{"errors": ["x"]}', '{"errors": "x"}']
)
def test_a_refusal_without_words_is_told_by_its_number(said: str, site: Settings) -> None:
    with answering(site, register=Reply(500, said)) as (here, _):
        assert refusal_of(here).why == "Payload answered 500"


@pytest.mark.parametrize(
    "said",
    [
        "[]",
        "null",
        '{"errors": [{"message": "m", "data": {"errors": null}}]}',
        '{"errors": [{"message": "m", "data": {"errors": ["x"]}}]}',
        '{"errors": [{"message": null}]}',
    ],
)
def test_a_refusal_of_another_shape_is_no_traceback(said: str, site: Settings) -> None:
    with answering(site, register=Reply(500, said)) as (here, _):
        assert refusal_of(here).why in ("Payload answered 500", "m")


def test_a_site_that_does_not_answer_refuses_with_a_hint(site: Settings) -> None:
    refusal = refusal_of(dataclasses.replace(site, host_port=free_port()))
    assert refusal.what == "the site does not answer"
    assert "refused" in refusal.why


def test_what_is_not_http_refuses_with_a_hint(site: Settings) -> None:
    with speaking(b"220 mail.example.com ESMTP\r\n") as url:
        assert refusal_of(dataclasses.replace(site, host_port=int(url.rpartition(":")[2])))
