"""What a deploy or an update would do now; nothing is made, pulled or written down to find out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stack import (
    arrival,
    compose,
    course,
    inputs,
    journal,
    kept,
    look,
    maintenance,
    migrations,
    newest,
    pruning,
    rehearsal,
    run,
)
from stack.course import Course
from stack.engine import containers, objects
from stack.host import disk
from stack.host.disk import Need
from stack.look import NOTHING, Look
from stack.snapshot import MARGIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import DockerClient

    from stack.engine.containers import Container
    from stack.errors import Failure
    from stack.look import Choice
    from stack.migrations import Told
    from stack.newest import Version
    from stack.settings import Settings


@dataclass(frozen=True)
class Variables:
    """Names of variables, by what became of them since the live release was started."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def built_in(self) -> tuple[str, ...]:
        """Those that the image is built with."""
        return tuple(filter(inputs.is_built_in, (*self.added, *self.changed, *self.removed)))


@dataclass(frozen=True)
class Room:
    """Bytes of one file system: ``needed`` as far as that is known, a migration can take more."""

    path: str
    needed: int
    free: int


@dataclass(frozen=True)
class Hold:
    """How long visitors would wait, in seconds.

    ``expected`` is what they waited in the last update, of ``when``, whose trial took ``trial``.
    """

    at_most: int
    expected: float | None = None
    trial: float | None = None
    when: str | None = None


@dataclass(frozen=True)
class Plan:
    """What would be done, and what is known of it.

    ``live`` is the image that serves, empty before the first deploy. ``migrations`` would run, None where
    that is not known. ``images``, what is kept of ``updates``, with their bytes, and ``volumes`` would be
    removed.
    ``refused`` is what would end it, in this order.
    """

    course: Course
    live: str
    version: Version | None
    choice: Choice
    migrations: tuple[str, ...] | None
    variables: Variables
    rooms: tuple[Room, ...]
    hold: Hold | None
    images: Mapping[str, int]
    updates: Mapping[str, int]
    volumes: Sequence[str]
    notes: tuple[str, ...]
    refused: tuple[Failure, ...]


def of_deploy(client: DockerClient, site: Settings, *, paged: bool = False) -> Plan:
    """Return what a deploy would do; ``paged``, visitors see a page while releases change."""
    return _made(Look(client, site, paged))


def of_update(client: DockerClient, site: Settings, *, paged: bool = False) -> Plan:
    """Return what an update would do; where a registry has another image, only that is known of it."""
    looking = Look(client, site, paged)
    if site.image_source:
        return _made(looking, begins=f"Pull {site.image_source}")
    version = newest.looked_at(site, looking.noted)
    if version is None:
        looking.notes.append("the newest version is not known: this is about the one that is here")
    elif version.tool:
        looking.notes.append("the new version brings this tool along: its own steps may be others")
    return _made(looking, version, begins=course.VERSION)


def _made(looking: Look, version: Version | None = None, begins: str = "") -> Plan:
    client, site = looking.client, looking.site
    look.at_others(looking)
    env = look.checked(looking)
    choice = look.chosen(looking, env, version, pulls=bool(begins))
    told = look.told(looking, env, choice)
    before = containers.present(client, site.site, "app")
    way = _course(looking, choice, told, before, version, begins)
    rooms, was = _rooms(looking, way, before, told), kept.environment(site)
    with looking.noted():
        rehearsal.not_pushed(bool(told and told.pushed and way.replaces))
    return Plan(
        course=way,
        live=before.image if before else site.app_image,
        version=version,
        choice=choice,
        migrations=_pending(site, choice, told, version),
        variables=variables(env, before.env if before else was, was),
        rooms=rooms,
        hold=hold(site) if way.replaces and way.gate and before and before.running else None,
        images=pruning.unneeded(client, site) if way.prunes else {},
        updates=kept.overdue(site) if way.replaces else {},
        volumes=pruning.unneeded_volumes(client, site) if way.empties else [],
        notes=tuple(looking.notes),
        refused=tuple(looking.refused),
    )


def _course(  # noqa: PLR0913, PLR0917 - all that it depends on
    looking: Look,
    choice: Choice,
    told: Told | None,
    before: Container | None,
    version: Version | None,
    begins: str,
) -> Course:
    client, site = looking.client, looking.site
    served = before or (site.app_image and choice.new)
    begun = objects.volume_exists(client, site.db_volume) and (before or told != NOTHING)
    unlike = choice.new or (version and version.composes)
    return Course(
        network=site.proxy_network,
        begins=begins,
        pulls="" if begins or choice.candidate or not site.image_source else site.image_source,
        builds=choice.new and not site.image_source,
        prunes=choice.new and bool(pruning.unneeded(client, site)),
        empties=choice.new and bool(pruning.unneeded_volumes(client, site)),
        swaps=bool(served and begun),
        same=bool(before and not unlike and _made_of(site) == before.made_of),
        old=bool(before),
        serves=bool(before and before.running),
        command=site.by_command,
        gate=containers.running(client, site.site, "gate"),
        paged=looking.paged and not maintenance.is_on(site),
    )


def _made_of(site: Settings) -> str:
    """Return Compose's sum over what the live image's container would be made of now."""
    env = compose.environment(site)
    model = run.capture(compose.model(), cwd=site.root, env=env)
    with arrival.in_memory(model.out.encode()) as file:  # secrets are in it
        said = run.capture(compose.made_of("app", file, str(site.root)), cwd=site.root, env=env)
    return said.out.strip().rpartition(" ")[2]


def _pending(
    site: Settings, choice: Choice, told: Told | None, version: Version | None
) -> tuple[str, ...] | None:
    if choice.new and not site.image_source:
        come, go = (version.added, version.gone) if version else ((), ())
        brought = {*migrations.in_directory(site.app_dir), *come} - {*go}
    elif choice.candidate and told and told.brought is not None:
        brought = {*told.brought}
    else:
        return None
    return tuple(sorted(brought - told.applied.keys())) if told else None


def variables(now: Mapping[str, str], had: Mapping[str, str], was: Mapping[str, str]) -> Variables:
    """Compare with what the application was started with; beside that it has variables of its image."""
    if not had:
        return Variables()
    return Variables(
        added=tuple(sorted(now.keys() - had.keys())),
        changed=tuple(sorted(key for key in now.keys() & had.keys() if now[key] != had[key])),
        removed=tuple(sorted((was.keys() & had.keys()) - now.keys())),
    )


def _rooms(looking: Look, way: Course, before: Container | None, told: Told | None) -> tuple[Room, ...]:
    """Return what is needed where the engine has its data, and where archives go."""
    site, size = looking.site, told.size if told and way.replaces else 0
    place, archive = objects.data_directory(looking.client), size + MARGIN if way.replaces else 0
    building = (disk.REBUILD if before else disk.BUILD) if way.builds else Need(0, 0)
    with looking.noted():
        disk.need(building, place, "to build an image")
    with looking.noted():
        disk.need(Need(archive, 0), str(site.state), "for the archive")
    of_engine = (place, disk.START.free + building.free + size)
    return _by_file_system(of_engine, (str(site.root), disk.CHECKOUT.free + archive))


def _by_file_system(*needed: tuple[str, int]) -> tuple[Room, ...]:
    together: dict[int, Room] = {}
    for path, size in needed:
        found = disk.room(path)
        device = Path(found.path).stat().st_dev
        room = together.get(device, Room(found.path, 0, found.free))
        together[device] = replace(room, needed=room.needed + size)
    return tuple(together.values())


def hold(site: Settings) -> Hold:
    held = [told for told in journal.history(site) if told.get("code") == 0 and "held" in told]
    if not held:
        return Hold(site.hold_budget)
    last = held[-1]
    trial = float(last["trial"]) if "trial" in last else None
    return Hold(site.hold_budget, float(last["held"]), trial, str(last["began"]))
