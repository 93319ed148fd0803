"""Read and rewrite ``KEY=value`` files as Compose understands them, without losing a comment or a mode."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dotenv.parser import Binding, parse_stream

from stack import atomic
from stack.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLAIN = re.compile(r"[\w./:@%+,=-]*", re.ASCII)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Line:
    """One assignment. ``key`` is None where it cannot be read, ``value`` where there is no ``=``.

    What is no name is not given as ``key``: it can be a piece of a secret. ``literal`` means single quotes;
    ``source`` is the text itself, with the blank lines before it.
    """

    number: int
    key: str | None
    value: str | None
    literal: bool
    source: str


def lines(text: str) -> list[Line]:
    """Return what the lines of a file assign, comments and blank lines left out."""
    bindings = parse_stream(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    return [_assignment(binding) for binding in bindings if binding.error or binding.key is not None]


def _assignment(binding: Binding) -> Line:
    named = not binding.error and binding.key is not None and NAME.fullmatch(binding.key)
    literal = re.search(r"=[^\S\r\n]*'", binding.original.string) is not None
    return Line(
        _line(binding), binding.key if named else None, binding.value, literal, binding.original.string
    )


def read(path: Path) -> dict[str, str]:
    """Return the values of a file, nothing interpolated; a file that does not exist has none.

    A file that is not text, or has a line that Compose cannot read either, is :class:`Invalid`.
    """
    bindings = list(parse_stream(io.StringIO(_text(path), newline="")))
    if unreadable := [_line(binding) for binding in bindings if binding.error]:
        raise Invalid(
            f"{path} cannot be read",
            why="; ".join(f"line {number} is not KEY=value" for number in unreadable),
            fix="check its quotes, and that there is no space in the name",
        )
    return {binding.key: binding.value or "" for binding in bindings if binding.key is not None}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Set keys in a file, each in its old place or at the end; all else, its mode too, stays as it is."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    atomic.replace(path, with_values(_text(path), values), mode=mode)


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each key set; of a key that occurs twice the last one counts, as with Compose."""
    bindings = list(parse_stream(io.StringIO(text, newline="")))
    parts = [binding.original.string for binding in bindings]
    for key, value in values.items():
        line = f"{key}={quoted(value)}\n"
        places = [n for n, binding in enumerate(bindings) if binding.key == key]
        if places:
            blank_lines = re.match(r"[\r\n]*", parts[places[-1]])
            parts[places[-1]] = (blank_lines.group() if blank_lines else "") + line
        else:
            parts += [*_end_of_line(parts), line]
    return "".join(parts)


def quoted(value: str) -> str:
    """Return ``value`` so that Compose and we read it back unchanged, or raise :class:`Invalid`."""
    if PLAIN.fullmatch(value):
        return value
    if not re.search(r"['\r\n]|\\\\|\\$", value):
        return f"'{value}'"
    if not re.search(r'["$`\\\r\n]', value):
        return f'"{value}"'
    raise Invalid(
        "a value cannot be written to an environment file",
        why="it has a line break, or quotes, backslashes and $ together, which programs read differently",
        fix="choose a value without them",
    )


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as trouble:
        raise Invalid(
            f"{path} is not a text file", why=str(trouble), fix="write it anew; see docs/environment.md"
        ) from trouble


def _line(binding: Binding) -> int:
    """Return the number of the line that a binding is on; blank lines before it belong to it."""
    before = re.match(r"\s*", binding.original.string)
    return binding.original.line + (before.group().count("\n") if before else 0)


def _end_of_line(parts: list[str]) -> list[str]:
    return ["\n"] if parts and not parts[-1].endswith("\n") else []


def redacted(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` without the secrets among ``values``: what is long, not public and no known path."""
    lines = [(line, key) for key, value in values.items() for line in [value, *value.splitlines()]]
    for line, key in sorted(lines, key=lambda found: len(found[0]), reverse=True):
        if _is_secret(key, line):
            text = text.replace(line, f"[{key}]")
    return text


def _is_secret(key: str, value: str) -> bool:
    return len(value) >= 8 and not key.startswith(("NEXT_PUBLIC_", "DATABASE_UR")) and key != "MEDIA_DIR"
