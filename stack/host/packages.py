"""Debian and Ubuntu packages: what the stack needs of them, and how they get here."""

from __future__ import annotations

import io
import os
import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from stack import run, signals
from stack.errors import Refused
from stack.versions import COMPOSE_MINIMUM, ENGINE_MINIMUM, at_least

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NEWER_SUITE = "forky"  # Debian 14: Engine 28.5, Compose 2.40, musl 1.2.6
DEFAULT_MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = Path("/etc/apt/sources.list.d/payload-stack.list")
PREFERENCES = Path("/etc/apt/preferences.d/payload-stack")
PATIENCE = "-oDPkg::Lock::Timeout=120"  # seconds; a fresh machine upgrades itself when it starts
PINNED_LOW = f"""\
Explanation: Docker comes from here; everything else stays with the system's own release.
Package: *
Pin: release n={NEWER_SUITE}
Pin-Priority: 100
"""


def install_docker() -> None:
    """Install engine, client, Compose and buildx; from a newer Debian where the release's are too old."""
    _need_root()
    _refuse_beside_docker_ce()
    _apt("update")
    names = _docker_packages()
    if not _new_enough(names):
        _add_newer_suite()
        _apt("update")
        names = [f"{name}/{NEWER_SUITE}" for name in names]
    with signals.ignored():  # packages left half configured are the machine's trouble, not only ours
        _apt("install", "--yes", "--no-install-recommends", *names, "iptables", "ca-certificates")


def download(names: Sequence[str], *, into: Path) -> None:
    """Fetch Debian packages of the newer suite as files; the machine's own package lists stay as they are."""
    lists, source = into / "lists", into / "sources.list"
    lists.mkdir()
    source.write_text(_newer_source())
    private = [
        f"-oDir::Etc::sourcelist={source}",
        "-oDir::Etc::sourceparts=-",
        f"-oDir::State::lists={lists}",
        f"-oDir::Cache={into}",
        "-oAPT::Sandbox::User=root",
    ]
    _apt(*private, "update")
    _apt(*private, "download", *names, cwd=into)


def file_of(package: Path, name: str) -> bytes:
    """Return the content of the one regular file called ``name`` in a ``.deb``."""
    unpacked = run.capture_bytes(["dpkg-deb", "--fsys-tarfile", str(package)])
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        (member,) = (
            m for m in archive if m.isfile() and m.name.endswith(f"/{name}") and "/share/" not in m.name
        )
        content = archive.extractfile(member)
        assert content is not None  # noqa: S101 - a regular file has content
        return content.read()


def _docker_packages() -> list[str]:
    if _os_release().get("ID") == "ubuntu":
        return ["docker.io", "docker-compose-v2", "docker-buildx"]
    return ["docker.io", "docker-cli", "docker-compose", "docker-buildx"]


def _new_enough(names: Iterable[str]) -> bool:
    wanted = {
        "docker.io": ENGINE_MINIMUM,
        "docker-compose": COMPOSE_MINIMUM,
        "docker-compose-v2": COMPOSE_MINIMUM,
    }
    return all(at_least(_candidate(name), wanted.get(name, "0")) for name in names)


def _candidate(package: str) -> str:
    policy = run.capture(["apt-cache", "policy", package], env=_apt_env()).out
    found = re.search(r"Candidate: (?:\d+:)?(\S+)", policy)
    return found.group(1) if found else ""


def _add_newer_suite() -> None:
    if _os_release().get("ID") != "debian":
        raise Refused(
            "this release's Docker is too old",
            why=f"the stack needs Engine {ENGINE_MINIMUM} and Compose {COMPOSE_MINIMUM}",
            fix="install Docker from docs.docker.com/engine/install, then run this again",
        )
    SOURCES.write_text(_newer_source())
    PREFERENCES.write_text(PINNED_LOW)


def _newer_source() -> str:
    return f"deb [signed-by={KEYRING}] {_mirror()} {NEWER_SUITE} main\n"


def _mirror() -> str:
    """Return the Debian mirror that this machine already uses."""
    listed = run.capture(["apt-get", "indextargets", "--format", "$(REPO_URI)"], env=_apt_env()).out.split()
    return next((uri for uri in listed if re.search(r"/debian/?$", uri)), DEFAULT_MIRROR)


def _apt(*arguments: str, cwd: Path | None = None) -> None:
    done = run.capture(["apt-get", "--quiet", "--quiet", PATIENCE, *arguments], env=_apt_env(), cwd=cwd)
    if not done.ok:
        raise Refused(
            f"`apt-get {next(word for word in arguments if not word.startswith('-'))}` failed",
            why=(done.err.strip().splitlines() or [f"exit code {done.code}"])[-1],
            fix="mend the machine's package sources, then run this again",
            detail=done.err,
        )


def _apt_env() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


def _need_root() -> None:
    if os.geteuid() != 0:
        raise Refused(
            "installing Docker needs root",
            why=f"this is user {os.geteuid()}, and packages are the machine's",
            fix="run `sudo ./deploy.sh --provision` once; afterwards membership in group docker is enough",
        )


def _refuse_beside_docker_ce() -> None:
    asked = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", "docker-ce"]
    if run.capture(asked).out == "installed":
        raise Refused(
            "Docker from docker.com is here, and too old or without Compose",
            why="the distribution's packages cannot be installed beside it",
            fix="`apt-get install docker-ce docker-ce-cli docker-buildx-plugin docker-compose-plugin`",
        )


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
