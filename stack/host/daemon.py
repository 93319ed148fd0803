"""Start the Docker engine: by systemd where there is one, in a session of its own where there is none."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from stack import run
from stack.errors import Refused

ENGINE = "dockerd"
PID_FILES = (Path("/var/run/docker.pid"), Path("/var/run/docker/containerd/containerd.pid"))
LOG = Path("/var/log/dockerd.log")
START_LIMIT = 60  # seconds; seen: 1-5
STOP_LIMIT = 30


def start() -> None:
    """Start the engine and wait until it answers."""
    if Path("/run/systemd/system").is_dir():
        _systemctl("enable", "--now", "docker.service")
    else:
        _forget_dead_engines()
        run.detach(["dockerd"], log=LOG)
    _wait_until_it_answers()


def restart() -> None:
    """Replace the engine that runs by the one that is installed."""
    if Path("/run/systemd/system").is_dir():
        _systemctl("restart", "docker.service")
        _wait_until_it_answers()
    else:
        _stop()
        start()


def _stop() -> None:
    """End the engine named in its pid file, and that one only."""
    pid = _pid_in(PID_FILES[0])
    if pid is None or not _is(ENGINE, pid):
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_LIMIT
    while _is(ENGINE, pid) and time.monotonic() < deadline:
        time.sleep(0.2)


def _forget_dead_engines() -> None:
    """Remove pid files that a machine put away in mid-flight left: a new engine would refuse to start."""
    for file, program in zip(PID_FILES, (ENGINE, "containerd"), strict=True):
        pid = _pid_in(file)
        if pid is not None and not _is(program, pid):
            file.unlink()


def _pid_in(file: Path) -> int | None:
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text.isdigit() else None


def _is(program: str, pid: int) -> bool:
    """Tell whether ``pid`` is that program: after a reboot the number can be anybody's."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return Path(os.fsdecode(command[0])).name == program


def _systemctl(*arguments: str) -> None:
    done = run.capture(["systemctl", *arguments])
    if not done.ok:
        raise _did_not_start(done.err)


def _wait_until_it_answers() -> None:
    from stack.engine.client import running_version  # noqa: PLC0415 - the Docker SDK is heavy

    deadline = time.monotonic() + START_LIMIT
    while running_version() is None:
        if time.monotonic() > deadline:
            raise _did_not_start(_last_lines(LOG))
        time.sleep(0.2)


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""


def _did_not_start(detail: str) -> Refused:
    return Refused(
        "the Docker engine did not start",
        why=f"nothing answered at its socket within {START_LIMIT} s",
        fix=f"read {LOG} or `journalctl -u docker`",
        detail=detail,
    )
