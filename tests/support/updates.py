"""Updates of a site while visitors come, and what each of them did to the visitors and to the data."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import contents, markdown, restoring, variants, visitors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.contents import Rows
    from tests.support.load import Request
    from tests.support.site import Site
    from tests.support.variants import Variant
    from tests.support.visitors import Summary
    from tests.support.writers import Writing

HEAD = (
    "",
    "the release",
    "exit",
    "took",
    "nobody answered",
    "slowest request",
    "requests",
    "failed",
    "answered by",
)
NUMBERS = (0, 2, 3, 4, 5, 6, 7)  # the columns that are aligned to the right


@dataclass(frozen=True)
class Update:
    """One update. ``release`` is empty where it was refused; ``harm`` says what it did to the rows then."""

    variant: Variant
    code: int
    began: float
    ended: float
    release: str
    told: str
    harm: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Course:
    """Some updates in a row under load, and all that was seen from outside meanwhile."""

    first: str
    updates: tuple[Update, ...]
    requests: tuple[Request, ...]
    writing: Writing
    lost: Mapping[int, str]
    twice: frozenset[str]

    @property
    def total(self) -> Summary:
        return visitors.summary(self.requests)

    @property
    def accepted(self) -> frozenset[str]:
        """Return the releases that a visitor may see."""
        return frozenset({self.first, *(update.release for update in self.updates if update.release)})

    def during(self, number: int) -> Summary:
        """Sum up what was asked from the beginning of an update to the beginning of the next."""
        later = self.updates[number + 1 :]
        until = later[0].began if later else float("inf")
        return visitors.summary(self.requests, self.updates[number].began, until)


def perform(site: Site, image: str, variant: Variant) -> Update:
    """Update to a release of this kind; where that is refused, compare the rows with those before."""
    before = {} if variant.good else rows(site)
    variants.check_out(site, image, variant)
    began = time.monotonic()
    done = site.run("./deploy.sh")
    ended = time.monotonic()
    release = done.stdout.splitlines()[-1] if done.stdout else ""
    harm = "" if variant.good else changed(before, rows(site))
    return Update(variant, done.returncode, began, ended, release, done.stderr, harm)


def rows(site: Site) -> Rows:
    archive = restoring.last_line(site.run("./backup.sh", "--db-only"))
    return contents.rows(site.root / archive)


def changed(before: Rows, after: Rows) -> str:
    """Name the tables that are not as they were; posts may have come along."""
    tables = sorted({*before, *after} - {"posts"})
    different = [table for table in tables if before.get(table) != after.get(table)]
    gone = set(before["posts"]) - set(after["posts"])
    return ", ".join([*different, *([f"{len(gone)} post(s)"] if gone else [])])


def table(course: Course) -> str:
    """Return a course as a table in Markdown; releases carry the number of the update that brought them."""
    names = {course.first: 0, **{update.release: number for number, update in enumerate(course.updates, 1)}}
    lines = [_line(course, number, names) for number in range(len(course.updates))]
    return markdown.table(HEAD, lines, numbers=NUMBERS)


def _line(course: Course, number: int, names: Mapping[str, int]) -> tuple[str, ...]:
    update, seen = course.updates[number], course.during(number)
    answered = sorted(names.get(release, -1) for release in seen.releases)
    return (
        str(number + 1),
        str(update.variant),
        str(update.code),
        f"{update.seconds:.0f} s",
        f"{seen.silence:.1f} s",
        f"{seen.slowest:.1f} s",
        str(seen.requests),
        str(len(seen.failed)),
        ", ".join(map(str, answered)),
    )


def totals(course: Course) -> str:
    total, writing = course.total, course.writing
    doors = ", ".join(f"{name} {count}" for name, count in total.by_door.items())
    return (
        f"- {total.requests} requests ({doors}), {visitors.rate(course.requests):.1f} a second; "
        f"{len(total.failed)} failed; the latest was sent {total.late:.2f} s after it was due\n"
        f"- {len(total.acknowledged)} posts acknowledged; {len(course.lost)} lost, "
        f"{len(course.twice)} written twice\n"
        f"- at most {writing.most} process with the database open for writing, in {writing.samples} samples, "
        f"{writing.gap:.2f} s at most between two\n"
        f"- at most {writing.most_applications} application running, of {writing.starts + 1} in all"
    )
