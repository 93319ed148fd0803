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
PROOF = tuple(f"tests/stories/test_proof_{part}.py" for part in ("ways", "hold", "build", "gate"))
TABLES = {
    "updates": "Updates under load",
    "ways": "Four ways to replace a release",
    "ways-as-payload-comes": "The same without WAL and without a time-out",
    "hold": "How long visitors wait",
    "build": "A change of one line",
    "gate-rates": "What the gate costs",
    "gate-answers": "What the gate costs one request",
}


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


def update(root: Path, *, full: bool, proof_only: bool = False, picture: str = "") -> None:
    """Update a site again and again while visitors come, and set what we do beside what others do.

    Prints what was seen as Markdown. ``full`` is the long form: 24 updates, with the settings that everybody
    has; ``proof_only`` leaves those out, and ``picture`` names the file to draw the comparison into.
    """
    devtools.ensure(root)
    chosen = [*([] if proof_only else [UNDER_LOAD]), *PROOF]
    options = ["--proof", *(["--full"] if full else []), *(["--picture", picture] if picture else [])]
    with tempfile.TemporaryDirectory() as place:
        argv = devtools.python("pytest", *chosen, "--tables", place, *options)
        passed = devtools.passes(argv, root)
        tables = [(name, Path(place, f"{name}.md")) for name in TABLES]
        for name, file in tables:
            if file.exists():
                console.result(f"## {TABLES[name]}\n\n{file.read_text()}")
        if not any(file.exists() for _, file in tables):
            console.result("nothing was measured")
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
