"""`docker compose`, as argument lists; and the environment that it may see."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from stack import envfile
from stack.settings import DEFAULTS, FORMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stack.settings import Settings

Argv = list[str]


def config() -> Argv:
    return _compose("config", "--quiet")


def model() -> Argv:
    return _compose("config", "--format", "json")


def made_of(service: str, model: str, directory: str) -> Argv:
    """Sum a service up as on its containers. That of a model: of files, Compose would forget `env_file`."""
    return _compose("--file", model, "--project-directory", directory, "config", "--hash", service)


def build(*services: str) -> Argv:
    return _compose("--progress", "plain", "build", *services)


def up(*, wait: bool = False) -> Argv:
    return _compose("up", "--detach", "--no-build", "--quiet-pull", *(["--wait"] if wait else []))


def down() -> Argv:
    return _compose("down", "--remove-orphans")


def stop(service: str) -> Argv:
    return _compose("stop", service)


def restart(service: str) -> Argv:
    return _compose("restart", service)


def logs(services: Sequence[str], *, follow: bool, since: str, lines: int) -> Argv:
    wanted = ["--follow"] if follow else []
    wanted += ["--since", since] if since else []
    return _compose("logs", "--timestamps", "--tail", str(lines), *wanted, *services)


def inside(service: str, argv: Sequence[str]) -> Argv:
    return _compose("exec", "--no-TTY", service, *argv)


def beside(service: str, argv: Sequence[str], options: Sequence[str] = ("--no-TTY",)) -> Argv:
    """Run ``argv`` in a container of its own, which goes with its end and with that of its client."""
    return _compose("run", "--rm", "--no-deps", "--quiet-pull", *options, service, *argv)


def trial() -> Argv:
    """Start the trial; its container stays when it ends, with what it said."""
    return _compose("run", "--detach", "--no-TTY", "--no-deps", "--quiet-pull", "trial")


def inside_of(container: str, argv: Sequence[str]) -> Argv:
    return ["docker", "exec", container, *argv]


def end_of(container: str) -> Argv:
    """Wait until a container has ended."""
    return ["docker", "wait", container]


def remove(service: str) -> Argv:
    """Stop and remove a service's container: Compose before 2.32 would keep it on its old volumes."""
    return _compose("rm", "--stop", "--force", service)


def create(service: str) -> Argv:
    """Make a service's container what the files say, without starting it."""
    return _compose("create", "--no-build", service)


def create_beside(count: int) -> Argv:
    """Make the containers of the application ``count``, and leave those that are there as they are."""
    return _compose("create", "--no-build", "--no-recreate", "--scale", f"app={count}", "app")


def up_alone(service: str) -> Argv:
    """Make one service what the files say."""
    return _compose("up", "--detach", "--no-build", "--no-deps", "--quiet-pull", service)


def running(service: str) -> Argv:
    return _compose("ps", "--quiet", "--status", "running", service)


def version() -> Argv:
    return _compose("version", "--short")


def environment(settings: Settings, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what would override `.env`, and with what shall."""
    overriding = _overriding(settings)
    inherited = {key: value for key, value in os.environ.items() if key not in overriding}
    # where the shell stands in a link to the checkout, Compose would believe PWD and see other paths
    mine = {"COMPOSE_PROJECT_NAME": settings.site, "PWD": str(settings.root)}
    return {**inherited, **mine, **(overrides or {})}


def ignored(settings: Settings) -> list[str]:
    """Return the variables of this process's environment that contradict `.env` and are left out."""
    given = envfile.read(settings.dotenv)
    return sorted(key for key in _overriding(settings) if os.environ[key] != given.get(key))


def unknown(settings: Settings) -> list[str]:
    """Return the names in `.env` that neither the stack nor a Compose file of this checkout reads."""
    files = [*settings.root.glob("docker-compose*.y*ml"), *settings.root.glob("compose*.y*ml")]
    read = {name for file in files for name in re.findall(r"\$\{?([A-Za-z_]\w*)", file.read_text())}
    ours = {*DEFAULTS, *FORMS}
    return sorted(
        key
        for key in envfile.read(settings.dotenv)
        if key not in read | ours and not key.startswith("COMPOSE_")
    )


def _overriding(settings: Settings) -> set[str]:
    compose_file = (settings.root / "docker-compose.yml").read_text()
    interpolated = set(re.findall(r"\$\{([A-Z_]+)", compose_file))
    return {key for key in os.environ if key in interpolated or key.startswith("COMPOSE_")}


def _compose(*arguments: str) -> Argv:
    return ["docker", "compose", *arguments]
