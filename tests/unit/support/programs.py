"""Stand-ins for programs of the machine. They are real files on PATH and remember how they were called."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

END = b"\x1e\0"  # of one call, among arguments that end with a NUL each


class Programs:
    """A directory of programs in front of PATH.

    ``add`` puts one there, ``calls`` returns the arguments of each of its calls, ``alone`` hides all others.
    """

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._patch = monkeypatch
        self._log(".").mkdir(parents=True)
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")

    def add(self, name: str, script: str = "", *, says: str = "", complains: str = "", code: int = 0) -> None:
        program = self.directory / name
        log = shlex.quote(str(self._log(name)))
        program.write_text(
            "#!/bin/sh\n"
            f'{{ [ $# = 0 ] || printf "%s\\0" "$@"; printf "\\036\\0"; }} >>{log}\n'
            f"{script}\n"
            f"printf %s {shlex.quote(says)}\n"
            f"printf %s {shlex.quote(complains)} >&2\n"
            f"exit {code}\n"
        )
        program.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        log = self._log(name)
        said = log.read_bytes().split(END)[:-1] if log.exists() else []
        return [[os.fsdecode(argument) for argument in call.split(b"\0")[:-1]] for call in said]

    def alone(self) -> None:
        self._patch.setenv("PATH", str(self.directory))

    def _log(self, name: str) -> Path:
        return self.directory / ".calls" / name
