"""What follows a swap, whether it came to its end, failed or was killed: one container, on its own data.

The journal decides: ``proven`` leads on to the new release, anything else back to the old one. All of it can
be done again, from wherever a crash has left it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import console, data, envfile, formerly, hold, kept, releases, settings, volumes
from stack.engine import containers, images
from stack.volumes import Place

if TYPE_CHECKING:
    from docker import DockerClient

    from stack.engine.containers import Container
    from stack.journal import Entry
    from stack.settings import Settings


def is_of_a_swap(entry: Entry) -> bool:
    return "to_image" in entry.facts


def is_proven(entry: Entry) -> bool:
    """Tell whether the new release stays."""
    return "proven" in entry.facts and "reverted" not in entry.facts


def completed(client: DockerClient, site: Settings, entry: Entry) -> None:
    """Make the new release the live one for the engine, Compose and the next operation; let visitors in.

    What a release was started with is kept, unless it ``came`` earlier and is kept since then.
    """
    (new,) = (each for each in _all(client, site) if each.id == entry.facts["new"])
    containers.comes_back(client, new, "always")
    containers.start(client, new)  # after a crash; one that runs stays as it is
    _stays(site, entry)
    hold.unpin(site)
    try:
        data.remember(settings.load(site.root), new.env)
        if "came" not in entry.facts:
            kept.saved(site, entry)
    except (OSError, ValueError) as trouble:  # notes; what visitors get does not depend on them
        console.progress(f"  nothing is kept of this release: {trouble}")


def settled(client: DockerClient, site: Settings, entry: Entry) -> bool:
    """End a swap that did not come to its end; tell whether a container is up that the journal means."""
    if is_proven(entry):
        return _led_on(client, site, entry)
    return _led_back(client, site, entry)


def _led_on(client: DockerClient, site: Settings, entry: Entry) -> bool:
    with console.step(f"On to {releases.of_image(entry.facts['to_image'])}"):
        _stays(site, entry)
        for old in _all(client, site, entry.facts["old"]):
            containers.remove(client, old)
        if there := bool(_all(client, site, entry.facts["new"])):
            completed(client, site, entry)
    return there


def _led_back(client: DockerClient, site: Settings, entry: Entry) -> bool:
    for new in _all(client, site):
        if new.id != entry.facts["old"] and (new.id == entry.facts.get("new") or new.state == "created"):
            containers.remove(client, new)
    if entry.serving is None:
        return False
    image = entry.facts["from_image"]
    with console.step(f"Back to {releases.of_image(image)}" if entry.serving else "Back"):
        old = next(iter(_all(client, site, entry.facts["old"])), None)
        damaged = "unproven" in entry.facts and "proven" not in entry.facts
        if damaged:
            _all_stopped(client, site)
            if not has_its_own_data(entry):
                _put_back(client, site, entry)
        elif old and old.running and _runs_since_before(old, entry):
            containers.stop(client, old)  # a stop that was begun goes on by itself
        if "reverted" in entry.facts:
            formerly.put_back(site, entry)
            _named(site, {"APP_IMAGE": image})
            kept.forgotten(site, entry.id)
        if old:
            containers.comes_back(client, old, "always")
            if entry.serving:
                containers.start(client, old)
        hold.unpin(site)
    return bool(old and entry.serving)


def _all_stopped(client: DockerClient, site: Settings) -> None:
    """Stop whatever has the database open, also what somebody has started by hand since."""
    for each in _all(client, site):
        if each.running:
            containers.stop(client, each)


def _runs_since_before(old: Container, entry: Entry) -> bool:
    """Tell whether this is not what an engine that came back has started anew."""
    return old.started[: len("2026-11-23T00:00:00")] < entry.began


def _put_back(client: DockerClient, site: Settings, entry: Entry) -> None:
    """Put the database back that was kept, unless that was done: since then it can have been written to."""
    new, old = entry.facts["to_image"], entry.facts["from_image"]
    image = new if images.find(client, new) else old  # no container has it any more: it may have been pruned
    place = Place(image, entry.facts["database"], site.db_volume, site.media_volume)
    with volumes.running(site, place, "reader", "keep", "put-back", entry.id, place.database) as process:
        volumes.heard(process)


def _all(client: DockerClient, site: Settings, identity: str | None = None) -> list[Container]:
    found = containers.of_site(client, site.site, "app")
    return [each for each in found if identity in (None, each.id)]


def _stays(site: Settings, entry: Entry) -> None:
    """Let the checkout name the new release, with the volume and the files that it was given."""
    facts = entry.facts
    files = formerly.put_in_place(site, entry, facts["came"]) if "came" in facts else {}
    volume = {"DB_VOLUME": facts["to_db"]} if has_its_own_data(entry) else {}
    _named(site, {"APP_IMAGE": facts["to_image"], **volume, **files})


def has_its_own_data(entry: Entry) -> bool:
    """Tell whether the new release does not get the database of the old one."""
    return "to_db" in entry.facts


def _named(site: Settings, values: dict[str, str]) -> None:
    """Let `.env` say so, by one rename."""
    now = envfile.read(site.dotenv)
    if any(now.get(key) != value for key, value in values.items()):
        envfile.write(site.dotenv, {"COMPOSE_PROJECT_NAME": site.site, **values})
