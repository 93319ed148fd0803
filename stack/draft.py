"""A new migration, written beside a copy of the application and brought out into the checkout."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stack import atomic, compose, console, drill, envfile, environment, ownership, run, volumes
from stack.errors import Refused

if TYPE_CHECKING:
    from stack.operation import Operation
    from stack.settings import Settings
    from stack.volumes import Place

DIRECTORY = "/data/draft"  # on a volume: the container's own files cannot be written
ALONE, ANSWERED = "120", "900"  # seconds; where it asks, whoever was to answer may have gone
CODE = (".ts", ".js")


@dataclass(frozen=True)
class File:
    """A file that is not as it was in the application: ``was`` is its sum there, None where it is new."""

    name: Path
    was: str | None
    content: bytes

    def is_migration(self, name: str) -> bool:
        return self.was is None and self.name.suffix in CODE and self.name.stem.endswith(f"_{name}")


def written(operation: Operation, place: Place, name: str, *, blank: bool) -> Path | None:
    """Let Payload write a migration; return its file in the checkout, or None where nothing has changed.

    ``place`` names image and database, its volumes are made for this. Payload ends well also where nobody has
    answered its question. A schema without changes is known by this: an empty migration can be had then.
    """
    site = operation.site
    scratch = drill.new_volumes(operation, place)
    _payload(operation, scratch, name, "--force-accept-warning" if blank else "--skip-empty")
    found = _changed(site, scratch, name)
    if not found and not blank:
        _payload(operation, scratch, name, "--force-accept-warning", asks=False)
        if _changed(site, scratch, name):
            return None
    if not found:
        raise Refused(
            "Payload wrote no migration",
            why="it asked a question that nobody answered, or it failed; its words stand above",
            fix="answer on a terminal; or `npx payload migrate:create` where you develop",
        )
    return _brought_out(site, found)


def _payload(operation: Operation, scratch: Place, name: str, flag: str, *, asks: bool = True) -> None:
    """Run `payload migrate:create` on a copy of the application; on a terminal it can ask questions."""
    site = operation.site
    terminal = asks and all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    script = (volumes.INSIDE / "draft.mjs").read_text()
    argv = [
        "node",
        "--input-type=module",
        "--eval",
        script,
        DIRECTORY,
        ANSWERED if terminal else ALONE,
        name,
        flag,
    ]
    env = compose.environment(site, scratch.variables)
    if terminal:
        run.attached(compose.beside("migrator", argv, options=()), cwd=site.root, env=env)
        return
    with operation.step("payload migrate:create"):
        done = run.capture(compose.beside("migrator", argv), cwd=site.root, env=env)
    if asks:
        secrets = dict(environment.inspected(site).values)
        said = console.COLOUR.sub("", done.out or done.err).strip()
        console.progress(envfile.redacted(said, secrets))


def _changed(site: Settings, scratch: Place, name: str) -> list[File]:
    """Return the migration, and what else in its directory is not as in the application; or nothing."""
    with volumes.running(site, scratch, "migrator", "written", DIRECTORY) as process:
        found = []
        while "end" not in (told := volumes.heard(process)):
            found.append(File(Path(told["name"]), told["was"], process.output.read(told["size"])))
    migration = next((file for file in found if file.is_migration(name)), None)
    if migration is None:
        return []
    beside = [file for file in found if file.name.parent == migration.name.parent and file is not migration]
    return [migration, *beside]


def _brought_out(site: Settings, found: list[File]) -> Path:
    """Write the files into the checkout, all of them or none; return the first one's path."""
    for file in found:
        path = site.app_dir / file.name
        if file.was != (_sum(path) if path.exists() else None):
            raise Refused(
                f"{path} is not what it was when this began",
                why="somebody wrote it meanwhile, or the application's .dockerignore names it",
                fix="run this again; migrations have to be part of what is built",
            )
    for file in found:
        path = site.app_dir / file.name
        if not path.parent.exists():
            path.parent.mkdir()
            ownership.hand_over(path.parent)
        atomic.replace(path, file.content.decode(), mode=_mode(path))
    return site.app_dir / found[0].name


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777 if path.exists() else 0o644


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
