"""What `migrate.status` tells: of a database, and of the code in an image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.variants import GOOD, check_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.site import Site

INITIAL = "20261122_231435_initial"
LATER = "20261123_101500_more"
BRINGS_ANOTHER = f"RUN echo 'const more = {{ up, down, name: \"{LATER}\" }}' >> .next/server/more.js"
EXECUTED = """
const { DatabaseSync } = require('node:sqlite')
new DatabaseSync(process.env.DATABASE_URI.replace('file:', '')).exec(process.argv[1])
"""


@pytest.fixture
def site(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("migrated")
    check_out(site, image, GOOD)
    site.deploy()
    return site


def told(site: Site) -> list[dict[str, Any]]:
    done = site.inv("migrate.status", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_migrations_are_told_with_their_batch_and_what_is_still_to_run(site: Site, image: str) -> None:
    before = site.state()
    assert told(site) == [{"name": INITIAL, "batch": 1, "brought": True}]
    assert site.state() == before

    site.build_on(image, "USER root", BRINGS_ANOTHER, "USER 1000:1000")
    site.deploy()
    pending = {"name": LATER, "batch": None, "brought": True}
    assert told(site)[1:] == [pending]
    shown = site.inv("migrate.status").stdout.splitlines()
    states = ["applied, batch 1", "pending: it runs at the next start"]
    assert [line.split(maxsplit=1) for line in shown[1:]] == [[INITIAL, states[0]], [LATER, states[1]]]

    site.run("./stop.sh")
    assert told(site)[1:] == [pending]


def test_a_schema_that_was_pushed_is_warned_about(site: Site) -> None:
    pushed = "insert into payload_migrations (name, batch) values ('dev', -1)"
    site.inside("app", "node", "-e", EXECUTED, pushed)
    done = site.inv("migrate.status")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split(maxsplit=1) == ["dev", "pushed by a development server"]
    assert "a development server changed this database" in done.stderr
