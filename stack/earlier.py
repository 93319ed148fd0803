"""The releases that the site can go back to, and what became of the data since they served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import envfile, formerly, kept, releases
from stack.engine import images
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from docker import DockerClient

    from stack.kept import Note
    from stack.settings import Settings


@dataclass(frozen=True)
class Release:
    """A release that served once, and the one that took its place, None where nothing is known of that."""

    note: Note
    after: Note | None

    @property
    def name(self) -> str:
        return releases.of_image(self.note.image)

    @property
    def env(self) -> Mapping[str, str]:
        """Return the values of the `.env.production` that it was started with."""
        return envfile.read(self.note.place / formerly.ENV)

    @property
    def data(self) -> Path | None:
        """Return the archive of the database as this release left it, where that is still here."""
        return self.after.archive if self.after else None

    def newer(self, migrations: Sequence[str]) -> list[str] | None:
        """Return the migrations that it did not have; None where it is not known which it had."""
        if self.after and self.after.had is not None:
            had = self.after.had
        elif self.note.had is not None and self.note.migrations is not None:
            had = (*self.note.had, *self.note.migrations)
        else:
            return None
        return [name for name in migrations if name not in had]


def chosen(client: DockerClient, site: Settings, wanted: str) -> Release:
    """Return the release of that name, or the one before the live one; :class:`Refused` says what exists."""
    notes = kept.notes(site)
    here = _here(client, site, notes)
    if wanted:
        return _named(site, here, wanted)
    before = kept.previous(notes, site.app_image)
    if before is None:
        raise Refused(
            "no release is known that served before",
            why="the live one came first, or what was kept of others is gone",
            fix=_choice(here),
        )
    return _named(site, here, releases.of_image(before.image))


def _here(client: DockerClient, site: Settings, notes: Sequence[Note]) -> dict[str, Release]:
    """Return by their names the releases whose image and files are still here, but for the live one."""
    served = {note.image: note for note in notes if note.image != site.app_image}
    return {
        releases.of_image(image): Release(note, kept.after(notes, image))
        for image, note in served.items()
        if images.find(client, image)
    }


def _named(site: Settings, here: Mapping[str, Release], wanted: str) -> Release:
    if wanted == releases.of_image(site.app_image):
        raise Refused(f"release {wanted} is live", why="there is nothing to go back from", fix=_choice(here))
    if wanted not in here:
        raise Refused(
            f"release {wanted} is not here",
            why="it never served here, or its image or its files were removed since",
            fix=_choice(here),
        )
    return here[wanted]


def _choice(here: Mapping[str, Release]) -> str:
    if here:
        return f"`bin/inv rollback RELEASE`, with one of these: {', '.join(sorted(here, reverse=True))}"
    return "there is none: check out an earlier commit, then `./deploy.sh`"
