"""`.env.production`: make it, check it, change it."""

from __future__ import annotations

import getpass
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from stack import console, environment, inputs, settings
from stack.engine import client as engine
from stack.engine import images
from stack.errors import Refused, Usage
from stack.problems import WARNING, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stack.settings import Settings


def init(root: Path, *, server_url: str) -> None:
    site = settings.load(root)
    environment.create(site, server_url=server_url)
    console.result(str(site.env_production))


def check(root: Path, *, as_json: bool) -> None:
    """Say whether `.env.production` will do; its values are never shown."""
    site = settings.load(root)
    found = environment.inspected(site)
    rebuild = _rebuild(site, found.values)
    warnings = [*found.warnings, *rebuild]
    if as_json:
        told = [asdict(problem) for problem in [*found.problems, *rebuild]]
        console.result_json({"file": str(site.env_production), "problems": told})
    else:
        for warning in warnings:
            console.warn(str(warning))
    if found.errors:
        raise environment.invalid(found.errors)
    if not as_json:
        with_warnings = f", with {len(warnings)} warning(s)" if warnings else ""
        console.result(f"{site.env_production} is fine{with_warnings}")


def set_value(root: Path, key: str) -> None:
    """Set one variable; its value is the line on stdin, or asked for on a terminal, and never shown."""
    site = settings.load(root)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
        raise Usage(
            "this is not the name of a variable",
            why="a name has letters, digits and _; the value is not given on the command line",
            fix="`bin/inv env.set KEY`, and the value when it is asked for",
        )
    environment.change(site, key, _value(key))
    for warning in environment.inspected(site).warnings:
        if warning.key == key:
            console.warn(str(warning))
    if near := nearest(key):
        console.warn(f"{key} is not a name the stack knows: did you mean {near}?")
    build = " builds the image anew with it" if inputs.is_built_in(key) else " takes it to the site"
    console.progress(f"{key} is set; `./deploy.sh`{build}")
    console.result(str(site.env_production))


def _value(key: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"{key}: ")
    try:
        given = sys.stdin.read()
        given.encode()
    except UnicodeError:
        raise Usage("the value is not text", why="it is not UTF-8", fix="encode it, as base64") from None
    line, end, rest = given.partition("\n")
    if rest or not given:
        why = "there is more than one line on stdin" if rest else "stdin is empty"
        raise Usage("no value is set", why=why, fix=f"printf '%s\\n' \"$value\" | bin/inv env.set {key}")
    return line.removesuffix("\r") if end else line


def _rebuild(site: Settings, env: Mapping[str, str]) -> list[Problem]:
    """Say whether the live image was built with other values; nothing where no engine can tell."""
    if not site.app_image or not env:
        return []
    try:
        with engine.connected() as client:
            live = images.find(client, site.app_image)
    except Refused:
        return []
    built_with = live.labels.get("env-fingerprint") if live else None
    if not built_with or built_with == inputs.env_fingerprint(env):
        return []
    message = "the live image was built with other values: rebuild needed"
    return [Problem(WARNING, "NEXT_PUBLIC_*", None, message, "`./deploy.sh` does it")]
