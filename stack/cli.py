"""The command line: Invoke's own, with exit codes that scripts may rely on."""

from __future__ import annotations

import difflib
import os
import re
import sys
from typing import TYPE_CHECKING

from invoke.exceptions import Exit, ParseError, UnexpectedExit
from invoke.program import Program

from stack import __version__, errors, signals
from stack.errors import Failure, Usage

if TYPE_CHECKING:
    from typing import NoReturn

    from invoke.collection import Collection

INTERRUPTED = 130
TRAILING = ("--file", "--release")  # flags whose value can stand alone


class Stack(Program):
    """Invoke 2.2 ends with 1 for a usage error and for Ctrl-C; scripts need to tell them apart."""

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:  # noqa: A002, ARG002, FBT001, FBT002 - Invoke's
        with signals.heeded():
            self._run(argv)

    def _run(self, argv: list[str] | None) -> None:
        try:
            self.create_config()
            self.parse_core(argv)
            self.parse_collection()
            self.parse_tasks()
            self.parse_cleanup()
            self.update_config()
            self.execute()
        except ParseError as mistake:
            _end(Usage("this command line makes no sense", why=str(mistake), fix=self._hint(str(mistake))))
        except Failure as failure:
            _end(failure)
        except UnexpectedExit as refusal:
            sys.exit(refusal.result.exited)
        except Exit as done:
            if done.message:
                print(done.message, file=sys.stderr)  # noqa: T201
            sys.exit(done.code)
        except (KeyboardInterrupt, EOFError):
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as trouble:
            _end(errors.of(trouble))

    def _hint(self, mistake: str) -> str:
        named = re.match("No idea what '(.+?)' is", mistake)
        near = difflib.get_close_matches(named.group(1), self.collection.task_names, 1, 0.75) if named else []
        return f"did you mean `bin/inv {near[0]}`?" if near else "`bin/inv --list`, `bin/inv --help TASK`"

    def parse_core(self, argv: list[str] | None) -> None:
        """Refuse Invoke's flags that nothing here heeds: `--dry` above all must not act."""
        super().parse_core(argv)
        for flag in ("dry", "echo", "pty", "warn-only", "command-timeout", "hide"):
            if self.args[flag].value:
                raise ParseError(f"--{flag} has no meaning here")

    def parse_tasks(self) -> None:
        self.core.unparsed = self._with_the_trailing_word(self._as_one_word(self.core.unparsed))
        try:
            super().parse_tasks()
        except ValueError as mistake:  # a word where a flag wants a number
            raise ParseError(str(mistake)) from mistake

    def _as_one_word(self, words: list[str]) -> list[str]:
        """Let `maintenance on` mean `maintenance.on`, where the two are not tasks of their own."""
        first, names = words[:2], self.collection.task_names.items()
        tasks = {each for name, aliases in names for each in (name, *aliases)}
        if ".".join(first) in tasks and not tasks.issuperset(first):
            return [".".join(first), *words[2:]]
        return words

    def _with_the_trailing_word(self, words: list[str]) -> list[str]:
        """Let `restore FILE` mean `restore --file=FILE`: with Invoke what stands alone cannot be left out."""
        tasks = {context.name: context for context in self.collection.to_contexts()}
        flags = tasks[words[0]].flags if words and words[0] in tasks else {}
        meant = next((flag for flag in TRAILING if flag in flags), None)
        if meant is None:
            return words
        if "" in words or f"{meant}=" in words:  # not the wish for the newest archive
            raise ParseError("a word of it is empty: a variable that is not set?")
        given = list(words)
        for place, word in enumerate(words[1:], 1):
            before = flags.get(words[place - 1])
            if not word.startswith("-") and not (before and before.takes_value):
                given[place] = f"{meant}={word}"
                break
        return given


def main(namespace: Collection) -> None:
    Stack(version=__version__, name="inv", binary="inv", namespace=namespace).run()


def _end(failure: Failure) -> NoReturn:
    from stack import console  # noqa: PLC0415 - only needed to fail

    console.error(str(failure))
    sys.exit(failure.code)
