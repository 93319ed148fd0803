"""`docs/backup-and-restore.md` and `docs/volume-migration.md`, followed on a site, block by block.

What they have typed on a whole server is in `test_vps.py`.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import elsewhere, readme, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.elsewhere import OldSite
    from tests.support.site import Site

BACKUP, MOVING = "backup-and-restore.md", "volume-migration.md"
FROM_HERE = "From an application on this server"


@dataclass(frozen=True)
class Reader:
    """Somebody who types a document's blocks in a terminal, as they stand but for the names of a test."""

    site: Site
    names: dict[str, str]

    def types(
        self, document: str, heading: str, place: str = "site"
    ) -> list[subprocess.CompletedProcess[str]]:
        """Type all blocks of a section, and the site's name where it is asked for."""
        blocks = readme.runnable(place, readme.sections(document)[heading])
        assert blocks, f"{heading} has nothing to type"
        return [self.types_block(block) for block in blocks]

    def types_block(self, block: str) -> subprocess.CompletedProcess[str]:
        done = self.tries_block(block)
        assert done.returncode == 0, f"{block}\n{done.stderr}"
        return done

    def tries_block(self, block: str) -> subprocess.CompletedProcess[str]:
        for name, meant in self.names.items():
            block = re.sub(rf"(?<![\w-]){re.escape(name)}(?![A-Za-z.])", meant, block)
        master, terminal = pty.openpty()
        with closing(os.fdopen(master, "wb")) as keyboard, closing(os.fdopen(terminal)) as stdin:
            keyboard.write(f"{self.site.name}\n".encode())
            keyboard.flush()
            return subprocess.run(
                ["bash", "-ec", block],
                cwd=self.site.root,
                stdin=stdin,
                capture_output=True,
                text=True,
                check=False,
            )


@dataclass(frozen=True)
class Written:
    """What an editor has published and uploaded, and nothing besides."""

    titles: list[str]
    file: str
    picture: bytes

    def is_all_of(self, site: Site) -> bool:
        titles = [post["title"] for post in site.get("/api/posts?sort=id").json()["docs"]]
        return titles == self.titles and site.get(self.file).content == self.picture


@pytest.fixture
def reader(sibling: Callable[..., Site], image: str, tmp_path: Path) -> Reader:
    """Give a site of one's own to work on, on its first volumes."""
    site = sibling("documents")
    site.build_on(image)
    site.deploy()
    (tmp_path / "mnt").mkdir()
    places = {"/mnt": str(tmp_path / "mnt"), "/srv/old-shop": str(tmp_path / "old")}
    return Reader(
        site, {**places, "old-shop": f"{site.name}-old", "store": f"{site.name}-new", "shop": site.name}
    )


def test_whoever_follows_the_document_backs_up_restores_and_goes_back(reader: Reader, tmp_path: Path) -> None:
    site = reader.site
    editor = visitor.editor(site)
    editor.publish("Written before")
    before = Written(["Written before"], editor.upload("red.png", visitor.picture()), visitor.picture())
    after = replace(before, titles=["Written before", "Written after"])

    reader.types(BACKUP, "Make a backup")
    assert len(list((site.root / "backups").iterdir())) == 4
    assert len(list((tmp_path / "mnt").iterdir())) == 1
    editor.publish("Written after")

    restored, undone, resumed = reader.types(BACKUP, "The data is gone or wrong")
    assert "Type the site's name" in restored.stderr
    assert re.search(r"posts +2 -> 1 rows", restored.stderr)
    assert undone.stdout.splitlines()[-1] == f"{site.name}_payload-db"
    assert "nothing is unfinished" in resumed.stderr
    assert after.is_all_of(site)

    (verified,) = reader.types(BACKUP, "What it proves, and what not")
    assert len(verified.stdout.splitlines()) == 5

    (restored,) = reader.types(BACKUP, "Restore")
    assert restored.stdout.count("\n") == 1
    assert before.is_all_of(site)

    reader.types(BACKUP, "The old volumes")
    assert before.is_all_of(site)


def test_a_site_moves_in_from_directories(reader: Reader, image: str) -> None:
    with _old_site(reader, image, volumes=False) as (old, written):
        _move_in(reader, "directories")
        assert written.is_all_of(reader.site)
        old.start()  # the way back
        assert written.is_all_of(old.visible)


def test_a_site_moves_in_from_volumes_of_another_project_and_gets_another_name(
    reader: Reader, image: str
) -> None:
    with _old_site(reader, image, volumes=True) as (_, written):
        _move_in(reader, "volumes")
        assert written.is_all_of(reader.site)
    reader.types(MOVING, "New names", "rename")
    renamed = replace(reader.site, name=reader.names["store"])
    try:
        assert written.is_all_of(renamed)
        assert renamed.status()["site"] == renamed.name
    finally:
        renamed.destroy()


@contextmanager
def _old_site(reader: Reader, image: str, *, volumes: bool) -> Iterator[tuple[OldSite, Written]]:
    """Run the application that the document calls `old-shop`, with something written."""
    directory = Path(reader.names["/srv/old-shop"])
    environment = reader.site.root / ".env.production"
    with elsewhere.running(directory, reader.names["old-shop"], image, environment, volumes=volumes) as old:
        editor = visitor.editor(old.visible)
        editor.publish("Written elsewhere")
        file = editor.upload("red.png", visitor.picture())
        yield old, Written(["Written elsewhere"], file, visitor.picture())


def _move_in(reader: Reader, kind: str) -> None:
    """Type what the document says for data of that kind; copying twice replaces nothing."""
    section = readme.sections(MOVING)[FROM_HERE]
    stop, prove, clean = readme.runnable("both", section)
    (copy,) = readme.runnable(kind, section)
    for block in (stop, copy):
        reader.types_block(block)
    again = reader.tries_block(copy)
    assert again.returncode == 1
    assert re.search(r"payload\.db': File exists", again.stderr)
    for block in (prove, clean):
        reader.types_block(block)
