"""The only place that starts processes.

A command is data: other modules build argument lists, this one runs them. Nothing goes through a shell.

What is captured or followed runs in a session of its own: Ctrl-C reaches this process only, and that decides.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import tempfile
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stack import envfile, signals
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import IO, NoReturn

    from stack.ownership import Identity

TAIL_LINES = 40
GRACE = 10  # seconds an interrupted command gets to end by itself
TEXT = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True, "errors": "replace"}

_kept: list[int] = []


@dataclass(frozen=True)
class Result:
    """What a finished process left behind; ``out`` and ``err`` are text."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def command(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Streams:
    """A running process: what it is given, what it gives."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]

    @property
    def input(self) -> IO[bytes]:
        assert self.process.stdin is not None  # noqa: S101 - PIPE was asked for
        return self.process.stdin

    @property
    def output(self) -> io.BufferedReader:
        assert isinstance(self.process.stdout, io.BufferedReader)  # noqa: S101 - PIPE was asked for
        return self.process.stdout

    def complaint(self) -> str:
        """Wait for the end, and return the line that says most of what it said on stderr."""
        code = self.process.wait()
        self.said.seek(0)
        lines = [line.strip() for line in self.said.read().decode(errors="replace").splitlines()]
        errors = [line for line in lines if "Error" in line]
        return next((line for line in [*errors, *reversed(lines)] if line), f"exit code {code}")


def capture(  # noqa: PLR0913 - what can differ between one run and another
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    looking: bool = False,
    owner: Identity | None = None,
) -> Result:
    """Run ``argv`` to its end and return what it said, whatever its exit code.

    What is only ``looking`` does not hold the site's lock: where its parent is killed, nobody waits for it.
    Root can run it as somebody else, the ``owner`` of what it works on.

    ``env`` replaces the whole environment; ``timeout`` is in seconds and counts as exit code 124, as with
    coreutils' ``timeout``. A program that does not exist is :class:`Refused`.
    """
    kept = () if looking else _kept
    who = {"user": owner.user, "group": owner.group, "extra_groups": owner.groups} if owner else {}
    how = {"stderr": subprocess.PIPE, "pass_fds": kept, **TEXT, **who}
    with _started(argv, cwd=cwd, env=env, **how) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as late:
            _end(process, signal.SIGKILL)
            return Result(tuple(argv), 124, "", f"no answer within {late.timeout:.0f} s")
    return Result(tuple(argv), process.returncode, out, err)


def capture_bytes(argv: Sequence[str]) -> bytes:
    """Run ``argv`` and return its raw output; a failure is :class:`Refused`."""
    with _startable(argv):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise Refused(
            f"`{shlex.join(argv)}` failed",
            why=done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}",
            fix="mend what it says, then run this again",
        )
    return done.stdout


def follow(
    argv: Sequence[str],
    *,
    on_line: Callable[[str], None],
    secrets: Mapping[str, str],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run ``argv``, hand each line of its output to ``on_line``, keep the last 40 lines as ``err``.

    The values among ``secrets`` are taken out of both.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with _started(argv, cwd=cwd, env=env, stderr=subprocess.STDOUT, **TEXT) as process:
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        for line in process.stdout:
            shown = envfile.redacted(line.rstrip(), secrets)
            tail.append(shown)
            on_line(shown)
    return Result(tuple(argv), process.returncode, "", "\n".join(tail))


def attached(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run ``argv`` with this process's own terminal, from which it gets Ctrl-C too; return its exit code."""
    with _startable(argv, cwd):
        process = subprocess.Popen(argv, cwd=cwd, env=env)
    try:
        return process.wait()
    except KeyboardInterrupt as interruption:
        if "SIGINT" not in interruption.args:
            process.send_signal(signal.SIGINT)
        process.wait()  # for what it cleans up
        raise


@contextmanager
def streaming(
    argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Streams]:
    """Run ``argv`` with its input and output as streams of bytes; who leaves early ends it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with tempfile.TemporaryFile() as said, _started(argv, cwd=cwd, env=env, stderr=said, **pipes) as process:
        yield Streams(process, said)
        try:
            process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired as late:
            raise Refused(
                f"`{argv[0]}` does not end",
                why=f"it has nothing more to do for {GRACE} s",
                fix="look at `docker ps`, then run this again",
            ) from late


@contextmanager
def keeping(descriptor: int) -> Iterator[None]:
    """Let what is started meanwhile keep a descriptor open too: a lock then lasts as long as they do."""
    _kept.append(descriptor)
    try:
        yield
    finally:
        _kept.remove(descriptor)


def detach(argv: Sequence[str], *, log: Path) -> None:
    """Start ``argv`` in a session of its own, its output in ``log``; it outlives this process."""
    with _startable(argv), log.open("ab") as output:
        subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )


def become(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> NoReturn:
    """Replace this process by ``argv``: signals and the terminal are then its own."""
    with _startable(argv, cwd):
        os.chdir(cwd)
        os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606 - no shell is what is wanted


@dataclass(frozen=True)
class Piped:
    """A process between two pipes, that is to end with its input; each line goes through at once."""

    process: subprocess.Popen[bytes]

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def tell(self, line: str) -> None:
        """Send a line; one that has ended is :class:`BrokenPipeError`."""
        assert self.process.stdin is not None  # noqa: S101 - PIPE was asked for
        self.process.stdin.write(f"{line}\n".encode())

    def said(self) -> Iterator[str]:
        """Give the lines that it says, complaints too, as they come."""
        assert self.process.stdout is not None  # noqa: S101 - PIPE was asked for
        for line in iter(self.process.stdout.readline, b""):
            yield line.decode(errors="replace").rstrip()

    def end(self) -> int | None:
        """Close its input and return its exit code, None where it has not ended ``GRACE`` seconds later."""
        assert self.process.stdin is not None  # noqa: S101 - PIPE was asked for
        self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(GRACE)
        return None


@contextmanager
def piped(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Iterator[Piped]:
    """Start ``argv`` between two pipes; end it when this is left, by force if it has to be."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with _started(argv, cwd=cwd, env=env, bufsize=0, **pipes) as process:
        try:
            yield Piped(process)
        finally:
            if Piped(process).end() is None:
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _started(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    **how: Any,  # noqa: ANN401 - Popen's
) -> Iterator[subprocess.Popen[Any]]:
    """Start ``argv`` in a session of its own; where this process is interrupted, see it end too."""
    with _startable(argv, cwd), signals.deferred() as came:  # a process that nobody knows of cannot be ended
        process = subprocess.Popen(
            argv, cwd=cwd, env=env, start_new_session=True, **{"pass_fds": _kept, **how}
        )
    with process:
        try:
            signals.deliver(came)
            yield process
        except BaseException:
            _end(process, signal.SIGTERM)  # SIGINT is ignored by what a shell put into the background
            if process.stdin:
                with suppress(BrokenPipeError):  # that it has not read all is not what went wrong
                    process.stdin.close()
            raise


def _end(process: subprocess.Popen[Any], how: signal.Signals) -> None:
    """Signal a process and all that it started, and see them end."""
    for number in (how, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if process.poll() is not None:
            return
        if process.stdin and process.stdin.closed:
            process.stdin = None
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE)  # reads on: nobody can end who waits to be read
            return


@contextmanager
def _startable(argv: Sequence[str], cwd: Path | None = None) -> Iterator[None]:
    """Say what keeps a program from starting."""
    try:
        yield
    except (FileNotFoundError, PermissionError) as trouble:
        if cwd is not None and not cwd.is_dir():
            raise Refused(
                f"`{argv[0]}` cannot run in {cwd}",
                why="there is no such directory",
                fix="put the directory back, or correct .env",
            ) from trouble
        if isinstance(trouble, PermissionError) and Path(argv[0]).is_file():
            raise Refused(
                f"`{argv[0]}` may not be run", why=str(trouble), fix="check the permissions of that file"
            ) from trouble
        raise Refused(
            f"the program `{argv[0]}` is not here",
            why="it is not on PATH",
            fix="run `./deploy.sh --provision` as root, or install it",
        ) from trouble
