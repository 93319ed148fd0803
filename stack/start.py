"""Start a site's containers, and wait until a visitor would be served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import compose, health, maintenance, report, run
from stack.engine import containers
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

    from stack.console import Step
    from stack.health import Answer
    from stack.settings import Settings


def up(site: Settings, step: Step, *, image: str, secrets: Mapping[str, str]) -> None:
    """Let Compose make the containers what the files say, with ``image`` as the application.

    ``secrets`` are taken out of what Compose says: it can object to a line of the environment file.
    """
    complaint = "the containers could not be started"
    perform(site, compose.up(), step, complaint, overrides={"APP_IMAGE": image}, secrets=secrets)


def perform(  # noqa: PLR0913 - one place for what the three verbs share
    site: Settings,
    argv: list[str],
    step: Step,
    complaint: str,
    *,
    overrides: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> None:
    """Run a Compose command to its end, showing what it says while it runs."""
    variables = compose.environment(site, overrides)
    done = run.follow(argv, on_line=step.progress, secrets=secrets or {}, cwd=site.root, env=variables)
    if not done.ok:
        raise report.compose_refused(done, complaint)


def healthy(client: DockerClient, site: Settings) -> str:
    """Wait for a 200 through the gate and return what it says; give up early when waiting cannot help."""

    def hopeless() -> str | None:
        deaths = (report.death(container) for container in containers.of_site(client, site.site))
        return next((death for death in deaths if death), None)

    request = maintenance.past(site, site.health_path)
    answer = health.wait(request, limit=site.start_limit, hopeless=hopeless)
    if not answer.healthy:
        limits = (report.exhausted(client, app) for app in containers.of_site(client, site.site, "app"))
        why = next((limit for limit in limits if limit), _why(site, answer))
        raise Refused("the site is not healthy", why=why, fix="read the log: `bin/inv logs`")
    return f"200, release {answer.release or 'not told'}"


def _why(site: Settings, answer: Answer) -> str:
    if answer.timed_out:
        return f"nothing answered within {site.start_limit} s"
    return report.reason_of_answer(answer)
