"""Names of releases: when they were built, and from what."""

from __future__ import annotations

import re
from datetime import datetime, timezone

STAMP = "%Y%m%dT%H%M%SZ"
MIGRATOR = "-migrator"


def name(when: datetime, of: str) -> str:
    """Return ``20261122T181500Z-0123456789ab``: sorts by time, is a valid image tag."""
    return f"{when:{STAMP}}-{of}"


def migrator(image: str) -> str:
    """Return the name of the image that migrates for a release, and comes and goes with its own."""
    return image + MIGRATOR


def built(release: str) -> datetime | None:
    """Return when a release was built, in UTC; None where its name does not tell."""
    found = re.fullmatch(rf"(\d{{8}}T\d{{6}}Z)-(?!.*{MIGRATOR}$)[\w-]+", release)
    return datetime.strptime(found[1], STAMP).replace(tzinfo=timezone.utc) if found else None


def revision(release: str) -> str:
    """Return what a release was built from: a commit, or that there was none; empty where it is not told."""
    return release.partition("-")[2] if built(release) else ""


def image(site: str, release: str) -> str:
    return f"{site}:{release}"


def of_image(image: str) -> str:
    """Return the release that an image's name carries; the whole name where it is not one of ours."""
    found = re.fullmatch(r"[^/:@]+:(\d{8}T\d{6}Z-[\w-]+)", image)
    return found.group(1) if found else image
