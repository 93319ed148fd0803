"""The first administrator, before somebody else registers as one."""

from __future__ import annotations

import getpass
import re
import sys
from typing import TYPE_CHECKING

from stack import console, payload, preflight, settings
from stack.engine import client as engine
from stack.engine import containers
from stack.errors import Refused, Usage

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD_MINIMUM = 10  # characters


def create(root: Path, email: str) -> None:
    """Register the first administrator; the password is stdin's first line, or asked for on a terminal."""
    site = settings.load(root)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise Usage(
            f"{email!r} is not an e-mail address", why="Payload logs in by e-mail", fix="name@example.com"
        )
    with engine.connected() as client:
        preflight.name_is_ours(client, site)
        if not containers.running(client, site.site, "gate"):
            # whatever else listens at that port must not get the password
            raise Refused(f"{site.site} is not running", why="its gate is not up", fix="`./deploy.sh` first")
    payload.register_first_user(site, email, _password())
    console.result(email)


def _password() -> str:
    given = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not given:
        raise Usage(
            "no password was given", why="none was typed, or stdin is empty", fix="run it in a terminal"
        )
    if len(given) < PASSWORD_MINIMUM:
        raise Usage(
            "the password is too short",
            why=f"it protects the whole site: at least {PASSWORD_MINIMUM} characters",
            fix="try again with a longer one",
        )
    if sys.stdin.isatty() and getpass.getpass("Again: ") != given:
        raise Usage("the two passwords differ", why="one of them was mistyped", fix="try again")
    return given
