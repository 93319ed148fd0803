"""What `bin/inv` can do: the table of contents. Decisions are made in `stack/operations`."""
# ruff: noqa: PLC0415 - each task imports what it needs, so that `inv --list` stays quick

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from stack.cli import main

ROOT = Path(__file__).resolve().parent


@task(
    iterable=["accept_row_loss"],
    help={
        "provision": "first make a bare Debian or Ubuntu machine ready (needs root)",
        "accept-row-loss": "a table that may lose rows by a migration; can be given again",
        "maintenance": "show visitors a page while releases change; they need not wait, it may take long",
        "plan": "only tell what would be done; change nothing",
        "json": "with --plan, for scripts: bytes, seconds",
    },
)
def deploy(
    _: Context,
    provision: bool = False,
    accept_row_loss: Sequence[str] | None = None,
    maintenance: bool = False,
    plan: bool = False,
    json: bool = False,
) -> None:
    """Bring this checkout up, tried out on a copy of the data first; wait until visitors are served."""
    from stack import console
    from stack.operations import plan as planning
    from stack.operations.deploy import deploy as run
    from stack.rollout import Terms

    if planning.wanted(plan=plan, as_json=json, provision=provision):
        planning.deploy(ROOT, as_json=json, paged=maintenance)
        return
    # with another default than None, Invoke would take a table's letters for tables
    console.result(run(ROOT, Terms(accept_row_loss or (), maintenance), provision_first=provision))


@task
def provision(_: Context) -> None:
    """Make a bare Debian or Ubuntu machine ready: engine, Compose, base images (needs root)."""
    from stack.operations.provision import provision as run

    run(ROOT)


@task
def stop(_: Context) -> None:
    """Take the site down gracefully; data stays."""
    from stack.operations.stop import stop as run

    run(ROOT)


@task
def restart(_: Context) -> None:
    """Start the application anew while visitors wait at the gate."""
    from stack.operations.restart import restart as run

    run(ROOT)


@task(
    help={"follow": "go on until Ctrl-C", "since": "such as 10m or 2026-11-22T18:00:00", "lines": "how many"}
)
def logs(_: Context, follow: bool = False, since: str = "", lines: int = 100) -> None:
    """Show what the containers say."""
    from stack.operations.logs import logs as run

    run(ROOT, follow=follow, since=since, lines=lines)


@task(help={"json": "for scripts: bytes, seconds, cores"})
def status(_: Context, json: bool = False) -> None:
    """Show release, health, load, sizes and disk."""
    from stack.operations.status import status as run

    run(ROOT, as_json=json)


@task
def health(_: Context) -> None:
    """Ask the health route once, through the gate."""
    from stack.operations.health import check

    check(ROOT)


@task(help={"server-url": "the address visitors type, such as https://shop.example.com"})
def init(_: Context, server_url: str = "") -> None:
    """Write .env.production with new secrets."""
    from stack.operations.env import init as run

    run(ROOT, server_url=server_url)


@task(name="on", help={"message": "what the page says"})
def closed(_: Context, message: str = "") -> None:
    """Show visitors a page instead of the site; print a link by which you see the site."""
    from stack.operations.maintenance import on as run

    run(ROOT, message)


@task(name="off")
def opened(_: Context) -> None:
    """Let visitors see the site again."""
    from stack.operations.maintenance import off as run

    run(ROOT)


@task(help={"json": "for scripts"})
def check(_: Context, json: bool = False) -> None:
    """Name every problem in .env.production; show no value."""
    from stack.operations.env import check as run

    run(ROOT, as_json=json)


@task(name="status", help={"json": "for scripts"})
def migrations(_: Context, json: bool = False) -> None:
    """Tell which migrations have run, and which the live release has still to run."""
    from stack.operations.migrate import status as run

    run(ROOT, as_json=json)


@task(
    name="create",
    positional=["name"],
    help={"name": "what it does, such as add_author", "blank": "an empty one, to write by hand"},
)
def new_migration(_: Context, name: str, blank: bool = False) -> None:
    """Write a migration for what changed in the collections; print its file."""
    from stack.operations.migrate import create as run

    run(ROOT, name, blank=blank)


@task(name="set", positional=["key"], help={"key": "the name of the variable"})
def set_value(_: Context, key: str) -> None:
    """Set a variable of .env.production; its value is asked for, or read from stdin."""
    from stack.operations.env import set_value as run

    run(ROOT, key)


@task(positional=["email"], help={"email": "of the administrator"})
def create(_: Context, email: str) -> None:
    """Register the first administrator; the password is asked for, or read from stdin."""
    from stack.operations.admin import create as run

    run(ROOT, email)


@task(
    iterable=["accept_row_loss"],
    help={
        "provision": "first make the machine ready for the new version (needs root)",
        "accept-row-loss": "a table that may lose rows by a migration; can be given again",
        "maintenance": "show visitors a page while releases change; they need not wait, it may take long",
        "plan": "only tell what would be done; change nothing, fetch nothing into the repository",
        "json": "with --plan, for scripts: bytes, seconds",
    },
)
def update(
    _: Context,
    provision: bool = False,
    accept_row_loss: list[str] | None = None,
    maintenance: bool = False,
    plan: bool = False,
    json: bool = False,
) -> None:
    """Bring in the newest version and deploy it."""
    from stack.operations import plan as planning
    from stack.operations.update import update as run

    if planning.wanted(plan=plan, as_json=json, provision=provision):
        planning.update(ROOT, as_json=json, paged=maintenance)
        return
    # each flag of `deploy` is one of `update` too
    run(ROOT, provision=provision, accept_row_loss=accept_row_loss or [], maintenance=maintenance)


@task(
    help={
        "release": "a release; can stand alone at the end; by default the one before",
        "with-data": "also its last database, on a new volume; the present one stays",
        "code-only": "keep the data although it was migrated since",
        "maintenance": "show visitors a page while releases change; they need not wait, it may take long",
        "yes": "do not ask",
    }
)
def rollback(
    _: Context,
    release: str = "",
    with_data: bool = False,
    code_only: bool = False,
    maintenance: bool = False,
    yes: bool = False,
) -> None:
    """Let an earlier release serve again, without a build, tried out first."""
    from stack import console
    from stack.operations.rollback import Wish
    from stack.operations.rollback import rollback as run

    console.result(run(ROOT, Wish(release, with_data, code_only, maintenance, yes)))


@task(
    help={
        "db-only": "without the media",
        "output": "another directory than backups/",
        "drill": "also boot the release on a copy of it",
        "json": "for scripts: bytes",
    }
)
def backup(
    _: Context, db_only: bool = False, output: str = "", drill: bool = False, json: bool = False
) -> None:
    """Write a proven archive of database and media, while the site serves."""
    from stack.operations.backup import backup as run

    run(ROOT, db_only=db_only, output=output, drilled=drill, as_json=json)


@task(help={"json": "for scripts: bytes, seconds"})
def backups(_: Context, json: bool = False) -> None:
    """List the archives: age, size, release, what is proven of each."""
    from stack.operations.backups import listed as run

    run(ROOT, as_json=json)


@task(help={"json": "for scripts: bytes, seconds"})
def releases(_: Context, json: bool = False) -> None:
    """List the releases that are here: age, size, migrations, which one is live."""
    from stack.operations.releases import listed as run

    run(ROOT, as_json=json)


@task(help={"json": "for scripts: all of it"})
def history(_: Context, json: bool = False) -> None:
    """Tell what was done to this site, and how it ended."""
    from stack.operations.releases import history as run

    run(ROOT, as_json=json)


@task(help={"file": "an archive; can stand alone at the end", "all": "every one in backups/"})
def verify(_: Context, file: str = "", all: bool = False) -> None:  # noqa: A002 - the flag's name
    """Read the newest archive whole and compare every sum, or those that are named."""
    from stack.operations.backups import verify as run

    run(ROOT, file, Path.cwd(), every=all)


@task(
    help={
        "file": "an archive; can stand alone at the end; by default the newest",
        "yes": "do not ask",
        "undo": "go back to the volumes from before the last restore",
        "db-only": "leave the media as they are",
        "media-only": "leave the database as it is",
        "from-site": "accept an archive of the site of this name",
    }
)
def restore(  # noqa: PLR0913, PLR0917 - its flags
    _: Context,
    file: str = "",
    yes: bool = False,
    undo: bool = False,
    db_only: bool = False,
    media_only: bool = False,
    from_site: str = "",
) -> None:
    """Put an archive back, on new volumes; the old ones stay."""
    from stack.operations.restore import Wish
    from stack.operations.restore import restore as run

    run(ROOT, Wish(file, undo, db_only, media_only, from_site, yes))


@task
def resume(_: Context) -> None:
    """Make good what an operation left that was killed."""
    from stack.operations.resume import resume as run

    run(ROOT)


@task(
    help={
        "unit": "only those that need no engine",
        "provision": "first make this machine ready (needs root)",
        "only": "those whose name contains this",
    }
)
def test(_: Context, unit: bool = False, provision: bool = False, only: str = "") -> None:
    """Run the project's own tests on a real engine."""
    from stack.operations.test import test as run

    run(ROOT, unit=unit, provision_first=provision, only=only)


@task(help={"rounds": "how often each command runs"})
def bench(_: Context, rounds: int = 5) -> None:
    """Measure a deploy with nothing to do beside plain Compose; the site has to run."""
    from stack.operations.bench import deploy as run

    run(ROOT, rounds=rounds)


@task(
    name="update",
    help={
        "full": "24 updates, with the settings that everybody has: about 40 minutes",
        "proof": "only what is set beside other tools: with --full about 20 minutes",
        "picture": "draw the ways to update into this file",
    },
)
def measured_update(_: Context, full: bool = False, proof: bool = False, picture: str = "") -> None:
    """Update sites while visitors come, our way and in others'; print what they saw."""
    from stack.operations.bench import update as run

    run(ROOT, full=full, proof_only=proof, picture=picture)


@task
def lint(_: Context) -> None:
    """Run every linter."""
    from stack.operations.lint import lint as run

    run(ROOT)


def _backups() -> Collection:
    collection = Collection("backups", verify)
    collection.add_task(backups, default=True)
    return collection


def _bench() -> Collection:
    collection = Collection("bench", measured_update)
    collection.add_task(bench, default=True)
    return collection


ns = Collection(
    deploy, provision, stop, restart, logs, status, health, update, rollback, backup, restore, resume,
    releases, history, test, lint,
    bench=_bench(),
    backups=_backups(),
    env=Collection(init, check, set_value),
    admin=Collection(create),
    migrate=Collection(migrations, new_migration),
    maintenance=Collection(closed, opened),
)  # fmt: skip

if __name__ == "__main__":
    main(ns)
