"""A restore that is killed or interrupted at any step: afterwards the site is wholly old, or wholly new."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from stack import hold, journal, lock, settings
from stack.engine import containers
from tests.support import contents, visitor
from tests.support.restoring import RESTORE, Life, backed_up

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from docker import DockerClient

    from tests.support.contents import Contents
    from tests.support.site import Site

PATIENCE = 60  # seconds for a step to come, and for what a killed operation has started to end
OLD, NEW = "old", "new"
RESUME, BACKUP, DEPLOY = ("bin/inv", "resume"), ("./backup.sh",), ("./deploy.sh",)
KILLED = [  # at a step, what comes after that, and what the site may be then
    ("Check the archive", RESUME, {OLD}),
    ("Fill new volumes", BACKUP, {OLD}),
    ("Trial on them", RESUME, {OLD}),
    ("Visitors wait, requests end", RESUME, {OLD}),
    ("Stop the application", RESUME, {OLD}),
    ("Start it on the new volumes", BACKUP, {OLD}),
    ("Health, from inside", RESUME, {OLD}),
    ("Content", DEPLOY, {OLD}),
    ("Switch", RESUME, {OLD, NEW}),
]
INTERRUPTED = [
    ("Fill new volumes", signal.SIGINT, 130, OLD),
    ("Trial on them", signal.SIGHUP, 130, OLD),
    ("Start it on the new volumes", signal.SIGTERM, 20, OLD),
    ("Content", signal.SIGINT, 20, OLD),
    ("Switch", signal.SIGINT, 0, NEW),
]


@dataclass(frozen=True)
class Stage:
    """A site, an archive of what it once was, and both sides that a restore stands between."""

    site: Site
    engine: DockerClient
    archive: Path
    sides: dict[str, Contents]
    volumes: set[str]

    def restore(self, *flags: str) -> subprocess.Popen[str]:
        return self.site.starting(*RESTORE, *(flags or (self.archive.name,)))

    @property
    def now(self) -> settings.Settings:
        return settings.load(self.site.root)

    def side(self) -> str:
        """Tell which one the site is; a mixture is none."""
        seen = contents.of(self.site)
        return next((name for name, side in self.sides.items() if side == seen), f"a mixture: {seen}")

    def assert_whole(self, allowed: set[str]) -> None:
        """See that the site is one of two, and that nothing of the operation is left."""
        assert self.site.is_healthy()
        assert self.side() in allowed
        assert not lock.is_held(self.now)
        assert not journal.path(self.now).exists()
        assert not hold.is_held(self.now)
        assert not any(containers.beside(self.engine, self.site.name, each) for each in containers.BESIDE)
        named = {self.now.db_volume, self.now.media_volume}
        assert contents.volumes(self.site) == self.volumes | named
        assert restart_policy(self.site) == "always"


def restart_policy(site: Site) -> str:
    told = site.run(
        "docker", "inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", site.container("app")
    )
    return told.stdout.strip()


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("crash")
    site.build_on(image)
    site.deploy()
    return site


@pytest.fixture(scope="module")
def life(site: Site) -> Life:
    life = Life(visitor.editor(site))
    life.goes_on()
    return life


@pytest.fixture(scope="module")
def archived(site: Site, life: Life) -> tuple[Path, Contents]:
    seen = contents.of(site)
    return backed_up(site), seen


@pytest.fixture
def stage(site: Site, life: Life, archived: tuple[Path, Contents], engine: DockerClient) -> Stage:
    """Give a site with a record and a file that are not in the archive."""
    life.goes_on()
    sides = {OLD: contents.of(site), NEW: archived[1]}
    return Stage(site, engine, archived[0], sides, contents.volumes(site))


def reached(site: Site, step: str, *, done: bool = False) -> int:
    """Wait until the journal says that a step has begun, or is done; return whose journal it is."""
    file, deadline = journal.path(settings.load(site.root)), time.monotonic() + PATIENCE
    told: dict[str, Any] = {}
    while told.get("step") != step or (done and not told["done"]):
        assert time.monotonic() < deadline, told
        with suppress(FileNotFoundError):
            told = json.loads(file.read_text())
        time.sleep(0.002)  # the shortest step takes 10 times as long
    return int(told["pid"])


def killed(stage: Stage, step: str, *flags: str, done: bool = False) -> None:
    """Restore, and kill -9 the operation at a step; what it has started goes on or ends by itself."""
    with stage.restore(*flags) as process:
        os.kill(reached(stage.site, step, done=done), signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    told = stage.site.status()["operation"]
    assert (told["operation"], told["step"]) == ("restore", step)


def free(stage: Stage) -> None:
    """Wait until nothing holds the lock that a killed operation has started."""
    deadline = time.monotonic() + PATIENCE
    while lock.is_held(stage.now):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(("step", "next_command", "allowed"), KILLED, ids=[step for step, _, _ in KILLED])
def test_killed_at_any_step_the_site_is_wholly_old_or_wholly_new_after_the_next_command(
    step: str, next_command: tuple[str, ...], allowed: set[str], stage: Stage
) -> None:
    killed(stage, step)
    if next_command != RESUME:  # which waits by itself
        free(stage)
    done = stage.site.run(*next_command)
    assert done.returncode == 0, done.stderr
    assert f'was broken off at "{step}"; making it good' in done.stderr
    stage.assert_whole(allowed)
    assert "nothing is unfinished" in stage.site.inv("resume").stderr


def test_killed_after_the_switch_it_is_new_and_the_way_back_is_open_even_to_one_that_is_killed(
    stage: Stage,
) -> None:
    killed(stage, "Switch", done=True)
    assert stage.site.inv("resume").returncode == 0
    stage.assert_whole({NEW})

    killed(stage, "Start it on the new volumes", "--undo")
    assert stage.site.inv("resume").returncode == 0
    assert stage.side() == NEW
    done = stage.site.run(*RESTORE, "--undo")
    assert done.returncode == 0, done.stderr
    assert stage.side() == OLD


@pytest.mark.parametrize(("step", "number", "code", "side"), INTERRUPTED)
def test_a_signal_leaves_the_site_as_it_was_or_leads_back_until_it_is_switched(
    step: str, number: signal.Signals, code: int, side: str, stage: Stage
) -> None:
    containers_before = stage.site.state().containers
    with stage.restore() as process:
        os.kill(reached(stage.site, step), number)
        out, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, told
    assert "Traceback" not in told
    assert out == (f"{stage.archive}\n" if code == 0 else "")
    assert (stage.site.state().containers == containers_before) == (code == 130)
    stage.assert_whole({side})


def test_with_a_journal_that_was_cut_off_nothing_is_begun_and_the_status_tells(stage: Stage) -> None:
    entry = journal.Entry("20261123T051558Z-0a1b2c3d", "restore", "2026-11-23T05:15:58Z", 4711)
    journal.write(stage.now, entry)
    file = journal.path(stage.now)
    file.write_text(file.read_text()[:-20])
    before = stage.site.state()
    for command in (RESUME, BACKUP, DEPLOY, RESTORE, ("./stop.sh",)):
        done = stage.site.run(*command)
        assert done.returncode == 21, done.stderr
        assert "the journal of an unfinished operation cannot be read" in done.stderr
    told = stage.site.status()
    assert told["health"] == "healthy"
    assert str(file) in told["operation"]["said"]
    assert stage.site.state() == before
    file.unlink()
    stage.assert_whole({OLD})
