"""A Payload site of somebody else's: no gate, no releases, its data in directories or in volumes."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.site import Site, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PATIENCE = 60  # seconds until it answers


@dataclass(frozen=True)
class OldSite:
    """What its visitors see, and where its Compose file is."""

    visible: Site
    directory: Path

    def start(self) -> None:
        _compose(self.directory, "up", "--detach")
        deadline = time.monotonic() + PATIENCE
        while not self.visible.is_healthy():
            assert time.monotonic() < deadline, "the old site does not answer"
            time.sleep(0.2)


@contextmanager
def running(directory: Path, name: str, image: str, environment: Path, *, volumes: bool) -> Iterator[OldSite]:
    """Run a site as people write it down: one service, a port, and two mounts."""
    data, media = ("data", "media") if volumes else ("./data", "./media")
    old = OldSite(Site(directory, name, free_port(), ""), directory)
    service = {
        "image": image,
        "env_file": [str(environment)],
        "environment": {"NODE_ENV": "production"},
        "ports": [f"127.0.0.1:{old.visible.port}:3000"],
        "volumes": [f"{data}:/data", f"{media}:/app/public/media"],
    }
    _made(directory, volumes=volumes)
    declared: dict[str, object] = {"data": {}, "media": {}} if volumes else {}
    told = {"name": name, "services": {"app": service}, "volumes": declared}
    (directory / "docker-compose.yml").write_text(json.dumps(told))
    try:
        old.start()
        yield old
    finally:
        _compose(directory, "down", "--volumes", "--timeout", "1")


def _made(directory: Path, *, volumes: bool) -> None:
    directory.mkdir()
    for kind in () if volumes else ("data", "media"):
        (directory / kind).mkdir()
        (directory / kind).chmod(0o777)  # whoever runs the tests need not be root to give it away


def _compose(directory: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["docker", "compose", *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
