"""Releases that are good and bad on purpose, a second each: the starter's ready image and one more layer.

All of them are the real Next.js and Payload. What differs is a file that Node.js loads first
(`variant.cjs`), and one change of the compiled server: Payload's list of migrations continues with what
that file brings along, so that Payload itself runs them, writes them down, and gives up on one that
throws. What stands for what:

- *crashes at once*, *never listens*: a missing module, a start that hangs; none of the site's own code
  has run;
- *is never healthy*: a route that fails, such as one that asks for a column which is not there. Only the
  health route answers 500; all else works, so that a visitor who got through to it would be answered, and
  noticed;
- *blocks its event loop*: an endless loop at the start. The kernel accepts connections, and nothing
  answers;
- *throws half-way*: a migration that has added a column, changed every post and logged everybody out by
  then. Payload runs without transactions here, so all of that stays in the file;
- *deletes child rows*: a table that is rebuilt within a transaction, where `foreign_keys=OFF` does
  nothing;
- *is ill on demand*: as long as there is a file beside its database, its health route answers 500;
- *turns bad*, *exits later*: four seconds after the first healthy answer, when it has long been proven.

One that is bad *in production only* behaves as long as it has no network: as a release does that fails on
something that a trial cannot have.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.site import Site

INITIAL = 'name:"20261122_231435_initial"}'
MORE_MIGRATIONS = (
    f"RUN sed -i 's/{INITIAL}]/{INITIAL},...(globalThis.migrationsOfTests??[])]/' "
    f"$(grep -rlF '{INITIAL}]' .next/server) && grep -rqF migrationsOfTests .next/server"
)


WITHOUT_SETTINGS = (
    "RUN sed -i 's/wal:!0,busyTimeout:5e3,//' $(grep -rlF 'wal:!0,busyTimeout:5e3,' .next/server) "
    "&& ! grep -rqF busyTimeout:5e3 .next/server"
)


@dataclass(frozen=True)
class Variant:
    """One kind of release, and the exit code that an update to it ends with."""

    does: str = "well"
    migration: str = ""
    live: bool = False
    ends: int = 0

    @property
    def good(self) -> bool:
        return self.ends == 0

    def __str__(self) -> str:
        told = self.does if self.does != "well" else self.migration and f"its migration {self.migration}"
        if self.does != "well" and self.migration:
            told += f", its migration {self.migration}"
        return (told or "good") + (", in production only" if self.live else "")


MIGRATION, REWRITE = "adds a column and a table", "rewrites every picture"
GOOD = Variant()
MIGRATES = Variant(migration=MIGRATION)
REWRITES = Variant(migration=REWRITE)

CRASHES = Variant("crashes at once", ends=11)
NEVER_HEALTHY = Variant("is never healthy", ends=11)
NEVER_LISTENS = Variant("never listens", ends=11)
BLOCKED = Variant("blocks its event loop", ends=11)
THROWS = Variant(migration="throws half-way", ends=11)
DELETES = Variant(migration="deletes child rows", ends=11)

CRASHES_LIVE = Variant("crashes at once", live=True, ends=20)
NEVER_HEALTHY_LIVE = Variant("is never healthy", MIGRATION, live=True, ends=20)
BLOCKED_LIVE = Variant("blocks its event loop", live=True, ends=20)
FILLS_LIVE = Variant(migration="fills the disk", live=True, ends=20)
THROWS_LIVE = Variant(migration="throws half-way", live=True, ends=20)

TURNS_BAD = Variant("turns bad", live=True, ends=20)
TURNS_BAD_MIGRATED = Variant("turns bad", MIGRATION, live=True, ends=21)
EXITS_LATER = Variant("exits later", live=True, ends=20)
ILL_ON_DEMAND = Variant("is ill on demand")
EXITS_LATER_MIGRATED = Variant("exits later", MIGRATION, live=True, ends=21)


def check_out(site: Site, image: str, variant: Variant) -> None:
    """Make a site's checkout one that builds a new release of this kind on top of ``image``."""
    told = {
        "VARIANT": variant.does,
        "MIGRATION": variant.migration,
        "MARK": uuid.uuid4().hex[:8],
        "ONLY_LIVE": "yes" if variant.live else "",
    }
    environment = " ".join(f"{name}={json.dumps(value)}" for name, value in told.items())
    preload = Path(__file__).with_name("variant.cjs").read_text()
    site.build_on(
        image,
        "USER root",
        MORE_MIGRATIONS,
        f"COPY <<'PRELOAD' /app/variant.cjs\n{preload}PRELOAD",
        "USER 1000:1000",
        f"ENV {environment}",
        'CMD ["node", "--require", "/app/variant.cjs", "server.js"]',
    )


def as_payload_comes(image: str) -> str:
    """Make an image whose database is opened as Payload does unless told: no WAL, and no wait for a lock."""
    name = f"{image.partition(':')[0]}:as-payload-comes"
    lines = "\n".join((f"FROM {image}", "USER root", WITHOUT_SETTINGS, "USER 1000:1000", ""))
    argv = ["docker", "build", "--quiet", "--tag", name, "-"]
    subprocess.run(argv, input=lines, text=True, capture_output=True, check=True)
    return name
