"""Databases of a size: rows that nobody reads, written while the application is stopped, as its own user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import settings

if TYPE_CHECKING:
    from docker import DockerClient

    from tests.support.site import Site

MB = 1_000_000
FILL = """
const { DatabaseSync } = require('node:sqlite')
const { statSync } = require('node:fs')
const database = new DatabaseSync('/data/payload.db')
database.exec('create table if not exists ballast (id integer primary key, content text)')
const add = database.prepare(`
  with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
  insert into ballast (content) select hex(randomblob(2000)) from n`)
const size = database.prepare(
  'select page_count * page_size as bytes from pragma_page_count, pragma_page_size')
while (size.get().bytes < %d) add.run()
database.exec('pragma wal_checkpoint(truncate)')
database.close()
console.log(statSync('/data/payload.db').size)
"""


def fill(client: DockerClient, site: Site, size: int) -> int:
    """Let a site's database grow to ``size`` bytes at least; return how many it has then."""
    mine = settings.load(site.root)
    site.compose("stop", "app")
    told = client.containers.run(
        mine.app_image,
        ["node", "-e", FILL % size],
        name=f"{site.name}-ballast",
        volumes=[f"{mine.db_volume}:/data"],
        network_mode="none",
        remove=True,
    )
    site.compose("start", "app")
    return int(told)
