"""Sizes and times as people read them."""

from __future__ import annotations

from datetime import datetime, timezone


def human(value: object) -> str:
    """Return a number of bytes as people read it; a dash for what is unknown."""
    if not isinstance(value, int):
        return "-"
    size, unit = float(value), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def duration(value: object) -> str:
    """Return a number of seconds as people read it; a dash for what is unknown."""
    if not isinstance(value, int):
        return "-"
    days, rest = divmod(value, 86400)
    return f"{days} d {rest // 3600} h" if days else f"{rest // 3600} h {rest % 3600 // 60} min {rest % 60} s"


def since(then: datetime) -> int:
    """Return the whole seconds that have passed since a time."""
    return int((datetime.now(timezone.utc) - then).total_seconds())


def age(value: object) -> str:
    """Return a number of seconds in the largest unit that fits; a dash for what is unknown."""
    if not isinstance(value, int):
        return "-"
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if value >= seconds:
            return f"{value // seconds} {unit}"
    return f"{value} s"
