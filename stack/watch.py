"""Look at a release for a while after visitors were let in, the way they see it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stack import health, maintenance, report
from stack.engine import containers

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient

    from stack.engine.containers import Container
    from stack.settings import Settings

IN_A_ROW = 3  # answers; one slow answer is no reason to take a release back
INTERVAL = 1.0  # seconds


def turned_bad(
    client: DockerClient,
    site: Settings,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Return why the release that serves has to go, empty where it went on answering through the gate."""
    before = containers.present(client, site.site, "app")
    deadline, bad = clock() + site.watch_seconds, 0
    while bad or clock() < deadline:
        answer = health.ask(maintenance.past(site, site.health_path))
        bad = 0 if answer.healthy else bad + 1
        if why := _ended(before, containers.present(client, site.site, "app")):
            return why
        if bad == IN_A_ROW:
            return f"through the gate, {report.reason_of_answer(answer)}"
        sleep(INTERVAL)
    return ""


def _ended(before: Container | None, now: Container | None) -> str:
    """Say how the container has ended, empty where it runs as it did."""
    if not before or not now or now.id != before.id:
        return "somebody has removed its container"
    if not now.running:
        return report.death(now) or f"it ended by itself, with code {now.exit_code}"
    return "" if now.started == before.started else "it ended by itself, and was started again"
