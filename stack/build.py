"""What a deploy would run: the live image, or a new one, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from stack import compose, console, git, inputs, preflight, registry, releases, report, run, sizes
from stack.engine import containers, images, objects
from stack.errors import Refused
from stack.host import disk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

    from stack.console import Step
    from stack.engine.containers import Container
    from stack.engine.images import Image
    from stack.settings import Settings


@dataclass(frozen=True)
class Candidate:
    """The image to run, whether it has to be made first, its environment, and what runs before it.

    ``source`` is the id of one that was built elsewhere.
    """

    image: str
    inputs: str
    new: bool
    env: Mapping[str, str]
    before: Container | None
    source: str = ""

    @property
    def release(self) -> str:
        return releases.of_image(self.image)


def chosen(client: DockerClient, site: Settings, env: Mapping[str, str]) -> Candidate:
    """Compare what an image would be made of with what the live one was made of."""
    if site.image_source:
        return _published(client, site, env)
    with console.step("What changed") as step:
        base = preflight.base_image(client, site.node_image)
        candidate, what = compared(client, site, env, base.id)
        step.say(what)
        return candidate


def compared(
    client: DockerClient, site: Settings, env: Mapping[str, str], base: str
) -> tuple[Candidate, str]:
    """Return what would run if it was built on an image of this id, and in words what is new about it."""
    digest = inputs.digest(site, {**_arguments(site, env), "NODE_IMAGE": base})
    live = images.find(client, site.app_image) if site.app_image else None
    before = containers.present(client, site.site, "app")
    if live and live.labels.get("inputs") == digest and _is_whole(client, site):
        return Candidate(site.app_image, digest, new=False, env=env, before=before), "nothing: no build"
    release = releases.name(datetime.now(timezone.utc), git.revision(site.app_dir))
    made = Candidate(releases.image(site.site, release), digest, new=True, env=env, before=before)
    return made, _what_changed(site, live, digest)


def _is_whole(client: DockerClient, site: Settings) -> bool:
    """Tell whether the live release can migrate as `.env` wants it."""
    return not site.by_command or images.find(client, releases.migrator(site.app_image)) is not None


def _published(client: DockerClient, site: Settings, env: Mapping[str, str]) -> Candidate:
    """Compare what a registry gives with what is live; another image is a release of its own name."""
    given = registry.image(client, site)
    with console.step("What changed") as step:
        candidate, what = compared_to(client, site, env, given)
        step.say(what)
        return candidate


def compared_to(
    client: DockerClient, site: Settings, env: Mapping[str, str], given: Image
) -> tuple[Candidate, str]:
    """Return what would run if that image was given, and in words what is new about it."""
    live = images.find(client, site.app_image) if site.app_image else None
    before = containers.present(client, site.site, "app")
    made = Candidate(site.app_image, given.labels["inputs"], new=False, env=env, before=before)
    if live and live.id == given.id:
        return made, "nothing: the same image"
    release = releases.name(datetime.now(timezone.utc), given.id.partition(":")[2][:12])
    named = releases.image(site.site, release)
    return replace(made, image=named, new=True, source=given.id), f"{site.image_source} is another image"


def _what_changed(site: Settings, live: Image | None, digest: str) -> str:
    if live and live.labels.get("inputs") == digest:
        return "nothing; the live release has no migrator here, which MIGRATE=command needs"
    if live:
        return "the application, its settings or the base image"
    return "the live release's image is gone: build anew" if site.app_image else "everything: first build"


def _arguments(site: Settings, env: Mapping[str, str]) -> dict[str, str]:
    return {"MEDIA_DIR": site.media_dir, "ENV_FINGERPRINT": inputs.env_fingerprint(env)}


def perform(client: DockerClient, site: Settings, candidate: Candidate) -> None:
    """Make the candidate's image; where that fails the site is as it was."""
    if candidate.source:
        images.tag(client, candidate.source, candidate.image)
        return
    with console.step("Room for the build") as step:
        room = disk.REBUILD if candidate.before else disk.BUILD
        found = disk.need(room, objects.data_directory(client), "to build an image")
        step.say(f"after it: {sizes.human(found.free - room.free)} of {sizes.human(found.total)} free")
    with console.step(f"Build {candidate.release}") as step:
        labels = {
            "APP_IMAGE": candidate.image,
            "RELEASE": candidate.release,
            "REVISION": candidate.release.partition("-")[2],
            "CREATED": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "INPUTS": candidate.inputs,
        }
        services = ["app", *(["migrator"] if site.by_command else [])]
        _build(site, services, {**_arguments(site, candidate.env), **labels}, candidate.env, step)


def migrator(site: Settings, image: str, env: Mapping[str, str]) -> None:
    """Build what migrates for a release called ``image``, without the release."""
    with console.step("Build Payload's command line") as step:
        _build(site, ["migrator"], {**_arguments(site, env), "APP_IMAGE": image}, env, step)


def _build(
    site: Settings, services: list[str], variables: Mapping[str, str], secrets: Mapping[str, str], step: Step
) -> None:
    env = compose.environment(site, variables)
    done = run.follow(
        compose.build(*services), on_line=step.progress, secrets=secrets, cwd=site.root, env=env
    )
    if not done.ok:
        raise Refused(
            "the image could not be built; the site is as it was",
            why=report.reason_of_build(done.err),
            fix="mend what the build says above, then run this again",
            detail=done.err,
        )
