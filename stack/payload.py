"""What Payload's own REST interface tells and takes, asked through the gate."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING

from stack import health, maintenance
from stack.errors import Refused

if TYPE_CHECKING:
    from stack.settings import Settings

USERS = "/api/users"  # Payload's default collection of administrators


def has_users(site: Settings) -> bool | None:
    """Tell whether an administrator exists; None where the site has no collection called users."""
    answer = health.ask(maintenance.past(site, f"{USERS}/init"))
    if not answer.healthy:
        return None
    told = _object(answer.said).get("initialized")
    return told if isinstance(told, bool) else None


def register_first_user(site: Settings, email: str, password: str) -> None:
    """Create the first administrator; Payload refuses when there is one already."""
    request = maintenance.past(site, f"{USERS}/first-register")
    request.data = json.dumps({"email": email, "password": password}).encode()
    request.add_header("Content-Type", "application/json")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=30):
            return
    except urllib.error.HTTPError as refusal:
        with refusal:
            why = _messages(refusal.read(2000)) or f"Payload answered {refusal.code}"
        if refusal.code == HTTPStatus.FORBIDDEN and has_users(site):
            why = "this site has a user already; further ones are made at /admin"
        raise Refused(
            f"no administrator was created for {email}", why=why, fix="correct it and run this again"
        ) from refusal
    except (OSError, HTTPException) as trouble:
        raise Refused(
            "the site does not answer", why=str(trouble), fix="look at `bin/inv status`, then run this again"
        ) from trouble


def _messages(body: bytes) -> str:
    """Return every message in a refusal of Payload's: that of the error, and those of its fields."""
    quoted = re.findall(r'"message":\s*("(?:[^"\\]|\\.)+")', body.decode(errors="replace"))
    return "; ".join(json.loads(message, strict=False) for message in quoted)


def _object(text: str) -> dict[str, object]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
