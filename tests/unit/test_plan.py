"""What a plan tells, of a site on an engine that answers as told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stack import envfile, journal, kept, lock, plan
from stack.errors import Failure, Usage
from stack.operations import plan as operation
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from stack.plan import Plan
    from tests.unit.support.shop import Shop

ENTRY = journal.Entry("20261123T051558Z-00000000", "deploy", "2026-11-23T05:15:58Z", 4711)
TOLD = {"applied": [{"name": "20260101_000000", "batch": 1}], "brought": ["20260101_000000"], "size": 5 << 20}
MIGRATION = "app/src/migrations/20261124_101500_more.ts"
HAD = "app/src/migrations/20260101_000000.ts"


@pytest.fixture
def site(shop: Shop) -> Shop:
    """Give a site that serves, and whose database tells its migrations."""
    tells(shop)
    (shop.world.root / MIGRATION).parent.mkdir(parents=True)
    for name in (MIGRATION, HAD):
        (shop.world.root / name).touch()
    return shop


def tells(shop: Shop, **changes: object) -> None:
    (shop.world.here / "facts").write_text(json.dumps({**TOLD, **changes}) + "\n")


def made(shop: Shop) -> Plan:
    """Plan, and see that no file of the site is changed and the engine asked for nothing but answers."""
    before, asked = sums(shop.world.root), len(shop.world.docker.asked)
    found = plan.of_deploy(shop.client, shop.site)
    assert sums(shop.world.root) == before
    assert [line for line in shop.world.docker.asked[asked:] if not line.startswith("GET ")] == []
    return found


def sums(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_new_release_is_told_with_what_is_known_of_it(site: Shop) -> None:
    found = made(site)
    assert (found.choice.new, found.course.builds, found.course.replaces) == (True, True, True)
    assert found.migrations == ("20261124_101500_more",)
    assert found.live == "shop:20260101T000000Z-000000000000"
    (room,) = found.rooms  # both are on one file system here
    assert room.needed > (600 << 20) + 2 * (5 << 20)


def test_a_database_that_a_server_of_development_changed_is_refused(site: Shop) -> None:
    tells(site, applied=[{"name": "dev", "batch": -1}])
    assert [refusal.what for refusal in made(site).refused] == [
        "a development server has changed this database"
    ]


def test_a_database_that_cannot_be_read_ends_it_as_a_backup_would(site: Shop) -> None:
    (site.world.here / "facts").write_text('{"refused": "corrupt", "said": "page 3"}\n')
    found = made(site)
    assert [refusal.code for refusal in found.refused] == [22]
    assert found.migrations is None


def test_variables_are_told_by_name_whatever_became_of_them(site: Shop) -> None:
    had = {"PAYLOAD_SECRET": "one", "GONE": "x", "DATABASE_URI": "file:/data/payload.db", "PATH": "/bin"}
    now = {"PAYLOAD_SECRET": "two", "DATABASE_URI": "file:/data/payload.db", "NEXT_PUBLIC_A": "new"}
    told = plan.variables(now, had, {"PAYLOAD_SECRET": "one", "GONE": "x"})
    assert (told.added, told.changed, told.removed) == (("NEXT_PUBLIC_A",), ("PAYLOAD_SECRET",), ("GONE",))
    assert told.built_in == ("NEXT_PUBLIC_A",)
    assert plan.variables(now, {}, {}) == plan.Variables()


def test_what_was_kept_stands_in_for_a_container_that_is_gone(site: Shop) -> None:
    site.site.state.mkdir()
    kept.saved(site.site, ENTRY)
    envfile.write(site.site.env_production, {"SMTP_HOST": "mail.example.com"})
    (site.world.here / "live").unlink()
    found = made(site)
    assert found.variables.added == ("SMTP_HOST",)
    assert found.course.old is False
    assert found.hold is None


def test_the_wait_is_what_the_last_update_took_that_ended_well(site: Shop) -> None:
    site.site.state.mkdir()
    for held, code in (("2.5", 0), ("9.9", 20)):
        facts = {"began": "2026-11-23T05:15:58Z", "code": code, "held": held, "trial": "1.1"}
        journal.remember(site.site, facts)
    assert plan.hold(site.site) == plan.Hold(45, 2.5, 1.1, "2026-11-23T05:15:58Z")


def test_before_the_first_update_no_wait_is_known(site: Shop) -> None:
    assert plan.hold(site.site) == plan.Hold(45)


def test_who_is_at_work_is_told_and_what_was_broken_off(site: Shop) -> None:
    site.site.state.mkdir()
    journal.write(site.site, replace(ENTRY, step="Trial"))
    assert "was broken off: it would be made good first" in " ".join(made(site).notes)
    with lock.held(site.site, "deploy"):
        assert "has been at work since" in " ".join(made(site).notes)


def test_an_image_that_is_not_here_is_named_and_not_pulled(site: Shop) -> None:
    for name in ("node:24-alpine", "caddy:2-alpine"):
        del site.world.docker.answers[f"GET /images/{name}/json"]
    notes = made(site).notes
    assert [note for note in notes if "it would be pulled" in note] == [
        "base image node:24-alpine is not here: it would be pulled",
        "base image caddy:2-alpine is not here: it would be pulled",
    ]


def test_every_refusal_is_told_and_the_first_one_is_the_end(
    site: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    envfile.write(site.site.env_production, {"PAYLOAD_SECRET": "short"})
    site.world.docker.answers["GET /networks/proxy"] = {"Id": "n1", "Name": "bridge", "Scope": "local"}
    with pytest.raises(Failure) as first:
        operation.deploy(site.world.root, as_json=True)
    told = capsys.readouterr()
    assert "the network proxy cannot carry the site" in str(first.value)
    assert "1 problem(s) in .env.production" in told.err
    assert [refusal["code"] for refusal in json.loads(told.out)["refused"]] == [11, 10]


def test_it_fits_a_terminal(site: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    (site.world.root / f"app/src/migrations/20261125_101500_{'long_' * 20}.ts").touch()
    operation.deploy(site.world.root, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100 + len("long_" * 20)
    assert lines[0] == (
        "deploy        a new release takes the place of the old one; nothing was changed to tell this"
    )


@pytest.mark.parametrize(
    "flags",
    [
        {"plan": False, "as_json": True, "provision": False},
        {"plan": True, "as_json": False, "provision": True},
    ],
)
def test_flags_that_contradict_each_other_are_a_usage_error(flags: dict[str, bool]) -> None:
    with pytest.raises(Usage):
        operation.wanted(**flags)


@pytest.mark.parametrize(
    ("there", "here", "what"),
    [
        ("sha256:same", ["shop@sha256:same"], "nothing: the same image"),
        ("sha256:other", ["shop@sha256:same"], "example.com/shop: more is known when it is here"),
        (None, ["shop@sha256:same"], "not known: the registry does not tell"),
    ],
)
def test_a_registry_is_asked_and_nothing_is_pulled(
    there: str | None, here: list[str], what: str, site: Shop
) -> None:
    docker: dict[str, Any] = site.world.docker.answers
    envfile.write(site.site.dotenv, {"IMAGE_SOURCE": "example.com/shop"})
    live = docker[f"GET /images/{site.site.app_image}/json"]
    docker["GET /images/example.com/shop/json"] = {
        **live,
        "RepoDigests": here,
        "Config": {**live["Config"], "User": "1000"},
    }
    answer = {"Descriptor": {"digest": there}, "Platforms": []}
    docker["GET /distribution/example.com/shop/json"] = answer if there else Reply(500, '{"message": ""}')
    found = plan.of_update(site.client, site.site)
    assert found.choice.what == what
    assert found.course.begins == "Pull example.com/shop"
    assert not any(line.startswith("POST") for line in site.world.docker.asked)
