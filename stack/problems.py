"""What can be wrong with the values of `.env.production`. A problem never contains one of them."""

from __future__ import annotations

import base64
import difflib
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stack.settings import FORMS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from stack.envfile import Line
    from stack.settings import Settings

ERROR, WARNING = "error", "warning"

ACTIONS_KEY = "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"
DATABASE = ("DATABASE_URI", "DATABASE_URL")
REQUIRED = ("PAYLOAD_SECRET", *DATABASE, "NEXT_PUBLIC_SERVER_URL")
DROP = "PAYLOAD_DROP_DATABASE"
IN_DOTENV = "set it in .env instead"
# What the image or docker-compose.yml sets: its only right value, and what is wrong with another one.
OF_THE_STACK = {
    "NODE_ENV": ("production", "is not production", "remove the line"),
    "PORT": ("3000", "is not 3000", "the gate looks for the application there; see HOST_PORT in .env"),
    "HOSTNAME": ("0.0.0.0", "is not 0.0.0.0: the gate could not reach the application", "remove the line"),  # noqa: S104
    "RELEASE": (None, "is told by the image", "remove the line"),
}
KNOWN = (*REQUIRED, ACTIONS_KEY, DROP, *OF_THE_STACK)
SECRET_MINIMUM = 32  # characters
ALIKE = 0.85  # PAYLOAD_SECERT is 0.93 like PAYLOAD_SECRET, SMTP_PORT 0.62 like PORT
PLACEHOLDER = re.compile(
    r"\bchange[_-](me|this)(?![a-z])|^(changeme|your[_-].*|placeholder|todo|x{3,}|<.*>)$|//(www\.)?your[_-]?(domain|site)\b",
    re.IGNORECASE,
)
BELOW_DATA = re.compile(r"file:/data(/\w[\w.-]*)+", re.ASCII)
READ_DIFFERENTLY_BY_THE_BUILD = re.compile(r"[#`\\\n]")


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one variable, or with the file where ``key`` is empty; ``line`` counts from 1."""

    level: str
    key: str
    line: int | None
    message: str
    hint: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        name = f"{self.key}: " if self.key else ""
        return f"{place}{name}{self.message} ({self.hint})"


def of_lines(lines: Sequence[Line]) -> list[Problem]:
    """Return what is wrong with how a file is written."""
    return [*_unreadable(lines), *_twice(lines), *_in_two_cases(lines), *_read_differently(lines)]


def of_values(lines: Sequence[Line], settings: Settings) -> list[Problem]:
    """Return what is wrong with the values that a file gives."""
    last = {line.key: line for line in lines if line.key and line.value is not None}
    values = {key: line.value or "" for key, line in last.items()}
    found = [
        *_absent(values),
        *_placeholders(values),
        *_of_the_application(values),
        *_of_the_stack(values, settings),
        *_unknown(values),
    ]
    at = {key: line.number for key, line in last.items()}
    return [Problem(level, key, at.get(key), message, hint) for level, key, message, hint in found]


def _unreadable(lines: Sequence[Line]) -> Iterator[Problem]:
    for line in lines:
        if line.value is None and line.key:
            hint = "write KEY=value; an empty value is KEY="
            yield Problem(ERROR, "", line.number, "has no =: Compose would ask the shell for a value", hint)
        elif line.key is None:
            hint = "check its quotes, and that the name has only letters, digits and _"
            yield Problem(ERROR, "", line.number, "is not KEY=value", hint)


def _twice(lines: Sequence[Line]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for line in lines:
        if line.key in first:
            message = f"stands on line {first[line.key]} already: the last one counts"
            yield Problem(WARNING, line.key, line.number, message, "remove the others")
        elif line.key:
            first[line.key] = line.number


def _in_two_cases(lines: Sequence[Line]) -> Iterator[Problem]:
    spelt: dict[str, str] = {}
    for line in lines:
        if line.key and spelt.setdefault(line.key.upper(), line.key) != line.key:
            message = f"differs from {spelt[line.key.upper()]} in upper and lower case only"
            yield Problem(WARNING, line.key, line.number, message, "keep one of them")


def _read_differently(lines: Sequence[Line]) -> Iterator[Problem]:
    """Look for public values that Node.js, which reads them for the build, would cut or change."""
    for line in lines:
        public = line.key and line.key.startswith("NEXT_PUBLIC_") and not line.literal
        if line.key and public and READ_DIFFERENTLY_BY_THE_BUILD.search(line.value or ""):
            message = "would be built in otherwise than written"
            yield Problem(ERROR, line.key, line.number, message, "put it in 'single quotes'")


Finding = tuple[str, str, str, str]  # level, key, message, hint


def _absent(values: Mapping[str, str]) -> Iterator[Finding]:
    for key in REQUIRED:
        if key not in values:
            yield ERROR, key, "is missing", _how(key)
        elif not values[key].strip():
            yield ERROR, key, "is empty", _how(key)


def _placeholders(values: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in values.items():
        if PLACEHOLDER.search(value) and key in KNOWN:
            yield ERROR, key, "is still the placeholder", _how(key)
        elif PLACEHOLDER.search(value):
            yield WARNING, key, "looks like a placeholder", "is it what you mean?"


def _of_the_application(values: Mapping[str, str]) -> Iterator[Finding]:
    given = {key: value for key, value in values.items() if value.strip() and not PLACEHOLDER.search(value)}
    if len(given.get("PAYLOAD_SECRET", "s" * SECRET_MINIMUM).strip()) < SECRET_MINIMUM:
        yield ERROR, "PAYLOAD_SECRET", f"is shorter than {SECRET_MINIMUM} characters", _how("PAYLOAD_SECRET")
    for key in DATABASE:
        if key in given and not BELOW_DATA.fullmatch(given[key]):
            yield ERROR, key, "is not a file below /data, where the volume is", _how(key)
    if len({given[key] for key in DATABASE if key in given}) > 1:
        yield ERROR, "DATABASE_URL", "differs from DATABASE_URI", "give both the same value"
    if not _is_actions_key(given.get(ACTIONS_KEY, "")):
        yield ERROR, ACTIONS_KEY, "is not 16, 24 or 32 bytes in base64", _how(ACTIONS_KEY)
    if values.get(DROP, "").strip().lower() not in ("", "false", "0"):
        yield ERROR, DROP, "would delete the whole database at the next start", "remove the line"
    if "NEXT_PUBLIC_SERVER_URL" in given:
        yield from _of_the_address(given["NEXT_PUBLIC_SERVER_URL"])


def _of_the_address(url: str) -> Iterator[Finding]:
    key = "NEXT_PUBLIC_SERVER_URL"
    try:
        parts, _ = urlsplit(url), urlsplit(url).port
    except ValueError:
        yield ERROR, key, "is not an address", _how(key)
        return
    if not re.fullmatch(r"https?://[^\s/?#@\\]+", url.rstrip("/")) or not parts.hostname:
        yield ERROR, key, "is not http:// or https://, a host and nothing else", _how(key)
    elif url.endswith("/"):
        yield ERROR, key, "ends with a slash", "take it away: links would have two"
    elif parts.scheme == "http" and not _is_private(parts.hostname):
        yield WARNING, key, "is public but not https: logins could be read on the way", _how(key)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".test", ".invalid"))


def _of_the_stack(values: Mapping[str, str], settings: Settings) -> Iterator[Finding]:
    right = {**OF_THE_STACK, "MEDIA_DIR": (settings.media_dir, "is not where the volume is", IN_DOTENV)}
    for key, (value, message, hint) in right.items():
        if values.get(key, value) != value:
            yield ERROR, key, message, hint
    for key in sorted(FORMS.keys() - right.keys() & values.keys()):
        yield WARNING, key, "is a setting of the stack and does nothing here", IN_DOTENV


def _unknown(values: Mapping[str, str]) -> Iterator[Finding]:
    for key in sorted(values.keys() - FORMS.keys()):
        near = nearest(key)
        if near and near not in values:
            yield WARNING, key, "is not a name the stack knows", f"did you mean {near}?"


def nearest(key: str, known: Collection[str] = KNOWN) -> str | None:
    """Return the known name that another one looks like."""
    alike = difflib.get_close_matches(key.upper(), known, 1, ALIKE)
    return None if key in known or not alike else alike[0]


def _is_actions_key(value: str) -> bool:
    """Tell whether Next.js can use a key: with another one every form fails, at run time."""
    if not value:
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
