"""An update on a disk that fills up in the hold: the old release is back, with its data, and can write."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack.engine.containers import PROJECT
from tests.support import stage, visitor
from tests.support.moments import PATIENCE, begun, reached, watched
from tests.support.stage import OLD
from tests.support.variants import FILLS_LIVE, GOOD, check_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import DockerClient

    from tests.support.site import Site
    from tests.support.stage import Stage

SIZE = "size=32m"  # a backup wants 16 of it
LEFT = 1 << 20  # bytes: enough for a site to write, too little for a copy of its database
LONG = "x" * 40000


@dataclass(frozen=True)
class Crowded:
    """A site whose database is on a small disk of its own, mounted at ``disk``."""

    before: Stage
    disk: Path

    @property
    def full(self) -> Path:
        return self.disk / "full"

    @property
    def copies(self) -> list[Path]:
        return list(self.disk.glob(".releases/*/*"))

    def fill(self) -> None:
        with self.full.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self.disk).free - LEFT)


@pytest.fixture
def crowded(
    sibling: Callable[..., Site], image: str, engine: DockerClient, small_disk: Callable[[str], Path]
) -> Iterator[Crowded]:
    site, disk = sibling("crowded", **stage.SETTINGS), small_disk(SIZE)
    volume = f"{site.name}_on-a-small-disk"
    mounted = ("type=none", "o=bind", f"device={disk}")
    options = [f"--opt={option}" for option in mounted]
    site.run("docker", "volume", "create", f"--label={PROJECT}={site.name}", *options, volume)
    site.set(DB_VOLUME=volume, APP_IMAGE="")  # nothing has served from it yet
    check_out(site, image, GOOD)
    site.deploy()
    editor = visitor.editor(site)
    editor.upload("picture.png", visitor.picture())
    for _ in range(30):
        editor.publish("a long one", body=LONG)
    yield Crowded(stage.of(site, engine, editor, image), disk)
    site.destroy()  # while its disk is still there


def test_a_disk_that_is_full_when_the_database_is_kept_leads_back(crowded: Crowded) -> None:
    before = crowded.before
    before.check_out()
    with watched(before.engine, before.site) as seen, before.site.starting("./deploy.sh") as process:
        reached(seen, begun("Visitors wait, requests end"), process)
        crowded.fill()
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 20, told
    assert "the disk is full where the volume is" in told
    before.assert_whole(OLD)
    assert crowded.copies == []
    before.editor.publish("there is room")


def test_a_migration_that_fills_the_disk_leads_back_to_a_site_that_can_write(crowded: Crowded) -> None:
    before = crowded.before
    before.check_out(FILLS_LIVE)
    done = before.site.run("./deploy.sh")
    assert done.returncode == 20, done.stderr
    before.assert_whole(OLD)
    assert crowded.copies == []
    before.editor.publish("there is room")
