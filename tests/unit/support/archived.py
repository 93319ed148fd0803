"""Sound archives of the site `shop`, as small as they can be."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from stack import archive
from stack.manifest import DATABASE, Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CREATED = datetime(2026, 11, 23, 5, 15, 58, tzinfo=timezone.utc)
FILES = {DATABASE: b"pages of a database\n", "media/photo.jpg": b"a photo\n"}
TOLD = Manifest(
    site="shop",
    release="20261122T181500Z-0123456789ab",
    image="sha256:dcb41b89d248",
    created="2026-11-23T05:15:58Z",
    journal_mode="wal",
    user_version=0,
    migrations=("20260101_000000",),
    rows={"payload_migrations": 1, "posts": 3},
    media=True,
    members=(),
)


def write(path: Path, files: Mapping[str, bytes] = FILES, **changes: Any) -> Manifest:
    """Write an archive of ``files``; ``changes`` are those of its manifest."""
    with archive.Writer(path, created=CREATED) as writer:
        members = tuple(writer.add(name, len(data), io.BytesIO(data)) for name, data in files.items())
        manifest = replace(TOLD, **{"members": members, **changes})
        writer.finish(manifest)
    return manifest
