"""Where VPSs come from: Debian systems made of packages, a key, and this repository to clone."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from stack import run
from stack.engine import images
from stack.host import packages
from stack.host.standins import CERTIFICATES
from tests.support import vps
from tests.support.site import copy_of_checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.vps import Vps

LABEL, OWNER = "payload-stack-test", "payload-stack-test-owner"
SCRATCH = "payload-stack-vps-"
ADDRESS = "https://example.com/payload-vps-stack.git"  # stands in the README
REPOSITORY = "/srv/payload-vps-stack.git"
NEEDED = {  # files by the package that has them, on the machine that runs the tests
    "mmdebstrap": "/usr/bin/mmdebstrap",  # half of debootstrap's time, and it writes a tar
    "openssh-client": "/usr/bin/ssh",
    "debian-archive-keyring": packages.KEYRING,
}
MIRROR_SETTINGS = ("Acquire::Check-Valid-Until ", "Acquire::http::Proxy ", "Acquire::https::Proxy ")
FASTER = ("force-unsafe-io", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/doc/*")


@dataclass(frozen=True)
class System:
    """What is on a VPS the first time that its owner logs in; one that ``boots`` has systemd at work."""

    suite: str
    packages: tuple[str, ...]
    boots: bool = False


FRESH = System(
    "trixie",
    ("openssh-server", "python3", "ca-certificates", "curl", "sudo", "iproute2", "procps", "systemd-sysv"),
)
BOOTING = replace(FRESH, boots=True)
OLD_ENGINE = System("bookworm", (*FRESH.packages, "python3-venv", "git", "docker.io", "iptables"))


@contextmanager
def opened(client: DockerClient) -> Iterator[Callable[[System], Vps]]:
    """Give a function that rents VPSs; they, their images and the key go at the end."""
    _remove_what_broken_runs_left(client)
    _install_what_is_needed()
    me = _process(os.getpid())
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{me}-")))
        scratch.chmod(0o711)  # apt's own user downloads below it
        key, repository = _key(scratch), _repository(scratch)

        @cache
        def image(system: System) -> str:
            return stack.enter_context(_image(client, system, scratch, me))

        def rent(system: System) -> Vps:
            labels = {LABEL: "vps", OWNER: me}
            disk = image(replace(system, boots=False))
            server = stack.enter_context(vps.rented(client, disk, key, labels, boots=system.boots))
            server.put(repository, REPOSITORY)
            return server

        yield rent


@contextmanager
def _image(client: DockerClient, system: System, scratch: Path, owner: str) -> Iterator[str]:
    name, archive = f"test-vps:{system.suite}-{owner}", scratch / f"{system.suite}.tar"
    _run(_bootstrap(system, scratch, archive), env={**os.environ, "TMPDIR": str(scratch)})
    images.import_rootfs(client, archive, name, (f"LABEL {LABEL}=vps {OWNER}={owner}",))
    archive.unlink()
    try:
        yield name
    finally:
        client.images.remove(name, force=True)


def _bootstrap(system: System, scratch: Path, archive: Path) -> list[str]:
    """Build the command; the VPS trusts the certificates that this machine trusts."""
    pip, git = scratch / "pip.conf", scratch / "gitconfig"
    pip.write_text(f"[global]\ncert = {CERTIFICATES}\n")
    git.write_text(f'[url "file://{REPOSITORY}"]\n\tinsteadOf = {ADDRESS}\n[safe]\n\tdirectory = *\n')
    files = {CERTIFICATES: CERTIFICATES, pip: "/etc/pip.conf", git: "/etc/gitconfig"}
    unseen = ["unshare", "--mount"] if os.geteuid() == 0 else []  # its mounts end with it, however it ends
    return [
        *unseen,
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--keyring={packages.KEYRING}",
        *(f"--dpkgopt={option}" for option in FASTER),
        *(f"--aptopt={line}" for line in _ways_to_the_mirror()),
        f"--include={','.join(system.packages)}",
        *(f"--customize-hook=upload {here} {there}" for here, there in files.items()),
        system.suite,
        str(archive),
        packages._mirror(),
    ]


def _ways_to_the_mirror() -> list[str]:
    """Return how this machine's apt reaches its mirror: through a proxy, or though the mirror is frozen."""
    dumped = run.capture(["apt-config", "dump"]).out.splitlines()
    return [line for line in dumped if line.startswith(MIRROR_SETTINGS)]


def _key(scratch: Path) -> Path:
    key = scratch / "id_ed25519"
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    return key


def _repository(scratch: Path) -> Path:
    """Make a bare repository of this checkout, with what is not committed yet."""
    bare, tree = scratch / "payload-vps-stack.git", copy_of_checkout(scratch / "tree")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    _run([*git, "init", "--quiet", "--initial-branch=main"], cwd=tree)
    _run([*git, "add", "--all", "--force"], cwd=tree)
    _run([*git, "commit", "--quiet", "--no-verify", "--message=This checkout"], cwd=tree)
    _run([*git, "clone", "--quiet", "--bare", str(tree), str(bare)])
    return bare


def _install_what_is_needed() -> None:
    missing = [package for package, file in NEEDED.items() if not Path(file).exists()]
    if missing:
        packages._need_root()
        packages._apt("update")
        packages._apt("install", "--yes", "--no-install-recommends", *missing)


def _remove_what_broken_runs_left(client: DockerClient) -> None:
    """Remove servers, images and directories whose owner is no more; another run's stay."""
    for container in client.containers.list(all=True, filters={"label": f"{LABEL}=vps"}):
        if _is_gone(container.labels[OWNER]):
            container.remove(v=True, force=True)
    for image in client.images.list(filters={"label": f"{LABEL}=vps"}):
        if _is_gone(image.labels[OWNER]):
            client.images.remove(str(image.id), force=True)
    for directory in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"):
        if _is_gone(directory.name.removeprefix(SCRATCH).rpartition("-")[0]):
            # a bootstrap that outlived its run may be at work there: the next run removes the rest
            subprocess.run(["rm", "-rf", "--one-file-system", str(directory)], check=False)


def _is_gone(owner: str) -> bool:
    return _process(int(owner.partition("-")[0])) != owner


def _process(pid: int) -> str:
    """Name a process for good: numbers come again, but not with the same start; one that ended has none."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        started = "gone"
    return f"{pid}-{started}"


def _run(argv: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stderr}"
