"""Starting the engine. `dockerd` and `systemctl` are stand-ins; the processes that must live are real."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack.engine import client
from stack.errors import Refused
from stack.host import daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.support.programs import Programs

# `detach` lets its child go on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


class Machine:
    """Where the engine's files lie, whether systemd runs, and after how many questions the engine answers."""

    def __init__(self, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs = programs
        self.systemd = tmp_path / "systemd"
        self.pid_files = (tmp_path / "docker.pid", tmp_path / "containerd.pid")
        self.log = tmp_path / "dockerd.log"
        self.slept: list[float] = []
        self.now = 0.0
        self.silent_for = 2
        monkeypatch.setattr(daemon, "PID_FILES", self.pid_files)
        monkeypatch.setattr(daemon, "LOG", self.log)
        monkeypatch.setattr(daemon, "Path", lambda name: self.systemd if "systemd" in name else Path(name))
        monkeypatch.setattr(daemon, "time", self)
        monkeypatch.setattr(client, "running_version", self._version)
        programs.add("systemctl")
        os.mkfifo(tmp_path / "started")
        self._started = tmp_path / "started"
        programs.add("dockerd", f"echo starting; echo >'{self._started}'")

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def engines_started(self) -> int:
        """Wait until the engine that was started has run, then count its starts."""
        self._started.read_text()
        return len(self.programs.calls("dockerd"))

    def _version(self) -> str | None:
        self.silent_for -= 1
        return None if self.silent_for >= 0 else "28.5.2"


@pytest.fixture
def machine(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine without systemd."""
    return Machine(tmp_path, programs, monkeypatch)


@contextmanager
def process(*argv: str, called: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run a real process, under another name if one is given."""
    command = [called or argv[0], *argv[1:]]
    with subprocess.Popen(command, executable=argv[0], stdin=subprocess.PIPE) as started:
        while started.poll() is None and not Path(f"/proc/{started.pid}/cmdline").read_bytes():
            pass  # it has begun, but has no name yet
        try:
            yield started
        finally:
            started.kill()


def test_systemd_starts_the_engine_and_will_do_so_at_boot(machine: Machine) -> None:
    machine.systemd.mkdir()
    daemon.start()
    assert machine.programs.calls("systemctl") == [["enable", "--now", "docker.service"]]
    assert machine.programs.calls("dockerd") == []
    assert len(machine.slept) == 2


def test_without_systemd_the_engine_is_started_in_a_session_of_its_own(machine: Machine) -> None:
    daemon.start()
    assert machine.engines_started() == 1
    assert machine.programs.calls("systemctl") == []
    assert machine.log.read_text() == "starting\n"


def test_an_engine_that_does_not_start_is_told_with_its_last_lines(machine: Machine) -> None:
    machine.silent_for = 10_000
    machine.log.write_text("".join(f"line {n}\n" for n in range(100)) + "failed to start: no iptables\n")
    with pytest.raises(Refused, match="did not start") as refusal:
        daemon.start()
    machine.engines_started()
    assert "failed to start: no iptables" in refusal.value.detail
    assert "line 80" not in refusal.value.detail
    assert machine.now == pytest.approx(daemon.START_LIMIT, abs=1)


def test_a_systemd_that_refuses_is_quoted(machine: Machine) -> None:
    machine.systemd.mkdir()
    machine.programs.add("systemctl", complains="Unit docker.service is masked.\n", code=1)
    with pytest.raises(Refused, match="did not start") as refusal:
        daemon.start()
    assert refusal.value.detail == "Unit docker.service is masked.\n"


def test_pid_files_of_dead_engines_are_removed(machine: Machine) -> None:
    with process("/bin/true") as ended:
        ended.wait()
    for file in machine.pid_files:
        file.write_text(f"{ended.pid}\n")
    daemon.start()
    machine.engines_started()
    assert [file.exists() for file in machine.pid_files] == [False, False]


def test_pid_files_whose_number_somebody_else_has_now_are_removed(machine: Machine) -> None:
    with process("/bin/sleep", "60") as other:
        machine.pid_files[0].write_text(f"{other.pid}\n")
        daemon.start()
        machine.engines_started()
        assert not machine.pid_files[0].exists()
        assert other.poll() is None


def test_the_pid_file_of_an_engine_that_lives_stays(machine: Machine) -> None:
    with process("/bin/sleep", "60", called="/usr/bin/dockerd") as engine:
        machine.pid_files[0].write_text(str(engine.pid))
        daemon.start()
        machine.engines_started()
        assert machine.pid_files[0].exists()
        assert engine.poll() is None


@pytest.mark.parametrize("content", ["", "garbage", "-1"])
def test_a_pid_file_without_a_number_is_nobodys(content: str, machine: Machine) -> None:
    machine.pid_files[0].write_text(content)
    assert daemon._pid_in(machine.pid_files[0]) is None
    daemon._stop()


def test_an_engine_that_is_replaced_gets_time_to_end(machine: Machine) -> None:
    with process("/bin/sleep", "60", called="dockerd") as engine:
        machine.pid_files[0].write_text(str(engine.pid))
        daemon.restart()
        assert machine.engines_started() == 1
        assert engine.wait(5) == -signal.SIGTERM


def test_systemd_replaces_the_engine(machine: Machine) -> None:
    machine.systemd.mkdir()
    daemon.restart()
    assert machine.programs.calls("systemctl") == [["restart", "docker.service"]]


def test_a_process_that_is_no_engine_is_never_killed(machine: Machine) -> None:
    with process("/bin/sleep", "60") as other:
        machine.pid_files[0].write_text(str(other.pid))
        daemon.restart()
        machine.engines_started()
        assert other.poll() is None


@pytest.mark.parametrize(
    ("called", "arguments"),
    [
        ("tail", ["-f", "/var/log/dockerd.log"]),
        ("vim", ["/etc/containerd/config.toml"]),
        ("/usr/bin/containerd-shim-runc-v2", ["-namespace", "moby"]),
        ("/usr/bin/containerd", ["--config", "/var/run/docker/containerd/containerd.toml"]),
    ],
    ids=["log", "editor", "container", "containerd"],
)
def test_a_process_that_has_to_do_with_an_engine_is_never_killed_either(
    called: str, arguments: list[str], machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    with process("/bin/sh", "-c", "read x", *arguments, called=called) as other:
        machine.pid_files[0].write_text(str(other.pid))
        with monkeypatch.context() as patched:
            patched.setattr(os, "kill", lambda pid, _: killed.append(pid))
            daemon._stop()
    assert killed == []
