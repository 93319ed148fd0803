"""The steps of a deploy, in the order in which it takes them, under the titles by which it tells them."""

from __future__ import annotations

from dataclasses import dataclass

VERSION, BUILD = "Newest version", "Build"


@dataclass(frozen=True)
class Course:
    """What the steps depend on.

    ``begins`` is what an update begins with, ``pulls`` an image that is not here. ``prunes``: old images go,
    ``empties``: old volumes. ``swaps``: a release has served this data, ``same``: its container would be made
    again as it is. ``old``: there is a container, ``serves``: it runs. ``command``: Payload's own migrates.
    ``gate``: visitors can wait, ``paged``: they see a page meanwhile.
    """

    network: str
    begins: str = ""
    pulls: str = ""
    prunes: bool = False
    empties: bool = False
    builds: bool = False
    swaps: bool = False
    same: bool = False
    old: bool = False
    serves: bool = False
    command: bool = False
    gate: bool = False
    paged: bool = False

    @property
    def replaces(self) -> bool:
        """Whether another container takes the place of the one that served."""
        return self.swaps and not self.same


def steps(course: Course) -> list[str]:
    """Return the titles; that of a build goes on with the name of the release."""
    return [title for title, taken in [*_prepare(course), *_swap(course), *_up(course)] if taken]


def _prepare(course: Course) -> list[tuple[str, bool]]:
    return [
        (course.begins, bool(course.begins)),
        ("Environment file", True),
        (f"Network {course.network}", True),
        ("Data", True),
        (f"Pull {course.pulls}", bool(course.pulls)),
        ("What changed", True),
        ("Remove old releases", course.prunes),
        ("Remove old volumes", course.empties),
        ("Room for the build", course.builds),
        (BUILD, course.builds),
    ]


def _swap(course: Course) -> list[tuple[str, bool]]:
    replaces = course.replaces
    return [
        ("New container", course.swaps),
        ("Back up the database", replaces),
        ("Fill a scratch volume", replaces),
        ("Migrate", replaces and course.command),
        ("Trial", replaces),
        ("Maintenance", replaces and course.paged),
        ("Visitors wait, requests end", replaces and course.gate),
        ("Stop the old release", replaces and course.old),
        ("Keep its database", replaces),
        ("Start the new release", replaces),
        ("Gate", replaces),
        ("Watch, through the gate", replaces),
    ]


def _up(course: Course) -> list[tuple[str, bool]]:
    stays = not course.replaces
    return [
        ("Migrate", stays and course.command and not course.serves),
        ("Start", stays),
        ("Health, through the gate", stays),
    ]
