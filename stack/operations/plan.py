"""Tell what a deploy or an update would do, and end as it would be refused; change nothing."""

from __future__ import annotations

from textwrap import TextWrapper
from typing import TYPE_CHECKING

from stack import console, course, plan, releases, settings, sizes
from stack.engine import client as engine
from stack.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stack.newest import Version
    from stack.plan import Plan, Variables

WIDTH, INDENT = 98, 14
Facts = dict[str, object]


def deploy(root: Path, *, as_json: bool, paged: bool = False) -> None:
    site = settings.load(root)
    with engine.connected() as client:
        found = plan.of_deploy(client, site, paged=paged)
    _shown(found, "deploy", as_json=as_json)


def update(root: Path, *, as_json: bool, paged: bool = False) -> None:
    site = settings.load(root)
    with engine.connected() as client:
        found = plan.of_update(client, site, paged=paged)
    _shown(found, "update", as_json=as_json)


def wanted(*, plan: bool, as_json: bool, provision: bool) -> bool:
    """Tell whether only a plan is asked for; flags that contradict each other are :class:`Usage`."""
    if as_json and not plan:
        raise Usage(
            "--json goes with --plan",
            why="only a plan is told as JSON",
            fix="add --plan, or leave --json out",
        )
    if plan and provision:
        raise Usage(
            "--plan and --provision exclude each other",
            why="a plan changes nothing, and --provision installs",
            fix="`bin/inv provision`, then the plan",
        )
    return plan


def _shown(found: Plan, operation: str, *, as_json: bool) -> None:
    if as_json:
        console.result_json(_facts(found, operation))
    else:
        console.result("\n".join(_lines(found, operation)))
    for other in found.refused[:0:-1]:
        console.error(str(other))
    if found.refused:
        raise found.refused[0]


def _facts(found: Plan, operation: str) -> Facts:
    """Return a plan for scripts: bytes, seconds, null for what is not known."""
    return {
        "operation": operation,
        "does": _does(found),
        "changes": found.course.replaces or not found.course.old,
        "release": releases.of_image(found.live) or None,
        "version": _version(found),
        "build": found.course.builds,
        "what_changed": found.choice.what,
        "steps": course.steps(found.course),
        "migrations": found.migrations,
        "variables": {**_by_kind(found.variables), "built_in": found.variables.built_in},
        "disk": [vars(room) for room in found.rooms],
        "hold": vars(found.hold) if found.hold else None,
        "removed": {"images": found.images, "kept": found.updates, "volumes": found.volumes},
        "notes": found.notes,
        "refused": [
            {"code": each.code, "what": each.what, "why": each.why, "fix": each.fix} for each in found.refused
        ],
    }


def _version(found: Plan) -> Facts | None:
    version = found.version
    if version is None:
        return None
    told = {"from": version.before, "to": version.after, "commits": version.commits}
    return {**told, "migrations": version.added}


def _does(found: Plan) -> str:
    way, new = found.course, found.choice.new
    if way.replaces:
        return "a new release takes the place of the old one" if new else "the release is started anew"
    if new:
        return "the first release is started"
    return "the release stays as it is" if way.old else "the release is started"


def _by_kind(variables: Variables) -> dict[str, tuple[str, ...]]:
    return {"added": variables.added, "changed": variables.changed, "removed": variables.removed}


def _lines(found: Plan, operation: str) -> list[str]:
    """Return what fits a terminal of 100 columns."""
    titles = course.steps(found.course)
    rows = {
        operation: [f"{_does(found)}; nothing was changed to tell this"],
        "now serves": [releases.of_image(found.live) or "nothing"],
        "version": _of_version(found.version),
        "what changed": [found.choice.what],
        "migrations": _of_migrations(found.migrations),
        "variables": _of_variables(found.variables),
        "visitors": [_of_visitors(found)],
        "disk": [
            f"{room.path}: up to {sizes.human(room.needed)} needed, {sizes.human(room.free)} free"
            for room in found.rooms
        ],
        "removed": [
            *(f"{what}, up to {sizes.human(size)}" for what, size in _removed(found).items()),
            *(f"volume {name}" for name in found.volumes),
        ],
        "note": found.notes,
        "refused": [f"{each.what} (exit code {each.code})" for each in found.refused],
        "steps": [f"{number:2}  {title}" for number, title in enumerate(titles, 1)],
    }
    return [line for key, values in rows.items() for line in _row(key, values)]


def _row(key: str, values: Sequence[str]) -> list[str]:
    """Return the values below each other, behind the name of them all."""
    fold = TextWrapper(WIDTH - INDENT, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    folded = [fold.wrap(value) for value in values]
    lines = [line for value in folded for line in value]
    return [f"{'' if n else key:<{INDENT}}{line}" for n, line in enumerate(lines)]


def _of_version(version: Version | None) -> list[str]:
    if version is None:
        return []
    if not version.commits:
        return [f"nothing newer than {version.before[:12]}"]
    return [f"{version.commits} commit(s), {version.before[:12]}..{version.after[:12]}"]


def _of_migrations(names: Sequence[str] | None) -> Sequence[str]:
    return ["not known"] if names is None else names or ["none would run"]


def _of_variables(variables: Variables) -> list[str]:
    told = [f"{kind}: {', '.join(names)}" for kind, names in _by_kind(variables).items() if names]
    if variables.built_in:
        told.append(f"the image is built with {', '.join(variables.built_in)}")
    return told


def _of_visitors(found: Plan) -> str:
    if not found.course.replaces:
        return "notice nothing" if found.course.old else "none can come yet"
    if found.course.paged:
        return "see a page meanwhile"
    if found.hold is None:
        return "none can come: the site is down"
    if found.hold.expected is None:
        return f"wait {found.hold.at_most} s at most; how long shows with the first update"
    trial = f" whose trial took {found.hold.trial:.1f} s" if found.hold.trial is not None else ""
    as_then = f"wait about {found.hold.expected:.1f} s, as in the last update{trial}"
    return f"{as_then}; {found.hold.at_most} s at most"


def _removed(found: Plan) -> dict[str, int]:
    updates = {f"what is kept of the update {name}": size for name, size in found.updates.items()}
    return {**{f"image {name}": size for name, size in found.images.items()}, **updates}
