"""What `.env` says about one site, read whole and checked before anything happens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import envfile
from stack.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

NODE_OFFICIAL = "node:24-alpine"
GATE_OFFICIAL = "caddy:2-alpine"
PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
IMAGE = (  # the reference grammar of the distribution project
    rf"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?{PART}(?:/{PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"
MEDIA = (  # nothing that the release, the database or the system is in
    r"(?!/app/?$)(?!/app/(\.next|node_modules)(/|$))(?!/(bin|data|dev|etc|lib|proc|sys|tmp|usr)(/|$))"
    r"(/(?!\.\.?(/|$))[\w.-]+)+"
)
SIZE = r"[0-9]+[bkmgBKMG]?"
CORES = r"[0-9]+(\.[0-9]+)?"
NUMBER = r"[1-9][0-9]{0,4}"

DEFAULTS = {
    "APP_DIR": "./app",
    "APP_IMAGE": "",
    "IMAGE_SOURCE": "",
    "HOST_PORT": "3000",
    "PROXY_NETWORK": "proxy",
    "HEALTH_PATH": "/api/health",
    "START_LIMIT": "120",
    "TRIAL_SECONDS": "8",
    "WATCH_SECONDS": "10",
    "HOLD_BUDGET": "45",
    "MIGRATE": "start",
    "MEDIA_DIR": "/app/public/media",
    "NODE_IMAGE": NODE_OFFICIAL,
    "GATE_IMAGE": GATE_OFFICIAL,
    "HOLD_LIMIT": "60s",
    "APP_MEMORY": "768m",
    "APP_MEMORY_RESERVED": "128m",
    "APP_CPUS": "1.0",
    "APP_PIDS": "256",
    "GATE_MEMORY": "256m",
    "GATE_CPUS": "1.0",
}
FORMS = {
    "COMPOSE_PROJECT_NAME": (
        r"(?=.{1,40}$)[a-z0-9]+([_-][a-z0-9]+)*",
        "up to 40 of a-z and 0-9, joined by - or _",
    ),
    "HOST_PORT": (NUMBER, "a number from 1 to 65535"),
    "START_LIMIT": (NUMBER, "a number of seconds"),
    "TRIAL_SECONDS": (NUMBER, "a number of seconds"),
    "WATCH_SECONDS": (NUMBER, "a number of seconds"),
    "HOLD_BUDGET": (NUMBER, "a number of seconds"),
    "MIGRATE": ("start|command", "start or command"),
    "HEALTH_PATH": (r"/[\w./-]*", "a path of an address, such as /api/health"),
    "MEDIA_DIR": (MEDIA, "an absolute path of its own, such as /app/public/media"),
    "PROXY_NETWORK": (NAME, "a name Docker takes"),
    "DB_VOLUME": (NAME, "a name Docker takes"),
    "MEDIA_VOLUME": (NAME, "a name Docker takes"),
    "NODE_IMAGE": (IMAGE, "the name of an image"),
    "GATE_IMAGE": (IMAGE, "the name of an image"),
    "APP_IMAGE": (f"({IMAGE})?", "the name of an image"),
    "IMAGE_SOURCE": (f"({IMAGE})?", "the name of an image"),
    "HOLD_LIMIT": (r"[0-9]+(ms|s|m)", "a time, such as 60s"),
    "APP_MEMORY": (SIZE, "a size, such as 768m"),
    "APP_MEMORY_RESERVED": (SIZE, "a size, such as 128m"),
    "APP_CPUS": (CORES, "a number of cores, such as 1.5"),
    "APP_PIDS": ("3[2-9]|[4-9][0-9]|[1-9][0-9]{2,4}", "a number from 32: Node alone takes 11"),
    "GATE_MEMORY": (SIZE, "a size, such as 256m"),
    "GATE_CPUS": (CORES, "a number of cores, such as 0.5"),
}


@dataclass(frozen=True)
class Settings:
    """One site. ``app_image`` is empty before the first deploy, ``image_source`` where images are built here.

    Limits and durations are in seconds. ``by_command``: the application does not migrate at its start.
    """

    root: Path
    site: str
    app_dir: Path
    app_image: str
    image_source: str
    host_port: int
    proxy_network: str
    db_volume: str
    media_volume: str
    media_dir: str
    health_path: str
    start_limit: int
    trial_seconds: int
    watch_seconds: int
    hold_budget: int
    by_command: bool
    node_image: str
    gate_image: str

    @property
    def dotenv(self) -> Path:
        return self.root / ".env"

    @property
    def env_production(self) -> Path:
        return self.root / ".env.production"

    @property
    def state(self) -> Path:
        return self.root / ".stack"

    @property
    def gate_url(self) -> str:
        return f"http://127.0.0.1:{self.host_port}"


def load(root: Path) -> Settings:
    """Read `.env` of a checkout; every problem in it is named in one :class:`Invalid`."""
    given = {key: value for key, value in envfile.read(root / ".env").items() if value}
    site = given.get("COMPOSE_PROJECT_NAME", default_site(root))
    names = {
        "COMPOSE_PROJECT_NAME": site,
        "DB_VOLUME": f"{site}_payload-db",
        "MEDIA_VOLUME": f"{site}_media-uploads",
    }
    values = {**DEFAULTS, **names, **given}
    if problems := _problems(values, root):
        raise Invalid(
            f"{len(problems)} problem(s) in {root / '.env'}",
            why="; ".join(problems),
            fix="correct these lines; docs/environment.md lists every setting",
        )
    return Settings(
        root=root,
        site=site,
        app_dir=(root / values["APP_DIR"]).resolve(),
        app_image=values["APP_IMAGE"],
        image_source=values["IMAGE_SOURCE"],
        host_port=int(values["HOST_PORT"]),
        proxy_network=values["PROXY_NETWORK"],
        db_volume=values["DB_VOLUME"],
        media_volume=values["MEDIA_VOLUME"],
        media_dir=values["MEDIA_DIR"],
        health_path=values["HEALTH_PATH"],
        start_limit=int(values["START_LIMIT"]),
        trial_seconds=int(values["TRIAL_SECONDS"]),
        watch_seconds=int(values["WATCH_SECONDS"]),
        hold_budget=int(values["HOLD_BUDGET"]),
        by_command=values["MIGRATE"] == "command",
        node_image=values["NODE_IMAGE"],
        gate_image=values["GATE_IMAGE"],
    )


def default_site(root: Path) -> str:
    """Return the directory's name in lower-case letters and digits, joined by single ``-`` or ``_``."""
    allowed = re.sub(r"[^a-z0-9_-]", "", root.name.lower())
    single = re.sub(r"[_-]*([_-])", r"\1", allowed)
    return single[:40].strip("_-") or "site"


def _seconds(duration: str) -> float:
    """Return what a time such as `60s` means, in seconds."""
    number, unit = re.findall(r"([0-9]+)(ms|s|m)", duration)[0]
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def _problems(values: dict[str, str], root: Path) -> list[str]:
    found = [
        f"{key}={values[key]} is not {meaning}"
        for key, (form, meaning) in FORMS.items()
        if not re.fullmatch(form, values[key], re.ASCII)
    ]
    if values["HOST_PORT"].isdecimal() and int(values["HOST_PORT"]) > 65535:
        found.append(f"HOST_PORT={values['HOST_PORT']} is not {FORMS['HOST_PORT'][1]}")
    if not found and int(values["HOLD_BUDGET"]) >= _seconds(values["HOLD_LIMIT"]):
        found.append(
            f"HOLD_BUDGET={values['HOLD_BUDGET']} is not shorter than HOLD_LIMIT={values['HOLD_LIMIT']}"
        )
    if values["MIGRATE"] == "command" and values["IMAGE_SOURCE"]:
        found.append(
            "MIGRATE=command needs what is built here, and IMAGE_SOURCE brings the application alone"
        )
    if not (root / values["APP_DIR"]).is_dir():
        found.append(f"APP_DIR={values['APP_DIR']} is not a directory")
    if values["DB_VOLUME"] == values["MEDIA_VOLUME"]:
        found.append("DB_VOLUME and MEDIA_VOLUME are one volume: anybody could download the database")
    return found
