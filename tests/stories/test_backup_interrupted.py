"""A backup that is interrupted or killed: no archive that is not proven, and nothing left for long."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from stack import archive, recovery, settings
from stack.engine import containers, objects
from stack.journal import Entry
from tests.support import archived, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import DockerClient

    from tests.support.site import Site

STEPS = ("Database and media", "Fill scratch volumes", "Trial")
MOMENTS = 6
LARGE = f"head -c 32000000 /dev/urandom >{archived.MEDIA_DIR}/large; chmod 644 {archived.MEDIA_DIR}/large"


@pytest.fixture(scope="module")
def kept(sibling: Callable[..., Site]) -> Site:
    site = sibling("broken-off")
    site.deploy()
    visitor.editor(site).upload("red.png", visitor.picture())
    archived.beside(site, LARGE)
    archived.path_of(site.run("./backup.sh"))
    return site


@pytest.fixture
def site(kept: Site, engine: DockerClient) -> Iterator[Site]:
    """Give a site with an archive; afterwards it serves as before, and nothing is left of what was begun."""
    before, archives = kept.state(), archived.archives(kept)
    yield kept
    after = kept.state()
    assert (after.containers, after.volumes) == (before.containers, before.volumes)
    assert kept.is_healthy()
    assert archived.archives(kept).items() >= archives.items()
    assert all_sound(kept)
    assert kept.inv("resume").stderr == "nothing is unfinished\n"
    assert ".backup" not in archived.listed(kept)
    assert [
        found for service in containers.BESIDE for found in containers.beside(engine, kept.name, service)
    ] == []
    for path in (kept.root / "backups").iterdir():
        if path.name not in archives:
            path.unlink()


def all_sound(site: Site, *, but: str = "nothing") -> bool:
    """Check everything that lies where archives do, but for what has a certain ending."""
    for path in (site.root / "backups").iterdir():
        if not path.name.endswith(but):
            archive.check(path)
    return True


def broken_off(site: Site, step: str, how: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Send a signal to a backup that has just begun a step; return how it ended."""
    journal = site.root / ".stack" / "journal"
    with site.starting("./backup.sh", "--drill") as process:
        while step_in(journal) != step:
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(0.2)  # into it
        process.send_signal(how)
        out, told = process.communicate()
    assert out == ""
    assert "Traceback" not in told
    return subprocess.CompletedProcess([], process.returncode, out, told)


def step_in(journal: Path) -> str:
    told = json.loads(journal.read_text()) if journal.exists() else {"step": ""}
    return str(told["step"])


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_at_any_step_leaves_nothing(step: str, site: Site) -> None:
    before = archived.archives(site)
    done = broken_off(site, step, signal.SIGINT)
    assert done.returncode == 130, done.stderr
    assert archived.archives(site).keys() == before.keys(), done.stderr
    assert not (site.root / ".stack" / "journal").exists()


@pytest.mark.parametrize("step", STEPS)
def test_what_is_killed_at_any_step_is_made_good_by_resume(step: str, site: Site) -> None:
    before = archived.archives(site)
    assert broken_off(site, step, signal.SIGKILL).returncode == -signal.SIGKILL
    assert {name for name in archived.archives(site) if not name.endswith(".part")} == set(before)
    resumed = site.inv("resume")
    assert resumed.returncode == 0, resumed.stderr
    assert f'was broken off at "{step}"; making it good' in resumed.stderr
    assert "is made good" in resumed.stderr
    assert archived.archives(site) == before


def test_the_next_backup_clears_what_a_killed_one_left(site: Site) -> None:
    before = archived.archives(site)
    with site.starting("./backup.sh") as process:
        while not list((site.root / "backups").glob(".*.part")):
            assert process.poll() is None
        process.kill()
        process.communicate()
    assert set(archived.archives(site)) > set(before)
    path = archived.path_of(as_soon_as_free(site))
    assert set(archived.archives(site)) == {*before, path.name}


def as_soon_as_free(site: Site) -> subprocess.CompletedProcess[str]:
    """Back up when what a killed backup has started has ended: the lock goes with it."""
    deadline = time.monotonic() + 30
    while (done := site.run("./backup.sh")).returncode == 12 and time.monotonic() < deadline:
        time.sleep(0.1)
    return done


def test_killed_at_whatever_moment_it_publishes_nothing_that_is_not_proven(site: Site) -> None:
    began = time.monotonic()
    archived.path_of(site.run("./backup.sh"))
    whole = time.monotonic() - began
    for moment in range(1, MOMENTS + 1):
        with site.starting("./backup.sh") as process:
            time.sleep(whole * moment / MOMENTS)
            process.kill()
            process.communicate()
        assert all_sound(site, but=".part")
        assert site.inv("resume").returncode == 0
        assert all_sound(site)


def test_a_container_that_goes_by_itself_is_no_trouble(site: Site, engine: DockerClient) -> None:
    """The engine refuses to remove what is being removed already."""
    for _ in range(5):
        site.run("docker", "compose", "run", "--rm", "--detach", "--no-deps", "reader", "sleep", "60")
        with ThreadPoolExecutor(4) as pool:
            for removal in [pool.submit(containers.remove_beside, engine, site.name) for _ in range(4)]:
                removal.result()
        assert containers.beside(engine, site.name, "reader") == []


def test_a_volume_that_a_container_still_has_is_removed_when_that_is_gone(
    site: Site, engine: DockerClient
) -> None:
    """An engine goes on making the container that was asked for, when whoever asked is killed."""
    now, volume = settings.load(site.root), f"{site.name}_scratch"
    site.run("docker", "volume", "create", "--label", f"{containers.PROJECT}={site.name}", volume)
    using = ("docker", "run", "--rm", "--detach", "--init", "--network", "none", "--volume", f"{volume}:/mnt")
    assert site.run(*using, now.app_image, "sleep", "2").returncode == 0
    recovery.tidied(engine, now, Entry("id", "backup", "2026-11-23T05:15:58Z", 1, volumes=(volume,)))
    assert not objects.volume_exists(engine, volume)
