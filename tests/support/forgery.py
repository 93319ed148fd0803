"""Archives that are not what they seem: every sum is right, and still they are not to be believed."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from stack import archive
from stack.archive import Writer
from stack.manifest import DATABASE
from tests.support import contents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def written(source: Path, target: Path, *, database: bytes | None = None, **claims: Any) -> Path:
    """Copy an archive, with another database inside or with other claims in its manifest."""
    told = archive.check(source)
    files = {member.name: contents.member(source, member.name) for member in told.members}
    files |= {DATABASE: database} if database is not None else {}
    with Writer(target, created=datetime.now(timezone.utc)) as writer:
        members = tuple(writer.add(name, len(data), io.BytesIO(data)) for name, data in files.items())
        writer.finish(replace(told, **{**claims, "members": members}))
    return target


def emptied(source: Path, scratch: Path) -> tuple[bytes, Mapping[str, int]]:
    """Return an archive's database as it is after its migrations, and how many rows that has."""
    scratch.write_bytes(contents.member(source, DATABASE))
    told = {name: count if name.startswith("payload_") else 0 for name, count in _rows(source).items()}
    with closing(sqlite3.connect(scratch)) as database, database:
        for name in (name for name, count in told.items() if not count):
            database.execute(f'delete from "{name}"')  # noqa: S608 - names of our own tables
    return scratch.read_bytes(), told


def retitled(source: Path, scratch: Path, before: str, after: str) -> bytes:
    """Return an archive's database with another title of a post."""
    scratch.write_bytes(contents.member(source, DATABASE))
    with closing(sqlite3.connect(scratch)) as database, database:
        changed = database.execute("update posts set title = ? where title = ?", (after, before))
        assert changed.rowcount == 1
    return scratch.read_bytes()


def corrupted(source: Path, scratch: Path) -> bytes:
    """Return an archive's database with a page of the table of posts overwritten."""
    data = contents.member(source, DATABASE)
    scratch.write_bytes(data)
    with closing(sqlite3.connect(scratch)) as database:
        ((root,),) = database.execute("select rootpage from sqlite_schema where name = 'posts'").fetchall()
        ((size,),) = database.execute("pragma page_size").fetchall()
    place = (root - 1) * size
    end = place + size
    return b"".join((data[:place], b"\xde" * size, data[end:]))


def _rows(source: Path) -> Mapping[str, int]:
    return archive.check(source).rows
