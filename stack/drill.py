"""Prove an archive: fill scratch volumes from it, boot the release on them, remove everything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stack import fill, trial, volumes
from stack.engine import containers
from stack.errors import Refused, Rejected, Unfit, Untrusted
from stack.fill import Source

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from stack.manifest import Manifest
    from stack.operation import Operation
    from stack.volumes import Place


def held(client: DockerClient, operation: Operation, place: Place, path: Path, manifest: Manifest) -> None:
    """Boot the release of ``place`` on a copy of the archive; what fails on that is :class:`Untrusted`."""
    scratch = new_volumes(operation, place)
    site = operation.site
    try:
        with operation.step("Fill scratch volumes") as step:
            facts = fill.filled(client, site, scratch, Source(path, manifest), step)
        assert facts is not None  # noqa: S101 - everything was wanted
        with operation.step("Trial") as step:
            told = trial.held(client, site, scratch, facts)
            step.say(f"answers after {told.first:.1f} s, no row lost")
    except (Unfit, volumes.Unsound, Rejected) as failure:
        raise Untrusted(
            f"the drill failed: {failure.what}", why=failure.why, fix=failure.fix, detail=failure.detail
        ) from failure
    except Refused as obstacle:
        raise Refused(
            f"the drill could not be held: {obstacle.what}",
            why=obstacle.why,
            fix=obstacle.fix,
            detail=obstacle.detail,
        ) from obstacle
    finally:
        containers.remove_beside(client, site.site)


def new_volumes(operation: Operation, place: Place) -> Place:
    """Name a pair of volumes that do not exist yet; they go with the operation unless `.env` names them."""
    site = operation.site.site
    db, media = f"{site}_payload-db-{operation.id}", f"{site}_media-uploads-{operation.id}"
    operation.making(volumes=(db, media))
    return replace(place, db_volume=db, media_volume=media)
