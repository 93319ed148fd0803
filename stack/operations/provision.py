"""Make a bare Debian or Ubuntu machine ready: engine, Compose, base images, and what runs at boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import compose, console, envfile, run, settings
from stack.engine import client as engine
from stack.engine import objects
from stack.errors import Refused
from stack.host import base_images, boot, daemon, disk, packages
from stack.versions import COMPOSE_MINIMUM, ENGINE_MINIMUM, at_least

if TYPE_CHECKING:
    from pathlib import Path


def provision(root: Path) -> None:
    """Install and start what is missing; on a machine that has it all, this changes nothing."""
    with console.step("Docker engine and Compose") as step:
        step.say(_ensure_engine())
    with console.step("Base images") as step:
        step.say(_ensure_base_images(root))
    with console.step("Resume at boot") as step:
        step.say(boot.ensure(root))


def _ensure_engine() -> str:
    if not (_engine_is_new_enough() and _client_is_new_enough()):
        packages.install_docker()
    running = engine.running_version()
    if running is None:
        daemon.start()
    elif not at_least(running, ENGINE_MINIMUM):
        daemon.restart()
    return f"Engine {engine.running_version()}, Compose {_said(compose.version())}"


def _ensure_base_images(root: Path) -> str:
    """Pull them; official ones that no registry gives are built from packages and named in `.env`."""
    config = settings.load(root)
    with engine.connected() as client:
        absent = base_images.absent(client, config)
        if absent:
            disk.need(disk.BASE_IMAGES, objects.data_directory(client), "for the base images")
        refused = base_images.pull(client, absent)
        if not refused:
            return "pulled" if absent else "present"
        _only_replaceable(absent, refused)
        stand_ins = base_images.stand_in(client, set(refused))
    envfile.write(config.dotenv, stand_ins)
    for reason in {refused[key] for key in stand_ins if not base_images.is_stand_in(absent[key])}:
        console.warn(f"no image registry answers: {reason}")
    return "built from packages, named in .env: " + ", ".join(stand_ins.values())


def _only_replaceable(absent: dict[str, str], refused: dict[str, str]) -> None:
    for key, reason in refused.items():
        if not base_images.replaceable(absent[key]):
            raise Refused(
                f"{key}={absent[key]} is not on this machine",
                why=reason,
                fix="log in to its registry, load the image, or correct .env",
            )


def _engine_is_new_enough() -> bool:
    version = engine.running_version() or _said(["dockerd", "--version"]).removeprefix("Docker version ")
    return at_least(version, ENGINE_MINIMUM)


def _client_is_new_enough() -> bool:
    return at_least(_said(compose.version()), COMPOSE_MINIMUM) and bool(
        _said(["docker", "buildx", "version"])
    )


def _said(argv: list[str]) -> str:
    """Return what a program prints, nothing where it is missing or fails."""
    try:
        return run.capture(argv).out.strip()
    except Refused:
        return ""
