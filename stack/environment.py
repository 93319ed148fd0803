"""`.env.production`: made from its template, checked before anything is done with it, changed with care."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import arrival, atomic, custody, envfile, problems
from stack.errors import Invalid, Refused
from stack.problems import ACTIONS_KEY, ERROR, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stack.settings import Settings

TEMPLATE = ".env.production.example"


@dataclass(frozen=True)
class Inspection:
    """What a file says, and everything that is wrong with it in the order of its lines."""

    values: Mapping[str, str]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.level == ERROR]

    @property
    def warnings(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.level != ERROR]


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
    text = envfile.with_values((settings.root / TEMPLATE).read_text(encoding="utf-8"), values)
    atomic.replace(settings.env_production, text, mode=0o600)


def checked(settings: Settings, *, warn: Callable[[str], None]) -> dict[str, str]:
    """Return the values of `.env.production`; all its errors are named in one :class:`Invalid`."""
    found = inspected(settings)
    for warning in found.warnings:
        warn(f".env.production: {warning}")
    if found.errors:
        raise invalid(found.errors)
    return dict(found.values)


def inspected(settings: Settings) -> Inspection:
    """Return what `.env.production` says and everything that is wrong with it."""
    content, found = _opened(settings)
    if content is None:
        return Inspection({}, tuple(found))
    inside = _inspected(content, settings)
    return Inspection(inside.values, (*found, *inside.problems))


def change(settings: Settings, key: str, value: str) -> None:
    """Set one variable. A value that would not do is :class:`Invalid`, and the file stays as it is."""
    content, obstacles = _opened(settings)
    if content is None:
        raise invalid(obstacles)
    before = _inspected(content, settings)
    text = _text(content)
    if text is None:
        raise invalid(before.errors)
    text = envfile.with_values(text, {key: value})
    if worse := _worse(key, before, _inspected(text.encode(), settings)):
        raise invalid(worse, what=f"{key} stays as it was")
    atomic.replace(settings.env_production.resolve(), text, mode=0o600)


def _worse(key: str, before: Inspection, after: Inspection) -> list[Problem]:
    """Return the errors that a change brought, and those of the changed variable, old or new."""
    known = {(problem.key, problem.message) for problem in before.errors}
    return [
        problem
        for problem in after.errors
        if problem.key == key or (problem.key, problem.message) not in known
    ]


def invalid(errors: Iterable[Problem], *, what: str = "") -> Invalid:
    told = [f"    {problem}" for problem in errors]
    return Invalid(
        what or f"{len(told)} problem(s) in .env.production",
        why="\n".join(["the site would not run with it, or not as it is written there:", *told]),
        fix="mend what is named above; docs/environment.md says what belongs there",
    )


def _opened(settings: Settings) -> tuple[bytes | None, list[Problem]]:
    if not settings.env_production.exists():
        message = "the file is missing: PAYLOAD_SECRET is not set, nothing tells the application its secrets"
        hint = "put back the copy that belongs to this site, or run `bin/inv env.init` for a new one"
        return None, [Problem(ERROR, "", None, message, hint)]
    return custody.opened(settings.env_production, root=settings.root)


def _inspected(content: bytes, settings: Settings) -> Inspection:
    text = _text(content)
    if text is None:
        return Inspection({}, (Problem(ERROR, "", None, "the file is not text", "write it anew, in UTF-8"),))
    lines = envfile.lines(text)
    found = [
        *problems.of_lines(lines),
        *problems.of_values(lines, settings),
        *arrival.problems(content, lines),
    ]
    found.sort(key=lambda problem: problem.line or 0)
    return Inspection({line.key: line.value or "" for line in lines if line.key}, tuple(found))


def _text(content: bytes) -> str | None:
    """Return the text of a file; NUL is in no text, and in no variable that a process can have."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
