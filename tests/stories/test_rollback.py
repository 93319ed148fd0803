"""Back to a release that served before: its code, its settings, its data if that is wanted; or no change."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from stack import envfile, journal, lock, settings
from stack.engine import containers
from tests.support import contents, stage, visitor
from tests.support.moments import begun, happened, named, noted, reached, watched
from tests.support.variants import GOOD, ILL_ON_DEMAND, MIGRATION, TURNS_BAD, check_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    from docker import DockerClient

    from tests.support.moments import Moment
    from tests.support.site import Site
    from tests.support.visitor import Editor

COMPOSE, ENV = "docker-compose.yml", ".env.production"
BY_HAND = ("docker", "compose", "up", "--detach", "--no-build")
PATIENCE = 120  # seconds


@dataclass(frozen=True)
class Shelf:
    """A site on its second release, which came with settings of its own and a migration."""

    site: Site
    engine: DockerClient
    editor: Editor
    first: str
    second: str

    @property
    def now(self) -> settings.Settings:
        return settings.load(self.site.root)

    def rolled_back(self, *wish: str) -> CompletedProcess[str]:
        done = self.site.inv("rollback", *wish)
        assert done.returncode == 0, done.stderr
        return done

    def refused(self, *wish: str, code: int = 11) -> str:
        """Let a rollback be refused, with nothing changed; return what it said."""
        before = self.site.state()
        done = self.site.inv("rollback", *wish)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert "Traceback" not in done.stderr
        assert self.site.state() == before
        return done.stderr

    def titles(self) -> set[str]:
        return set(contents.of(self.site).posts.values())

    def assert_serves(self, release: str, settings_of: str) -> None:
        """See that a release serves, made of its own settings, and that plain Compose leaves it as it is."""
        (app,) = containers.of_site(self.engine, self.site.name, "app")
        assert (app.running, app.image) == (True, f"{self.site.name}:{release}")
        assert self.now.app_image == app.image
        assert stage.policy(self.engine, app.id) == "always"
        assert (app.env["CALLED"], app.memory_limit >> 20) == {"one": ("one", 768), "two": ("two", 800)}[
            settings_of
        ]
        assert ("labelled: two" in (self.site.root / COMPOSE).read_text()) == (settings_of == "two")
        assert self.now.db_volume in app.volumes
        self.assert_tidy()
        gate = self.site.container("gate")
        self.site.compose(*BY_HAND[2:])
        assert (self.site.container("app"), self.site.container("gate")) == (app.id, gate)
        assert self.site.is_healthy()

    def assert_tidy(self) -> None:
        assert not lock.is_held(self.now)
        assert not journal.path(self.now).exists()
        assert list(self.site.root.glob(f".*.{COMPOSE}")) == []
        assert stage.parts(self.site) == []


@dataclass(frozen=True)
class Kill:
    """When a rollback with data is killed, and whether the earlier release has to serve then."""

    moment: Moment
    back: bool

    def __str__(self) -> str:
        return str(self.moment)


SHORT = (Kill(noted("unproven"), back=False), Kill(noted("proven"), back=True))
FULL = (
    *SHORT,
    Kill(begun("Fill a new volume"), back=False),
    Kill(begun("Trial"), back=False),
    Kill(noted("new"), back=False),
    Kill(happened("start", "new"), back=False),
    Kill(named(), back=True),
    Kill(begun("Watch, through the gate"), back=True),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kill" in metafunc.fixturenames:
        metafunc.parametrize("kill", FULL if metafunc.config.getoption("--full") else SHORT, ids=str)


@pytest.fixture(scope="module")
def shelf(sibling: Callable[..., Site], engine: DockerClient, image: str) -> Shelf:
    site = sibling("rollback", START_LIMIT="15")
    called(site, "one")
    check_out(site, image, ILL_ON_DEMAND)
    first = site.deploy()
    editor = visitor.editor(site)
    editor.upload("picture.png", visitor.picture())
    editor.publish("kept")
    called(site, "two")
    site.set(APP_MEMORY="800m")
    compose = site.root / COMPOSE
    compose.write_text(
        compose.read_text().replace(
            "    hostname: app\n", "    hostname: app\n    labels: { labelled: two }\n", 1
        )
    )
    check_out(site, image, ILL_ON_DEMAND)
    return Shelf(site, engine, editor, first, site.deploy())


def called(site: Site, name: str) -> None:
    envfile.write(site.root / ENV, {"CALLED": name})


def test_a_rollback_brings_back_code_and_settings_without_a_build_and_keeps_the_data(shelf: Shelf) -> None:
    site = shelf.site
    shelf.assert_serves(shelf.second, "two")
    images, present = site.images(), (site.root / ENV).read_text()
    done = shelf.rolled_back()
    assert done.stdout.splitlines() == [shelf.first]
    assert site.images() == images
    assert f"as it was then: {COMPOSE}, APP_MEMORY, CALLED\n" in done.stderr
    shelf.assert_serves(shelf.first, "one")
    assert shelf.titles() == {"kept"}
    (aside,) = (site.root / ".stack" / "replaced").iterdir()
    assert (aside / ENV).read_text() == present
    listed = site.inv("releases").stdout.splitlines()
    assert [line.split()[:2] for line in listed if " live " in line] == [[shelf.first, "live"]]

    assert shelf.rolled_back(shelf.second).stdout.splitlines() == [shelf.second]
    shelf.assert_serves(shelf.second, "two")
    assert shelf.titles() == {"kept"}


def test_what_cannot_be_gone_back_to_is_refused_with_what_exists(shelf: Shelf) -> None:
    assert f"release {shelf.second} is live" in shelf.refused(shelf.second)
    said = shelf.refused("20200101T000000Z-gone")
    assert "is not here" in said
    assert f"with one of these: {shelf.first}\n" in said
    assert "exclude each other" in shelf.refused("--with-data", "--code-only", code=2)
    assert "nobody is here to confirm it" in shelf.refused("--with-data", code=2)


def test_an_image_that_was_pruned_is_refused_with_what_exists(shelf: Shelf) -> None:
    site, name = shelf.site, f"{shelf.site.name}:{shelf.first}"
    site.run("docker", "tag", name, f"{name}-aside")
    site.run("docker", "rmi", name)
    try:
        said = shelf.refused()
    finally:
        site.run("docker", "tag", f"{name}-aside", name)
        site.run("docker", "rmi", f"{name}-aside")
    assert f"release {shelf.first} is not here" in said
    assert "there is none: check out an earlier commit" in said


def test_after_a_migration_the_operator_chooses_between_data_and_code(shelf: Shelf, image: str) -> None:
    site = shelf.site
    check_out(site, image, replace(ILL_ON_DEMAND, migration=MIGRATION))
    third = site.deploy()
    shelf.editor.publish("written since")
    said = shelf.refused()
    assert f"the database was migrated since release {shelf.second}" in said
    assert "_of_tests ran" in said
    assert "1 of payload_migrations, 1 of posts would be lost" in said
    volume = shelf.now.db_volume

    shelf.rolled_back("--code-only")
    shelf.assert_serves(shelf.second, "two")
    assert shelf.titles() == {"kept", "written since"}
    assert shelf.now.db_volume == volume
    shelf.rolled_back(third)

    done = shelf.rolled_back("--with-data", "--yes")
    assert "posts                                   2 -> 1 rows" in done.stderr
    shelf.assert_serves(shelf.second, "two")
    assert shelf.titles() == {"kept"}
    assert shelf.now.db_volume != volume
    assert not [name for name, *_ in contents.records(site)["payload_migrations"] if "of_tests" in str(name)]

    assert shelf.rolled_back(third).stdout.splitlines() == [third]  # which migrates once more
    undone = site.run("./restore.sh", "--undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert (shelf.now.db_volume, shelf.titles()) == (volume, {"kept", "written since"})
    shelf.assert_serves(third, "two")


def test_when_both_releases_are_bad_it_is_told_with_21(shelf: Shelf) -> None:
    site = shelf.site
    site.inside("app", "touch", "/data/ill")
    try:
        done = site.inv("rollback", "--code-only")
        assert (done.returncode, done.stdout) == (21, ""), done.stderr
        assert "rollback failed, and the site is not back" in done.stderr
        assert "the new release does not answer: its health route answers 500" in done.stderr
        assert "the site is up as `.env` says, and does not answer" in done.stderr
    finally:
        site.inside("app", "rm", "/data/ill")
    assert site.inv("resume").returncode == 0
    shelf.assert_tidy()


def test_killed_at_any_moment_of_a_rollback_the_site_is_wholly_one_or_the_other(
    kill: Kill, shelf: Shelf
) -> None:
    site, before, volumes = shelf.site, shelf.now, contents.volumes(shelf.site)
    live = site.status()["release"]
    with (
        watched(shelf.engine, site) as seen,
        site.starting("bin/inv", "rollback", shelf.first, "--with-data", "--yes") as process,
    ):
        reached(seen, kill.moment, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    done = site.inv("resume")
    assert done.returncode == 0, done.stderr
    if kill.back:
        shelf.assert_serves(shelf.first, "one")
        assert len(contents.volumes(site) - volumes) == 1
        shelf.rolled_back(live)
        site.run("./restore.sh", "--undo", "--yes")
    assert contents.volumes(site) >= volumes
    assert shelf.now.db_volume == before.db_volume
    shelf.assert_serves(live, "two")


def test_a_release_that_turns_bad_again_leads_back_with_the_files_as_they_were(
    shelf: Shelf, image: str
) -> None:
    site = shelf.site
    called(site, "one")
    check_out(site, image, TURNS_BAD)
    bad = site.deploy()  # it turns bad after this has looked away
    called(site, "two")
    check_out(site, image, GOOD)
    good = site.deploy()
    site.set(WATCH_SECONDS="6")
    files = {name: (site.root / name).read_bytes() for name in (COMPOSE, ENV, ".env")}
    done = site.inv("rollback", bad, "--code-only")
    assert done.returncode == 20, done.stderr
    assert f"release {bad} turned bad after its start" in done.stderr
    assert {name: (site.root / name).read_bytes() for name in files} == files
    site.set(WATCH_SECONDS="1")
    shelf.assert_serves(good, "two")
