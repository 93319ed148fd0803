"""A whole site for a test: a copy of this checkout with a name, a port and networks of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from stack import envfile, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
SERVER_URL = "http://localhost:3000"
DIGESTS = """
const { createHash } = require('node:crypto')
for (const [key, value] of Object.entries(process.env))
  console.log(JSON.stringify([key, createHash('sha256').update(value).digest('hex')]))
"""
TIMEOUT = 300  # seconds for one command; a build from nothing takes about 90
# Short where a test would only wait; long where a release answers late because other tests are at work.
TIMES = {"TRIAL_SECONDS": "1", "WATCH_SECONDS": "1", "HOLD_LIMIT": "120s", "HOLD_BUDGET": "110"}


RECORDS = ("lock", "history", "log", "reports")  # of `.stack`: what was tried, and how it ended


@dataclass(frozen=True)
class State:
    """Containers with their starts, volumes with their births, files with their sums, but for records."""

    containers: str
    volumes: str
    files: dict[str, str]


@dataclass(frozen=True)
class Site:
    """``root`` holds the copy; everything Docker makes for it carries ``name``."""

    root: Path
    name: str
    port: int
    network: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(
        self, *argv: str, env: Mapping[str, str] | None = None, stdin: str = "", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=cwd or self.root,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def inv(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self.run("bin/inv", *arguments, stdin=stdin)

    def deploy(self) -> str:
        """Deploy, and return the release that the last line of stdout names."""
        done = self.run("./deploy.sh")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    def compose(self, *arguments: str, check: bool = True) -> str:
        done = self.run("docker", "compose", *arguments)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.inv("status", "--json").stdout)
        return told

    def container(self, service: str) -> str:
        """Return the id of a service's container, empty where there is none."""
        return self.compose("ps", "--all", "--quiet", "--no-trunc", service, check=False).strip()

    def inside(self, service: str, *argv: str) -> str:
        return self.compose("exec", "--no-TTY", service, *argv)

    def digests(self) -> dict[str, str]:
        """Return the sha256 of each variable of the running application, taken inside its container."""
        return dict(map(json.loads, self.inside("app", "node", "-e", DIGESTS).splitlines()))

    def set(self, **values: str) -> None:
        envfile.write(self.root / ".env", values)

    def get(self, path: str, **options: Any) -> requests.Response:
        return _direct().get(self.url + path, timeout=options.pop("timeout", 30), **options)

    def is_healthy(self) -> bool:
        try:
            return self.get("/api/health", timeout=5).ok
        except requests.RequestException:
            return False

    def post(self, path: str, **options: Any) -> requests.Response:
        return _direct().post(self.url + path, timeout=options.pop("timeout", 30), **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return _direct().delete(self.url + path, timeout=options.pop("timeout", 30), **options)

    def build_on(self, image: str, *lines: str) -> None:
        """Let builds take a second, on top of an image that is ready; ``lines`` go into its Dockerfile."""
        head = (f"FROM {image}", "ARG RELEASE INPUTS", "ENV RELEASE=${RELEASE}", 'LABEL inputs="${INPUTS}"')
        (self.root / "Dockerfile").write_text("\n".join([*head, *lines, ""]))

    def starting(self, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command without waiting for it, deaf to nothing, its output in two pipes."""
        return subprocess.Popen(
            ["env", "--default-signal=INT,HUP,TERM", *argv],
            cwd=self.root,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def images(self) -> list[str]:
        return self.run("docker", "images", "--quiet", self.name).stdout.split()

    def state(self) -> State:
        """Return what an operation that was refused leaves exactly as it was."""
        project = f"label=com.docker.compose.project={self.name}"
        containers = self.run("docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", project)
        ids = containers.stdout.split()
        started = self.run("docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *ids)
        volumes = self.run("docker", "volume", "ls", "--quiet", "--filter", project).stdout.split()
        made = self.run("docker", "volume", "inspect", "--format", "{{.Name}} {{.CreatedAt}}", *volumes)
        return State(started.stdout if ids else "", made.stdout if volumes else "", self._files())

    def _files(self) -> dict[str, str]:
        ours = (path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in ours
            if "__pycache__" not in path.parts and not self._is_a_record(path)
        }

    def _is_a_record(self, path: Path) -> bool:
        inside = path.relative_to(self.root).parts
        return inside[0] == ".stack" and inside[1] in RECORDS

    def destroy(self) -> None:
        """Remove everything that carries the site's name, and nothing else."""
        if not self.root.exists():  # it was on a file system of its own, and never started anything
            return
        if not (self.root / ".env.production").exists():
            (self.root / ".env.production").touch()
        shutil.copy(CHECKOUT / "docker-compose.yml", self.root)
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)
        mine = f"label=com.docker.compose.project={self.name}"
        if beside := self.run("docker", "ps", "--all", "--quiet", "--filter", mine).stdout.split():
            self.run("docker", "rm", "--force", *beside)  # left by a story that failed
        if volumes := self.run("docker", "volume", "ls", "--quiet", "--filter", mine).stdout.split():
            self.run("docker", "volume", "rm", *volumes)  # those that a restore has left behind
        built = self.run("docker", "images", "--quiet", "--filter", mine).stdout.split()  # nameless ones too
        if images := {*self.images(), *built}:
            self.run("docker", "rmi", "--force", *images)
        self.run("docker", "network", "rm", self.network)
        # the cache of its builds, 150 MB each
        self.run("docker", "buildx", "prune", "--force", "--filter", f"description~=next-{self.name}")


def copy_of_checkout(directory: Path) -> Path:
    """Copy what Git would commit of this checkout, so that all sites of a session are of one version."""
    for file in _tracked():
        target = directory / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / file, target, follow_symlinks=False)
    return directory


def create(directory: Path, purpose: str, template: Path, **values: str) -> Site:
    """Copy a checkout to ``directory``, and give the copy its settings."""
    name = f"test-{purpose}-{uuid.uuid4().hex[:6]}"
    site = Site(root=directory / name, name=name, port=free_port(), network=f"{name}-proxy")
    shutil.copytree(template, site.root, symlinks=True)
    (site.root / ".venv").symlink_to(sys.prefix)
    mine = settings.load(CHECKOUT)
    images = {"NODE_IMAGE": mine.node_image, "GATE_IMAGE": mine.gate_image}
    names = {"COMPOSE_PROJECT_NAME": name, "HOST_PORT": str(site.port), "PROXY_NETWORK": site.network}
    site.set(**{**names, **images, **TIMES, **values})
    return site


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _direct() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
