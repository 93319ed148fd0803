"""A site whose application does not migrate at its start (`MIGRATE=command`), and how migrations are written.

Its releases are the shop's, with the list of migrations emptied in the compiled server. What migrates for
them is built by the repository's own Dockerfile, from the application's source.
"""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import journal, settings
from tests.support import visitor
from tests.support.contents import records
from tests.support.moments import Moment, begun, reached, watched
from tests.support.site import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.site import Site

INITIAL = "20261122_231435_initial"
LISTED = f'name:"{INITIAL}"}}'
EMPTIED = f"RUN sed -i -E 's/\\[\\{{[^]]*{LISTED}\\]/[]/' $(grep -rlF '{LISTED}]' .next/server)"
IS_GONE = f"RUN ! grep -rqF '{LISTED}' .next/server"
MIGRATIONS = "app/src/migrations"
LIVE = "existsSync('/data/.releases')"  # what the stack keeps of databases lies beside the live one only
WRITTEN = """
import {{ existsSync }} from 'node:fs'
import {{ setTimeout }} from 'node:timers/promises'
import {{ sql }} from '@payloadcms/db-sqlite'

export async function up({{ db }}) {{
  await db.run(sql`UPDATE posts SET title = 'half migrated'`)
  {does}
  await db.run(sql`UPDATE posts SET title = 'migrated'`)
}}

export async function down() {{}}
"""
FIELDS = "fields: ["
ADDED = FIELDS + " {{ name: '{name}', type: 'text' }},"
UNTOUCHED, UNDONE = 11, 20


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str) -> Site:
    """Give a site in its first release, which was migrated by nobody else; a post is on it."""
    site = sibling("command", MIGRATE="command", HOLD_LIMIT="300s", HOLD_BUDGET="290")
    shared = (CHECKOUT / "Dockerfile").read_text().partition("# ---- builder")[0]
    site.build_on(image, "USER root", EMPTIED, IS_GONE, "USER 1000:1000")
    (site.root / "Dockerfile").write_text(shared + (site.root / "Dockerfile").read_text())
    config = site.root / "app/src/payload.config.ts"
    config.write_text(re.sub(r".*([pP]rodMigrations|from './migrations').*\n", "", config.read_text()))
    site.deploy()
    visitor.editor(site).publish("kept")
    return site


@contextmanager
def migration(site: Site, name: str, does: str) -> Iterator[str]:
    """Add a migration to the checkout for a while."""
    file = site.root / MIGRATIONS / f"20261124_000000_{name}.ts"
    file.write_text(WRITTEN.format(does=does))
    try:
        yield file.stem
    finally:
        file.unlink()


@contextmanager
def field_in_posts(site: Site, name: str) -> Iterator[None]:
    posts = site.root / "app/src/collections/Posts.ts"
    text = posts.read_text()
    posts.write_text(text.replace(FIELDS, ADDED.format(name=name)))
    try:
        yield
    finally:
        posts.write_text(text)


def beside(site: Site) -> list[str]:
    """Return what is beside the site, or was left there."""
    one_off = ("label=com.docker.compose.oneoff=True", f"label=com.docker.compose.project={site.name}")
    filters = [part for label in one_off for part in ("--filter", label)]
    return site.run("docker", "ps", "--all", "--quiet", *filters).stdout.split()


def clients(site: Site) -> list[int]:
    """Return the processes that wait for the migrator of a site."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            line = (place / "cmdline").read_bytes()
            if (place / "cwd").resolve() == site.root and b"\0migrator\0" in line:
                found.append(int(place.name))
    return found


def said_beside(site: Site) -> str:
    return "".join(site.run("docker", "logs", container).stdout for container in beside(site))


def test_the_first_release_finds_its_tables_and_an_upload_its_place(site: Site) -> None:
    assert [row[1] for row in records(site)["payload_migrations"]] == [INITIAL]
    visitor.editor(site).upload("picture.png", visitor.picture())
    assert site.inv("releases").stdout.count(" live ") == 1
    assert "migrator" not in site.inv("releases").stdout
    assert f"{site.status()['release']}-migrator" in site.run("docker", "images", site.name).stdout


def test_a_field_becomes_a_migration_and_an_update_brings_its_column(site: Site) -> None:
    before = set((site.root / MIGRATIONS).iterdir())
    with field_in_posts(site, "subtitle"):
        done = site.inv("migrate.create", "subtitle")
    assert done.returncode == 0, done.stderr
    new = set((site.root / MIGRATIONS).iterdir()) - before
    written = next(file for file in new if file.suffix == ".ts")
    assert done.stdout == f"{written}\n"
    assert sorted(file.suffix for file in new) == [".json", ".ts"]
    assert "ALTER TABLE `posts` ADD `subtitle`" in written.read_text().replace("\\", "")
    assert f"'{written.stem}'" in (site.root / MIGRATIONS / "index.ts").read_text()

    site.deploy()
    assert any("subtitle" in str(row) for row in records(site)["sqlite_schema"])
    assert journal.history(settings.load(site.root))[-1]["migrations"] == written.stem
    told = site.inv("migrate.status").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in told[1:]] == [
        [INITIAL, "applied, batch 1"],
        [written.stem, "applied, batch 2"],
    ]


def test_a_schema_without_changes_is_told_and_a_question_that_nobody_answers_too(site: Site) -> None:
    before = site.state()
    with field_in_posts(site, "subtitle"):  # as the last migration left it
        done = site.inv("migrate.create", "nothing")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "no change in the schema" in done.stderr
    with field_in_posts(site, "undertitle"):
        done = site.inv("migrate.create", "renamed")
    assert (done.returncode, done.stdout) == (UNTOUCHED, ""), done.stderr
    assert "renamed from another column?" in done.stderr
    assert "Payload wrote no migration" in done.stderr
    assert site.state() == before


def test_a_command_that_ends_well_without_its_row_fails_the_trial(site: Site) -> None:
    before, rows = site.state(), records(site)
    with migration(site, "gives_up", "process.exit(0)") as name:
        done = site.run("./deploy.sh")
    assert (done.returncode, done.stdout) == (UNTOUCHED, ""), done.stderr
    assert f"error: not all migrations ran: {name}" in done.stderr
    assert (site.state(), records(site), beside(site)) == (before, rows, [])


def test_a_migration_that_fails_on_the_data_alone_leads_back_row_for_row(site: Site) -> None:
    release, rows = site.status()["release"], records(site)
    with migration(site, "throws", f"if ({LIVE}) throw new Error('it throws, as it should')") as name:
        done = site.run("./deploy.sh")
    assert (done.returncode, done.stdout) == (UNDONE, ""), done.stderr
    assert f"error: not all migrations ran: {name}; the site is up and healthy" in done.stderr
    assert "it throws, as it should" in done.stderr
    assert (records(site), site.status()["release"], beside(site)) == (rows, release, [])


def test_after_a_kill_in_the_midst_of_it_resume_ends_it_and_puts_the_data_back(
    site: Site, engine: DockerClient
) -> None:
    rows = records(site)
    lasts = f"if ({LIVE}) {{ console.log('in the midst'); await setTimeout(600_000) }}"
    with migration(site, "lasts", lasts), watched(engine, site) as seen:
        process = site.starting("./deploy.sh")
        reached(seen, begun("Trial"), process)
        reached(seen, Moment("in the midst", lambda _: "in the midst" in said_beside(site)), process)
        process.send_signal(signal.SIGKILL)
        for client in clients(site):  # as long as they live they have the lock, and a resume waits for them
            os.kill(client, signal.SIGKILL)
        process.communicate()
    assert beside(site)
    done = site.inv("resume")
    assert done.returncode == 0, done.stderr
    assert beside(site) == []
    assert (records(site), site.is_healthy()) == (rows, True)
