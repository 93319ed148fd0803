"""What our commands cost beside plain Compose: medians of alternating runs, on this machine, in one go."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from stack import compose, console, run, settings
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def deploy(root: Path, *, rounds: int) -> None:
    """Set a deploy with nothing to do beside `docker compose up --wait`; print medians in seconds."""
    site = settings.load(root)
    plain = compose.environment(site)
    ours = [str(root / "bin/inv"), "deploy"]
    _seconds(ours, root, plain)  # whatever there was to do is done now
    commands = {"compose up --wait": compose.up(wait=True), "deploy": ours, "inv --list": [ours[0], "--list"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, argv in commands.items():
            times[name].append(_seconds(argv, root, plain))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, taken in medians.items():
        console.result(f"{name:<20} {taken:6.2f} s")
    goal = 1.5 * medians["compose up --wait"] + 1
    console.result(f"{'goal for deploy':<20} {goal:6.2f} s  (1.5 x compose + 1 s)")


def _seconds(argv: list[str], root: Path, env: Mapping[str, str]) -> float:
    began = time.monotonic()
    done = run.capture(argv, cwd=root, env=env)
    if not done.ok:
        raise Refused(f"`{done.command}` failed", why=done.err.strip()[-500:], fix="`./deploy.sh` first")
    return time.monotonic() - began
