"""Read and rewrite ``KEY=value`` files as Compose understands them, without losing a comment or a mode."""

from __future__ import annotations

import io
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN = re.compile(r"[\w./:@%+,=-]*")


def read(path: Path) -> dict[str, str]:
    """Return the values of a file, nothing interpolated; a file that does not exist has none."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8-sig")
    return {
        key: value or "" for key, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items()
    }


def write(path: Path, values: Mapping[str, str], *, mode: int = 0o644) -> None:
    """Set keys in a file, each in its old place or at the end; the rest of the file stays as it is."""
    text = path.read_text() if path.exists() else ""
    replace(path, with_values(text, values), mode=mode)


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each key set; of a key that occurs twice the last one counts, as with Compose."""
    lines = text.splitlines()
    for key, value in values.items():
        line = f"{key}={quoted(value)}"
        places = [
            n for n, old in enumerate(lines) if re.match(rf"\s*(?:export\s+)?{re.escape(key)}\s*=", old)
        ]
        if places:
            lines[places[-1]] = line
        else:
            lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def quoted(value: str) -> str:
    """Return ``value`` so that Compose hands it on unchanged."""
    if PLAIN.fullmatch(value):
        return value
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def replace(path: Path, text: str, *, mode: int) -> None:
    """Put a whole new file in place by one rename: a reader sees the old one or the new one."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(scratch).chmod(mode)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink()
        raise


def redacted(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` without the secrets among ``values``: what is long, not public and not a path."""
    for key, value in values.items():
        if len(value) >= 8 and not key.startswith("NEXT_PUBLIC_") and not value.startswith("file:"):
            text = text.replace(value, f"[{key}]")
    return text
