"""What Compose makes of an environment file, beside what the file says: each value must arrive as written."""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stack import compose, run
from stack.errors import Refused
from stack.problems import ERROR, WARNING, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stack.envfile import Line

DOCUMENT = "{{name: check, services: {{app: {{image: none, env_file: ['{values}']}}}}}}"
KEPT = ("PATH", "HOME", "DOCKER_CONFIG")
TIMEOUT = 30  # seconds; it takes a tenth of one


def problems(content: bytes, lines: Sequence[Line]) -> list[Problem]:
    """Return the values that would change on their way into the container."""
    readable = [line for line in lines if line.key]
    try:
        told = _as_compose_reads(content)
        if not isinstance(told, dict) and len(readable) < len(lines):  # ask about the others at least
            told = _as_compose_reads("".join(line.source for line in readable).encode())
    except (Refused, OSError, ValueError, LookupError):  # no Compose, or one that says something else
        return [
            Problem(WARNING, "", None, "could not be compared with what Compose reads", "is Compose here?")
        ]
    if isinstance(told, dict):
        return list(_differences(lines, told))
    return [_refused(told)] if len(readable) == len(lines) else []  # complained of already


def _as_compose_reads(content: bytes) -> dict[str, str] | run.Result:
    """Return what a container would get, or Compose's refusal; raise where there is no Compose."""
    with in_memory(content) as values, tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "compose.yaml").write_text(DOCUMENT.format(values=values))
        asked = run.capture(compose.model(), cwd=Path(scratch), env=_shell(content), timeout=TIMEOUT)
    if not asked.ok and run.capture(compose.version(), timeout=TIMEOUT).ok:
        return asked
    told: Mapping[str, str | None] = json.loads(asked.out)["services"]["app"].get("environment") or {}
    # `config` shows $ as $$
    return {key: value.replace("$$", "$") for key, value in told.items() if value is not None}


@contextmanager
def in_memory(content: bytes) -> Iterator[str]:
    """Give the path of a file that is on no disk, and gone with this process, however that ends."""
    with os.fdopen(os.memfd_create("environment"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}"


def _shell(content: bytes) -> dict[str, str]:
    """Return an environment in which no variable that the file seems to mention is what the file says."""
    mentioned = {name.decode() for name in re.findall(rb"\$\{?([A-Za-z_]\w*)", content)}
    foreign = {name: "of the shell" for name in mentioned if not name.startswith(("DOCKER_", "COMPOSE_"))}
    return {**foreign, **{key: os.environ[key] for key in KEPT if key in os.environ}}


def _differences(lines: Sequence[Line], told: Mapping[str, str]) -> Iterator[Problem]:
    last = {line.key: line for line in lines if line.key}
    for key, line in last.items():
        if line.value is not None and told.get(key) != line.value:
            yield Problem(ERROR, key, line.number, "would not arrive as written", _remedy(line))
    if told.keys() - last.keys():  # not named: it can be a piece of a secret
        yield Problem(ERROR, "", None, "Compose finds a variable that is on no line of its own", "one a line")


def _remedy(line: Line) -> str:
    if line.literal or "'" in (line.value or ""):
        return "choose a value without quotes and doubled backslashes"
    return "put it in 'single quotes'"


def _refused(refusal: run.Result) -> Problem:
    """Keep the number of Compose's complaint only: its words contain the line."""
    number = re.search(r"\bline (\d+)", refusal.err)
    message = "Compose cannot read this" if number else "Compose cannot read the file"
    return Problem(ERROR, "", int(number.group(1)) if number else None, message, "check names and quotes")
