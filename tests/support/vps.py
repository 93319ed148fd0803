"""A VPS as one rents it: a bare Debian in a privileged container, with an engine of its own to come.

Everything on it happens over ssh, as a person would. It is removed at the end of the session; what a run
that was broken off left behind is removed by the next one.
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import tarfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docker.types import Mount

from tests.support.site import Site, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient
    from docker.models.containers import Container

ENGINE_DATA = "/var/lib/docker"
TIMEOUT = 600  # seconds for one command; provisioning and a first build take about 180
PATIENCE = 60  # seconds until something that was started answers
LET_IN = 'install -d -m 700 /root/.ssh && echo "$OWNER" > /root/.ssh/authorized_keys'
SERVE = f"{LET_IN} && mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e"
BOOT = f"{LET_IN} && exec /lib/systemd/systemd"
UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
LEGACY = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"  # or it refuses


@dataclass(frozen=True)
class Door:
    """How one gets in: a key of this session, and the only host key that is accepted."""

    port: int
    key: Path
    known_hosts: Path

    def ssh(self, user: str, *options: str) -> list[str]:
        trusted = [f"-oUserKnownHostsFile={self.known_hosts}", "-oStrictHostKeyChecking=yes"]
        alone = ["-F", "none", "-oBatchMode=yes", "-oIdentitiesOnly=yes", "-oLogLevel=ERROR"]
        way = ["-i", str(self.key), "-p", str(self.port)]
        return ["ssh", *alone, *trusted, *way, *options, f"{user}@127.0.0.1"]


@dataclass(frozen=True)
class Vps:
    """One server. ``door`` is of use to whatever else speaks ssh."""

    container: Container
    door: Door

    def run(
        self, script: str, *, user: str = "root", directory: str = ".", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Let somebody type lines in a directory, until one fails."""
        typed = f"cd {shlex.quote(directory)}\n{script}"
        return subprocess.run(
            [*self.door.ssh(user), f"bash -ec {shlex.quote(typed)}"],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def says(self, script: str, *, user: str = "root", directory: str = ".") -> str:
        """Return what a script that must succeed prints."""
        done = self.run(script, user=user, directory=directory)
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return done.stdout

    def add_user(self, name: str) -> None:
        """Make an ordinary user who may log in with the same key."""
        self.says(
            f"useradd --create-home --shell /bin/bash {name}\n"
            f"cp -r .ssh /home/{name} && chown -R {name}: /home/{name}/.ssh"
        )

    def start_engine(self) -> None:
        self.says("setsid --fork dockerd </dev/null >>/var/log/dockerd.log 2>&1")
        self.wait_for("docker version")

    def stop_engine(self) -> None:
        """End the engine named in its pid file; its containers end with it."""
        pid = self.says("cat /var/run/docker.pid").strip()
        self.says(f"kill {pid}")
        self.wait_for(f"! kill -0 {pid}")

    def lose_power(self) -> None:
        """End all that runs at once, and start the machine again; what is on its disks stays."""
        self.container.kill()
        self.container.start()
        _until_it_lets_in(self)

    def wait_for(self, condition: str) -> None:
        """Try a command until it succeeds."""
        deadline = time.monotonic() + PATIENCE
        while (tried := self.run(condition)).returncode != 0:
            assert time.monotonic() < deadline, f"{condition}\n{tried.stderr}"
            time.sleep(0.2)

    def put(self, tree: Path, place: str) -> None:
        """Copy a directory's contents to the server, as root's."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(tree, arcname=place.lstrip("/"), filter=_owned_by_root)
        self.container.put_archive("/", packed.getvalue())

    def learn_of(self, other: Vps, *names: str) -> None:
        """Let root here reach another server by names, with the same key and no question asked."""
        (network,) = other.container.attrs["NetworkSettings"]["Networks"].values()
        address = network["IPAddress"]
        host_key = " ".join(other.says("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
        self.says(f"echo {address} {' '.join(names)} >> /etc/hosts")
        self.says("".join(f"echo {name} {host_key} >> .ssh/known_hosts\n" for name in names))
        done = self.run("umask 077\ncat > .ssh/id_ed25519", stdin=self.door.key.read_text())
        assert done.returncode == 0, done.stderr

    @contextmanager
    def visited(self, site: str) -> Iterator[Site]:
        """Bring a site's port 3000 here through ssh; give what its visitors see of it."""
        port = free_port()
        forward = ["-N", "-oExitOnForwardFailure=yes", f"-L127.0.0.1:{port}:127.0.0.1:3000"]
        tunnel = subprocess.Popen(self.door.ssh("root", *forward))
        try:
            visible = Site(root=self.door.key.parent, name=site, port=port, network="proxy")
            _until_healthy(visible)
            yield visible
        finally:
            tunnel.terminate()
            tunnel.wait()


@contextmanager
def rented(
    client: DockerClient, image: str, key: Path, labels: dict[str, str], *, boots: bool
) -> Iterator[Vps]:
    """Run a server of that image until it is given back."""
    owner = key.with_suffix(".pub").read_text().strip()
    cmdline = "" if UNIFIED.exists() else LEGACY
    mounts = [Mount(ENGINE_DATA, None, type="volume")]  # overlay2 cannot lie on overlay2
    container = client.containers.run(
        image,
        ["sh", "-c", BOOT if boots else SERVE],
        cgroupns="private",
        environment={"OWNER": owner, "container": "docker", "SYSTEMD_PROC_CMDLINE": cmdline},
        hostname="vps",
        init=not boots,
        labels=labels,
        mounts=mounts,
        name=f"test-vps-{os.urandom(3).hex()}",
        ports={"22/tcp": ("127.0.0.1", free_port())},  # the same after each start
        privileged=True,
        detach=True,
    )
    try:
        vps = Vps(container, _door(container, key))
        _until_it_lets_in(vps)
        yield vps
    finally:
        container.remove(v=True, force=True)


def _door(container: Container, key: Path) -> Door:
    """Learn port and host key from the container itself, not from whoever answers at a port."""
    container.reload()
    port = int(container.attrs["NetworkSettings"]["Ports"]["22/tcp"][0]["HostPort"])
    code, host_key = container.exec_run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"])
    assert isinstance(host_key, bytes)
    assert code == 0, host_key
    known_hosts = key.with_name(f"known_hosts-{port}")
    known_hosts.write_text(f"[127.0.0.1]:{port} {host_key.decode()}")
    return Door(port, key, known_hosts)


def _until_it_lets_in(vps: Vps) -> None:
    deadline = time.monotonic() + PATIENCE
    while (tried := vps.run("true")).returncode != 0:
        assert time.monotonic() < deadline, tried.stderr + vps.container.logs().decode()
        time.sleep(0.1)


def _until_healthy(site: Site) -> None:
    deadline = time.monotonic() + PATIENCE
    while not site.is_healthy():
        assert time.monotonic() < deadline, "the site does not answer through the tunnel"
        time.sleep(0.2)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
