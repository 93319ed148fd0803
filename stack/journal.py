"""What an operation is doing, on disk before and after each step: whoever comes after a crash reads it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from stack import atomic, ownership
from stack.errors import Broken

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from stack.settings import Settings

FORMAT = 1
KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "operation", "began", "step"), str),
    "serving": (bool, type(None)),
    "volumes": list,
    "files": list,
    "facts": dict,
}


@dataclass(frozen=True)
class Entry:
    """An operation that has begun and not ended.

    ``began`` is UTC. ``serving`` is None as long as the site is untouched, then whether it was up before.
    ``volumes`` go if `.env` does not name them, ``files`` go: an operation that ended has none of them.
    ``facts`` are for the history.
    """

    id: str
    operation: str
    began: str
    pid: int
    step: str = ""
    done: bool = True
    serving: bool | None = None
    volumes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT


def write(site: Settings, entry: Entry) -> None:
    atomic.replace(path(site), json.dumps(asdict(entry), indent=2) + "\n", mode=0o600)


def read(site: Settings) -> Entry | None:
    """Return the unfinished operation, or None; one that cannot be understood is :class:`Broken`."""
    try:
        told = json.loads(path(site).read_text(encoding="utf-8"))
        return _entry(told)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as damage:
        raise Broken(
            "the journal of an unfinished operation cannot be read",
            why=f"{path(site)}: {damage}",
            fix="look at `bin/inv status`; when the site is as you want it, move that file away",
        ) from damage


def clear(site: Settings) -> None:
    path(site).unlink(missing_ok=True)
    atomic.sync_directory(site.state)


def remember(site: Settings, facts: dict[str, Any]) -> None:
    """Add how an operation ended to the site's history: one JSON object a line."""
    file = site.state / "history"
    line = json.dumps(facts) + "\n"
    with file.open("ab+") as history:
        history.write((line if _ends_with_a_line(history) else f"\n{line}").encode())
        history.flush()
        os.fsync(history.fileno())
    file.chmod(0o600)
    ownership.hand_over(file)


def history(site: Settings) -> list[dict[str, Any]]:
    """Return what ended, oldest first; a line that was cut off by a crash is left out."""
    file = site.state / "history"
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    return [told for told in map(_object, text.splitlines()) if told]


def path(site: Settings) -> Path:
    return site.state / "journal"


def _entry(told: dict[str, Any]) -> Entry:
    if told["format"] != FORMAT:
        raise ValueError(f"format {told['format']} is not known to this version")
    wanted = {each.name for each in fields(Entry)}
    if set(told) != wanted:
        raise ValueError(f"it should name {', '.join(sorted(wanted))}")
    if strange := [key for key, kind in KINDS.items() if not isinstance(told[key], kind)]:
        raise ValueError(f"{', '.join(strange)} cannot be meant so")
    if not all(isinstance(text, str) for text in (*told["volumes"], *told["files"], *told["facts"].values())):
        raise ValueError("it names something that is not text")
    return Entry(**{**told, "volumes": tuple(told["volumes"]), "files": tuple(told["files"])})


def _ends_with_a_line(history: IO[bytes]) -> bool:
    """Tell whether what comes next begins a line of its own; a crash can have cut off the one before."""
    if not history.seek(0, os.SEEK_END):
        return True
    history.seek(-1, os.SEEK_END)
    return history.read(1) == b"\n"


def _object(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
