"""A site on the way from one release to the next: wholly the old one, or wholly the new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import hold, journal, lock, settings
from stack.engine import containers
from tests.support import contents, updates, variants, visitors

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from tests.support.contents import Rows
    from tests.support.scribe import Scribe
    from tests.support.site import Site
    from tests.support.variants import Variant
    from tests.support.visitor import Editor

OLD, NEW = "old", "new"
SETTINGS = {  # a trial that says in a second what it says in eight; a machine busy with tests
    "TRIAL_SECONDS": "1",
    "WATCH_SECONDS": "2",
    "HOLD_BUDGET": "100",
    "HOLD_LIMIT": "120s",
}
REWRITTEN = ["media", "payload_migrations", "sqlite_schema"]


@dataclass(frozen=True)
class Stage:
    """A site as it was before an update: its image, its rows, its volumes, and somebody who writes there."""

    site: Site
    engine: DockerClient
    editor: Editor
    base: str
    image: str
    rows: Rows
    volumes: set[str]

    @property
    def now(self) -> settings.Settings:
        return settings.load(self.site.root)

    def check_out(self, variant: Variant = variants.REWRITES) -> None:
        variants.check_out(self.site, self.base, variant)

    def assert_whole(self, side: str) -> None:
        """See that the site is on one side, that it will stay there, and that nothing is left of the way."""
        assert self.site.is_healthy()
        (app,) = containers.of_site(self.engine, self.site.name, "app")
        assert (app.state, app.image) == ("running", self.now.app_image)
        assert policy(self.engine, app.id) == "always"
        assert self.side() == side
        self.assert_tidy()

    def assert_tidy(self) -> None:
        """See that nothing is held, unfinished or left over."""
        assert not lock.is_held(self.now)
        assert not journal.path(self.now).exists()
        assert not hold.is_held(self.now)
        beside = {each: containers.beside(self.engine, self.site.name, each) for each in containers.BESIDE}
        assert not any(beside.values()), beside
        assert contents.volumes(self.site) == self.volumes
        assert parts(self.site) == []

    def side(self) -> str:
        """Tell which one the site is; a mixture is none."""
        rows, replaced = contents.records(self.site), self.now.app_image != self.image
        changed = updates.changed(self.rows, rows)
        if not changed and not replaced:
            return OLD
        if replaced and is_rewritten(self.rows, rows):
            return NEW
        return f"a mixture: {self.now.app_image}, changed are {changed}; {rows['media']}"

    def assert_kept(self, scribe: Scribe) -> None:
        """See that what was acknowledged is there, once."""
        assert scribe.acknowledged
        titles = list(visitors.titles(self.site).values())
        assert [title for title in scribe.acknowledged if titles.count(title) != 1] == []


def of(site: Site, engine: DockerClient, editor: Editor, base: str) -> Stage:
    """Take down what a site is now; releases are built on ``base``."""
    image = settings.load(site.root).app_image
    return Stage(site, engine, editor, base, image, contents.records(site), contents.volumes(site))


def is_rewritten(before: Rows, now: Rows) -> bool:
    """Tell whether the migration that rewrites every picture ran to its end, and nothing else happened."""
    *earlier, (_, name, *_) = now["payload_migrations"]
    mark = str(name).split("_")[1]
    return (
        updates.changed(before, now) == ", ".join(REWRITTEN)
        and earlier == before["payload_migrations"]
        and {alt for _, alt, *_ in now["media"]} == {f"migrated by {mark}"}
    )


def policy(engine: DockerClient, container: str) -> str:
    told: str = engine.api.inspect_container(container)["HostConfig"]["RestartPolicy"]["Name"]
    return told


def parts(site: Site) -> list[Path]:
    """Return the archives of updates that did not come to their end."""
    return list((site.root / ".stack" / "releases").glob(".*"))
