"""What must be true before a deploy touches anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stack import compose, console, envfile, gate, problems, run
from stack.engine import containers, images, objects
from stack.errors import Invalid, Refused
from stack.host import disk, ports
from stack.settings import FORMS
from stack.versions import COMPOSE_MINIMUM, at_least

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

    from stack.engine.images import Image
    from stack.settings import Settings


def machine(client: DockerClient, site: Settings) -> None:
    """Refuse a Compose that is too old, and what belongs to another directory."""
    _compose_is_new_enough()
    name_is_ours(client, site)


def place(client: DockerClient, site: Settings) -> None:
    """Refuse what the site would not find here: its port, a network, room."""
    _port_is_ours(client, site)
    objects.usable_network(client, site.proxy_network)
    disk.need(disk.CHECKOUT, str(site.root), "for the settings of this site")
    disk.need(disk.START, objects.data_directory(client), "to start the site")
    _tell_of_variables(site)


def files(
    client: DockerClient,
    site: Settings,
    env: Mapping[str, str],
    formerly: Mapping[str, str] | None = None,
) -> None:
    """Refuse files that Compose or the gate would refuse, while the site is still as it was.

    ``formerly`` names those of an earlier release.
    """
    _compose_reads_the_files(site, env, formerly)
    base_image(client, site.gate_image)
    if containers.running(client, site.site, "gate"):
        gate.validate(site)


def name_is_ours(client: DockerClient, site: Settings) -> None:
    """Refuse to touch containers of another directory, and to leave this one's under an old name."""
    for container in containers.of_site(client, site.site):
        if os.path.realpath(container.directory) == os.path.realpath(site.root):
            continue
        if _is_gone(container.directory):
            raise Refused(
                f"{site.site} still runs from {container.directory}, which is gone",
                why="this checkout was moved or renamed while it ran",
                fix=f"`docker compose -p {site.site} down` keeps the data; then `./deploy.sh`",
            )
        raise Refused(
            f"a site named {site.site} already runs from {container.directory}",
            why="two checkouts of one name would replace each other's containers and share one database",
            fix=f"choose another COMPOSE_PROJECT_NAME in {site.dotenv}",
        )
    for mine in containers.started_from(client, str(site.root)):
        if mine.project != site.site:
            raise Refused(
                f"this checkout still runs as {mine.project}; now its name is {site.site}",
                why="COMPOSE_PROJECT_NAME in .env was changed while it ran",
                fix=f"put {mine.project} back; or `docker compose -p {mine.project} down`: data stays",
            )


def _is_gone(directory: str) -> bool:
    try:
        return not Path(directory).exists()
    except PermissionError:  # somebody else's: it is there
        return False


def _port_is_ours(client: DockerClient, site: Settings) -> None:
    holder = containers.publishing(client, site.host_port)
    if holder and (holder.project, holder.service) == (site.site, "gate"):
        return
    if holder or ports.taken(site.host_port):
        by = f"container {holder.name}" if holder else "another program of this machine"
        free = ports.free_after(site.host_port)
        raise Refused(
            f"port {site.host_port} is taken by {by}",
            why="the gate listens there on 127.0.0.1 for your reverse proxy",
            fix=f"write HOST_PORT={free} into .env: that port is free" if free else "free it",
        )


def _tell_of_variables(site: Settings) -> None:
    for key in compose.unknown(site):
        near = problems.nearest(key, FORMS)
        meant = f"did you mean {near}?" if near else "docs/environment.md lists every setting"
        console.warn(f"{key} in {site.dotenv} does nothing: {meant}")
    if ignored := compose.ignored(site):
        console.warn(f"your shell's {', '.join(ignored)} is not heeded: what counts stands in {site.dotenv}")


def base_image(client: DockerClient, name: str) -> Image:
    """Return the base image, pulled if it is not here."""
    found = images.find(client, name)
    if found is None:
        reason = images.pull(client, name)
        found = images.find(client, name)
        if found is None:
            raise Refused(
                f"the base image {name} is not here and cannot be pulled",
                why=reason or "the registry gave something else",
                fix="check the machine's network; without a registry: `./deploy.sh --provision`",
            )
    return found


def _compose_is_new_enough() -> None:
    version = run.capture(compose.version())
    if not version.ok or not at_least(version.out, COMPOSE_MINIMUM):
        found = version.out.strip()
        raise Refused(
            f"Docker Compose is too old: {found}" if found else "Docker has no Compose here",
            why=f"the stack needs Compose {COMPOSE_MINIMUM} or newer, as a plugin of Docker's",
            fix="run `./deploy.sh --provision` as root",
        )


def _compose_reads_the_files(
    site: Settings, env: Mapping[str, str], formerly: Mapping[str, str] | None
) -> None:
    read = run.capture(compose.config(), cwd=site.root, env=compose.environment(site, formerly))
    if not read.ok:
        raise Invalid(
            "Compose cannot read this site's files",
            why=envfile.redacted(read.err.strip(), env),
            fix="correct .env, .env.production or docker-compose.override.yml",
        )
