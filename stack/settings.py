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
SITE = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
IMAGE = re.compile(r"[a-zA-Z0-9][\w./:@-]*")

DEFAULTS = {
    "APP_DIR": "./app",
    "APP_IMAGE": "",
    "HOST_PORT": "3000",
    "PROXY_NETWORK": "proxy",
    "HEALTH_PATH": "/api/health",
    "START_LIMIT": "120",
    "MEDIA_DIR": "/app/public/media",
    "NODE_IMAGE": NODE_OFFICIAL,
    "GATE_IMAGE": GATE_OFFICIAL,
}


@dataclass(frozen=True)
class Settings:
    """One site. ``app_image`` is empty before the first deploy; ``start_limit`` is in seconds."""

    root: Path
    site: str
    app_dir: Path
    app_image: str
    host_port: int
    proxy_network: str
    db_volume: str
    media_volume: str
    media_dir: str
    health_path: str
    start_limit: int
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
    values = {**DEFAULTS, "DB_VOLUME": f"{site}_payload-db", "MEDIA_VOLUME": f"{site}_media-uploads", **given}
    if problems := _problems(site, values, root):
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
        host_port=int(values["HOST_PORT"]),
        proxy_network=values["PROXY_NETWORK"],
        db_volume=values["DB_VOLUME"],
        media_volume=values["MEDIA_VOLUME"],
        media_dir=values["MEDIA_DIR"],
        health_path=values["HEALTH_PATH"],
        start_limit=int(values["START_LIMIT"]),
        node_image=values["NODE_IMAGE"],
        gate_image=values["GATE_IMAGE"],
    )


def default_site(root: Path) -> str:
    """Return the directory's name as Compose would take it: lower case, letters, digits, ``-`` and ``_``."""
    return re.sub(r"[^a-z0-9_-]", "", root.name.lower()).strip("_-") or "site"


def _problems(site: str, values: dict[str, str], root: Path) -> list[str]:
    port, limit = values["HOST_PORT"], values["START_LIMIT"]
    checks = {
        f"COMPOSE_PROJECT_NAME={site}: lower-case letters and digits, joined by single - or _": (
            SITE.fullmatch(site) and len(site) <= 40
        ),
        f"HOST_PORT={port}: a number from 1 to 65535": port.isdigit() and 0 < int(port) < 65536,
        f"START_LIMIT={limit}: a number of seconds": limit.isdigit() and int(limit) > 0,
        f"APP_DIR={values['APP_DIR']}: no such directory": (root / values["APP_DIR"]).is_dir(),
        f"HEALTH_PATH={values['HEALTH_PATH']}: must begin with /": re.fullmatch(
            r"/[\w./-]*", values["HEALTH_PATH"]
        ),
        f"MEDIA_DIR={values['MEDIA_DIR']}: an absolute path below /": re.fullmatch(
            r"(/[\w.-]+)+", values["MEDIA_DIR"]
        ),
    }
    for key in ("PROXY_NETWORK", "DB_VOLUME", "MEDIA_VOLUME"):
        checks[f"{key}={values[key]}: not a name Docker takes"] = NAME.fullmatch(values[key])
    for key in ("NODE_IMAGE", "GATE_IMAGE", "APP_IMAGE"):
        checks[f"{key}={values[key]}: not an image's name"] = not values[key] or IMAGE.fullmatch(values[key])
    return [problem for problem, fine in checks.items() if not fine]
