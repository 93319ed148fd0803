"""What a deploy would find, and all that it would refuse, found out by looking only."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stack import (
    build,
    data,
    envfile,
    environment,
    gate,
    journal,
    live,
    lock,
    migrations,
    preflight,
    registry,
    snapshot,
)
from stack.engine import containers, images, objects
from stack.errors import Broken, Failure
from stack.host import base_images
from stack.migrations import Told
from stack.volumes import Place, Unsound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import DockerClient

    from stack.build import Candidate
    from stack.newest import Version
    from stack.settings import Settings

NO_ANSWER = "not known: the registry does not tell"
NOTHING = Told({}, None, 0)  # what a database says that is not there yet


@dataclass(frozen=True)
class Look:
    """Somebody who looks: ``notes`` are for people, ``refused`` is what would end a deploy, in its order.

    ``paged``: visitors are to see a page meanwhile.
    """

    client: DockerClient
    site: Settings
    paged: bool = False
    notes: list[str] = field(default_factory=list)
    refused: list[Failure] = field(default_factory=list)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on after a refusal."""
        try:
            yield
        except Failure as failure:
            self.refused.append(failure)


@dataclass(frozen=True)
class Choice:
    """What would run, and in words ``what`` is new about it; no candidate where that has to come first."""

    new: bool
    what: str
    candidate: Candidate | None = None


def at_others(look: Look) -> None:
    """Note an operation that is at work, or was broken off."""
    try:
        entry = journal.read(look.site)
    except Broken as damage:
        look.refused.append(damage)
        return
    if lock.is_held(look.site):
        who = (
            f"{entry.operation} has been at work since {entry.began}" if entry else "an operation is at work"
        )
        look.notes.append(f"{who}: what it will leave is not known")
    elif entry:
        look.notes.append(f"{entry.operation} of {entry.began} was broken off: it would be made good first")


def checked(look: Look) -> dict[str, str]:
    """Ask all that a deploy asks before it touches anything; return the environment."""
    client, site = look.client, look.site
    with look.noted():
        preflight.machine(client, site)
    with look.noted():
        data.check(client, site)
    for check in preflight.of_place(client, site):
        with look.noted():
            check()
    preflight.tell_of_variables(site)
    env = _environment(look)
    if containers.running(client, site.site, "gate"):
        with look.noted():
            gate.validate(site)
    with look.noted():
        data.check_file(site, env)
    _to_be_made(look)
    return env


def _environment(look: Look) -> dict[str, str]:
    site = look.site
    first = {**envfile.read(site.root / environment.TEMPLATE), **environment.inspected(site).values}
    if not site.env_production.exists() and not objects.volume_exists(look.client, site.db_volume):
        look.notes.append(".env.production would be written, with new secrets")
        return first
    with look.noted():
        return _read(look)
    return first


def _read(look: Look) -> dict[str, str]:
    env = environment.checked(look.site, warn=look.notes.append)
    preflight.compose_reads(look.site, env)
    return env


def _to_be_made(look: Look) -> None:
    """Note what is not here and would be."""
    client, site = look.client, look.site
    if not objects.network_exists(client, site.proxy_network):
        look.notes.append(f"network {site.proxy_network} would be made")
    if not objects.volume_exists(client, site.db_volume):
        look.notes.append(f"volume {site.db_volume} would be new and empty")
    others = data.left_alone(client, site)
    look.notes.extend(f"volume {volume} holds a database that nothing uses" for volume in others)
    absent = base_images.absent(client, site).values()
    look.notes.extend(f"base image {image} is not here: it would be pulled" for image in absent)


def chosen(look: Look, env: Mapping[str, str], version: Version | None, *, pulls: bool) -> Choice:
    """Return what would run once ``version`` is brought in, or the image that ``pulls`` gives."""
    client, site = look.client, look.site
    if site.image_source:
        return _of_registry(look, env, pulls=pulls)
    base = images.find(client, site.node_image)
    candidate, what = build.compared(client, site, env, base.id if base else "")
    if not candidate.new and version and version.builds:
        return Choice(new=True, what="files of the application or its Dockerfile")
    return Choice(candidate.new, what, candidate)


def _of_registry(look: Look, env: Mapping[str, str], *, pulls: bool) -> Choice:
    source = look.site.image_source
    here = images.find(look.client, source)
    if pulls or here is None:
        there = images.published(look.client, source)
        if there is None or here is None or there not in here.digests:
            return Choice(new=True, what=f"{source}: more is known when it is here" if there else NO_ANSWER)
    with look.noted():
        candidate, what = build.compared_to(look.client, look.site, env, registry.fitting(look.site, here))
        return Choice(candidate.new, what, candidate)
    return Choice(new=True, what=f"{source} is another image")


def told(look: Look, env: Mapping[str, str], choice: Choice) -> Told | None:
    """Ask the site's database and the image that would run; None where that cannot be."""
    client, site = look.client, look.site
    volumes = (site.db_volume, site.media_volume)
    if not all(objects.volume_exists(client, volume) for volume in volumes):
        return NOTHING
    given = choice.candidate.source if choice.candidate else ""
    image = given or live.image(client, site)
    if image is None:
        look.notes.append("no image of the site is here: its database cannot be asked")
        return None
    return _asked(look, Place(image, live.database(env), *volumes))


def _asked(look: Look, place: Place) -> Told | None:
    try:
        return migrations.told(look.site, place)
    except Unsound as finding:
        if finding.kind == "missing":
            return NOTHING
        look.refused.append(snapshot.failure(finding, place))
    except Failure as failure:
        look.refused.append(failure)
    return None
