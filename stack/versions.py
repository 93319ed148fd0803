"""The oldest engine and Compose that do what the stack needs, and how versions compare."""

from __future__ import annotations

import re

ENGINE_MINIMUM = "25.0"  # start_interval of health checks
COMPOSE_MINIMUM = "2.24"  # additional_contexts with variables, `env_file` with attributes


def at_least(version: str, minimum: str) -> bool:
    """Compare the leading numbers of two versions: ``28.5.2+dfsg4`` is at least ``25.0``."""
    wanted = _numbers(minimum)
    found = _numbers(version)
    return found + (0,) * (len(wanted) - len(found)) >= wanted


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()
