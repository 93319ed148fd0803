"""How the site is: what runs, how well, how large."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from stack import (
    compose,
    console,
    data,
    health,
    journal,
    lock,
    maintenance,
    releases,
    run,
    settings,
    sizes,
)
from stack.engine import client as engine
from stack.engine import containers, objects
from stack.errors import Broken
from stack.host import disk

if TYPE_CHECKING:
    from docker import DockerClient

    from stack.engine.containers import Container
    from stack.settings import Settings

SIZES = Path(__file__).parents[1] / "inside" / "sizes.mjs"
Facts = dict[str, object]


def status(root: Path, *, as_json: bool) -> None:
    """Print the site's state; JSON gives sizes in bytes, times in seconds, CPU in cores, null for unknown."""
    site = settings.load(root)
    with engine.connected() as client:
        facts = _facts(client, site)
        for name in containers.other_sites_called_app(client, site.site, site.proxy_network):
            ambiguous = f"http://app:3000 on network {site.proxy_network} is answered by {name} too"
            console.warn(f"{ambiguous}; point the reverse proxy at http://{site.site}:3000")
    if former := data.former_name(site):
        console.warn(f"this checkout served as {former}; what follows is {site.site}")
    _warn_of_an_unfinished(facts["operation"])
    maintenance.remind(site)
    if as_json:
        console.result_json(facts)
    else:
        console.result("\n".join(_lines(facts)))


def _facts(client: DockerClient, site: Settings) -> Facts:
    app = containers.present(client, site.site, "app")
    gate = containers.present(client, site.site, "gate")
    room = disk.room(objects.data_directory(client))
    return {
        "site": site.site,
        "release": _release(app) if app else None,
        **_state(client, site, app),
        "gate": gate.health if gate and gate.running else "stopped",
        "gate_url": site.gate_url,
        "maintenance": maintenance.is_on(site),
        "node_image": site.node_image,
        "gate_image": site.gate_image,
        "disk_free": room.free,
        "disk_total": room.total,
        "operation": _operation(site),
    }


def _warn_of_an_unfinished(told: object) -> None:
    if not isinstance(told, dict):
        return
    if told["said"]:
        console.warn(f"the journal of an unfinished operation cannot be read: {told['said']}")
    elif told["at_work"]:
        console.progress(f"{told['operation']} is at work since {told['began']}: {told['step']}")
    else:
        broken_off = f'{told["operation"]} of {told["began"]} was broken off at "{told["step"]}"'
        console.warn(f"{broken_off}: `bin/inv resume`")


def _operation(site: Settings) -> Facts | None:
    """Return what is at work, or was broken off; None where all has ended."""
    try:
        entry = journal.read(site)
    except Broken as damage:
        return {"operation": None, "step": None, "began": None, "at_work": False, "said": damage.why}
    if entry is None:
        return None
    at_work = lock.is_held(site)
    if not at_work and not journal.path(site).exists():  # it has just ended
        return None
    told = {"operation": entry.operation, "step": entry.step, "began": entry.began}
    return {**told, "at_work": at_work, "said": None}


def _release(app: Container) -> str:
    """Return what the image says of itself: plain Compose can have built it anew under an old name."""
    return app.env.get("RELEASE") or releases.of_image(app.image)


def _state(client: DockerClient, site: Settings, app: Container | None) -> Facts:
    running = app if app and app.running else None
    used = containers.usage(client, running) if running else None
    database, media = _sizes(site) if running else (None, None)
    return {
        "state": app.state if app else "stopped",
        "health": running.health if running else "stopped",
        "answers": health.ask(maintenance.past(site, site.health_path)).status if running else None,
        "uptime": _uptime(running) if running else None,
        "restarts": app.restarts if app else None,
        "oom_killed": app.oom_killed if app else None,
        "cpu": used.cpu if used else None,
        "memory": used.memory if used else None,
        "memory_limit": app.memory_limit if app else None,
        "pids": used.pids if used else None,
        "pids_limit": app.pids_limit if app else None,
        "database": database,
        "media": media,
    }


def _sizes(site: Settings) -> tuple[int | None, int | None]:
    script = ["node", "--input-type=module", "--eval", SIZES.read_text(), "/data", site.media_dir]
    done = run.capture(
        compose.inside("app", script), cwd=site.root, env=compose.environment(site), timeout=10
    )
    told = re.fullmatch(r"(\d+)\n(\d+)\n", done.out)
    return (int(told[1]), int(told[2])) if told else (None, None)


def _uptime(app: Container) -> int:
    started = datetime.fromisoformat(app.started[:19]).replace(tzinfo=timezone.utc)
    return int((datetime.now(timezone.utc) - started).total_seconds())


def _lines(facts: Facts) -> list[str]:
    rows = {
        "site": facts["site"],
        "release": facts["release"] or "none",
        "state": f"{facts['state']}, {facts['health']}",
        "answers": facts["answers"] or "nothing",
        "uptime": sizes.duration(facts["uptime"]),
        "restarts": f"{_or_dash(facts['restarts'])}"
        + (", killed for its memory" if facts["oom_killed"] else ""),
        "cpu": f"{_or_dash(facts['cpu'])} cores",
        "memory": f"{sizes.human(facts['memory'])} of {sizes.human(facts['memory_limit'])}",
        "processes": f"{_or_dash(facts['pids'])} of {_or_dash(facts['pids_limit'])}",
        "database": sizes.human(facts["database"]),
        "media": sizes.human(facts["media"]),
        "disk": f"{sizes.human(facts['disk_free'])} free of {sizes.human(facts['disk_total'])}",
        "gate": f"{facts['gate']}, {facts['gate_url']}",
        "visitors": "see the page of maintenance" if facts["maintenance"] else "come in",
        "built on": f"{facts['node_image']}, {facts['gate_image']}",
    }
    return [f"{key:<10} {value}" for key, value in rows.items()]


def _or_dash(value: object) -> object:
    return "-" if value is None else value
