"""What a site holds: as its visitors see it, on its volumes, and in an archive row by row."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import archive, settings
from stack.compression import CHUNK
from stack.manifest import DATABASE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stack.archive import Reader
    from tests.support.site import Site

Rows = dict[str, list[tuple[object, ...]]]
RECORDS = """
const { DatabaseSync } = require('node:sqlite')
const file = process.env.DATABASE_URI.replace('file:', '')
const database = new DatabaseSync(file, { readOnly: true, timeout: 30000 })
const made = "select * from sqlite_schema where name not like 'sqlite_%' order by name"
const schema = database.prepare(made).all()
const tables = schema.filter(({ type }) => type === 'table').map(({ name }) => name)
database.exec('begin')
const rows = tables.map((name) => [name, database.prepare(`select * from "${name}"`).all()])
console.log(JSON.stringify([['sqlite_schema', schema.map(({ rootpage, ...told }) => told)], ...rows]))
"""


@dataclass(frozen=True)
class Contents:
    """Titles of posts by their ids, sums of uploaded files by their names."""

    posts: dict[int, str]
    files: dict[str, str]


def of(site: Site) -> Contents:
    """Ask for every record and every byte of every upload, through the gate."""
    posts = site.get("/api/posts?limit=10000&depth=0").json()["docs"]
    media = site.get("/api/media?limit=10000&depth=0").json()["docs"]
    return Contents(
        {post["id"]: post["title"] for post in posts},
        {each["filename"]: _sum(site, each["url"]) for each in media},
    )


def rows(path: Path) -> Rows:
    """Return every row of the database in an archive, by table."""
    with tempfile.TemporaryDirectory() as scratch:
        file = f"{scratch}/payload.db"
        with open(file, "wb") as target:  # noqa: PTH123 - its name is wanted as text
            target.write(member(path, DATABASE))
        with closing(sqlite3.connect(file)) as database:
            tables = database.execute("select name from sqlite_schema where type = 'table'").fetchall()
            return {name: database.execute(f'select * from "{name}"').fetchall() for (name,) in tables}  # noqa: S608


def records(site: Site) -> Rows:
    """Return every row of the database that the running application has open, by table, and its schema."""
    told = json.loads(site.inside("app", "node", "-e", RECORDS))
    return {table: [tuple(row.values()) for row in rows] for table, rows in told}


def member(path: Path, name: str) -> bytes:
    """Return one member of an archive."""
    found = archive.members(path, archive.check(path), wanted=lambda each: each == name)
    return b"".join(piece for _, reader in found for piece in _pieces(reader))


def _pieces(reader: Reader) -> Iterator[bytes]:
    while piece := reader.read(CHUNK):
        yield piece


def volumes(site: Site) -> set[str]:
    """Return the names of all volumes that were made for a site."""
    mine = f"label=com.docker.compose.project={site.name}"
    return set(site.run("docker", "volume", "ls", "--quiet", "--filter", mine).stdout.split())


def look(site: Site, volume: str, script: str) -> str:
    """Return what a shell says in a directory that is a volume; it cannot change anything there."""
    image = settings.load(site.root).gate_image
    beside = ("--rm", "--network", "none", "--volume", f"{volume}:/volume:ro", "--workdir", "/volume")
    done = site.run("docker", "run", *beside, "--entrypoint", "sh", image, "-ec", script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sums(site: Site, volume: str) -> str:
    """Return names and sums of all files on a volume, but for the index that each open makes anew."""
    return look(site, volume, "find . -type f ! -name '*-shm' | sort | xargs -r sha256sum")


def _sum(site: Site, url: str) -> str:
    answer = site.get(url[url.index("/api/") :])
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()
