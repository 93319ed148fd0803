"""Names of releases: when they were built, and from what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def name(built: datetime, revision: str) -> str:
    """Return ``20261122T181500Z-0123456789ab``: sorts by time, is a valid image tag."""
    return f"{built:%Y%m%dT%H%M%SZ}-{revision}"


def image(site: str, release: str) -> str:
    return f"{site}:{release}"


def of_image(image: str) -> str:
    """Return the release that an image's name carries; the whole name where it is not one of ours."""
    found = re.fullmatch(r"[^/:@]+:(\d{8}T\d{6}Z-[\w-]+)", image)
    return found.group(1) if found else image
