"""Compose's own understanding of files. `docker compose config` needs the client, but no engine."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def config(directory: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Return what Compose prints; a complaint of its own, or a machine without it, fails the test."""
    asked = _compose("config", *arguments, cwd=directory, env=env)
    if asked.returncode != 0 and _compose("version", cwd=directory).returncode != 0:
        pytest.fail("Compose is not on this machine: `bin/inv provision` installs it", pytrace=False)
    assert (asked.returncode, asked.stderr) == (0, "")
    return asked.stdout


def _compose(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    argv = ["docker", "compose", *arguments]
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
