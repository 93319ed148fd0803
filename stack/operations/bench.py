"""What our commands cost: beside plain Compose, and to visitors; on this machine, in one go."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from stack import compose, console, devtools, run, settings
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

UNDER_LOAD = "tests/stories/test_update_under_load.py"


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


def update(root: Path, *, full: bool) -> None:
    """Update a site of its own again and again while visitors come; print what they saw, as Markdown.

    ``full`` is the long form: 24 updates, with the settings that everybody has.
    """
    devtools.ensure(root)
    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "table.md"
        argv = devtools.python("pytest", UNDER_LOAD, "--table", str(table), *(["--full"] if full else []))
        passed = devtools.passes(argv, root)
        console.result(table.read_text() if table.exists() else "nothing was measured")
    if not passed:
        raise Refused(
            "an update did not keep what is promised",
            why="the figures above show which",
            fix="read what the test says",
        )


def _seconds(argv: list[str], root: Path, env: Mapping[str, str]) -> float:
    began = time.monotonic()
    done = run.capture(argv, cwd=root, env=env)
    if not done.ok:
        raise Refused(f"`{done.command}` failed", why=done.err.strip()[-500:], fix="`./deploy.sh` first")
    return time.monotonic() - began
