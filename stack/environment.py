"""`.env.production`: made from its template, and checked before anything is done with it."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import envfile
from stack.errors import Invalid, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stack.settings import Settings

ACTIONS_KEY = "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"
TEMPLATE = ".env.production.example"
REQUIRED = ("PAYLOAD_SECRET", "DATABASE_URI", "DATABASE_URL", "NEXT_PUBLIC_SERVER_URL")
SECRET_MINIMUM = 32  # characters
PLACEHOLDER = re.compile(
    r"change[_-](me|this)|^(changeme|your[_-].*|placeholder|todo|x{3,}|<.*>)$|//(www\.)?your[_-]?(domain|site)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one variable. It never contains the value."""

    key: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message} ({self.hint})"


def create(settings: Settings, *, server_url: str = "") -> None:
    """Write `.env.production` with new secrets, readable by its owner only; never over an existing one."""
    if settings.env_production.exists():
        raise Refused(
            f"{settings.env_production} exists",
            why="its secrets sign the logins of this site: they are not replaced by accident",
            fix="edit it; or move it away and run `bin/inv env.init` again",
        )
    values = {
        "PAYLOAD_SECRET": secrets.token_hex(32),
        ACTIONS_KEY: base64.b64encode(secrets.token_bytes(32)).decode(),
        **({"NEXT_PUBLIC_SERVER_URL": server_url.rstrip("/")} if server_url else {}),
    }
    text = envfile.with_values((settings.root / TEMPLATE).read_text(), values)
    envfile.replace(settings.env_production, text, mode=0o600)


def checked(settings: Settings) -> dict[str, str]:
    """Return the values of `.env.production`; all its problems are named in one :class:`Invalid`."""
    if not settings.env_production.exists():
        raise Invalid(
            f"{settings.env_production} is missing",
            why="PAYLOAD_SECRET is not set: nothing tells the application its secrets",
            fix="put back the copy that belongs to this site, or run `bin/inv env.init` for a new one",
        )
    values = envfile.read(settings.env_production)
    if found := problems(values):
        raise Invalid(
            f"{len(found)} problem(s) in .env.production",
            why="; ".join(str(problem) for problem in found),
            fix="edit the file; .env.production.example says what belongs there",
        )
    return values


def problems(values: Mapping[str, str]) -> list[Problem]:
    """Return everything wrong with the values; none of it shows one of them."""
    found = []
    for key in REQUIRED:
        if key not in values:
            found.append(Problem(key, "is missing", _how(key)))
        elif not values[key].strip():
            found.append(Problem(key, "is empty", _how(key)))
    for key, value in values.items():
        if PLACEHOLDER.search(value):
            found.append(Problem(key, "is still the placeholder", _how(key)))
        elif key == "PAYLOAD_SECRET" and 0 < len(value.strip()) < SECRET_MINIMUM:
            found.append(Problem(key, f"is shorter than {SECRET_MINIMUM} characters", _how(key)))
    if values.get("DATABASE_URI") and values.get("DATABASE_URL") not in (None, "", values["DATABASE_URI"]):
        found.append(Problem("DATABASE_URL", "differs from DATABASE_URI", "give both the same value"))
    if not _is_actions_key(values.get(ACTIONS_KEY, "")):
        found.append(Problem(ACTIONS_KEY, "is not 16, 24 or 32 bytes in base64", _how(ACTIONS_KEY)))
    if values.get("PORT", "3000") != "3000":
        found.append(
            Problem("PORT", "is not 3000", "the gate looks for the application there; see HOST_PORT in .env")
        )
    return found


def _is_actions_key(value: str) -> bool:
    """Tell whether Next.js can use a key: with another one every form fails, at run time."""
    if not value or PLACEHOLDER.search(value):
        return True  # not given, or complained of already
    try:
        return len(base64.b64decode(value, validate=True)) in (16, 24, 32)
    except ValueError:
        return False


def _how(key: str) -> str:
    return {
        "PAYLOAD_SECRET": "generate one: openssl rand -hex 32",
        ACTIONS_KEY: "generate one: openssl rand -base64 32",
        "DATABASE_URI": "file:/data/payload.db",
        "DATABASE_URL": "file:/data/payload.db",
        "NEXT_PUBLIC_SERVER_URL": "the address visitors type, such as https://shop.example.com",
    }.get(key, "see .env.production.example")
