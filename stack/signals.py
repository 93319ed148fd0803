"""Ctrl-C, SIGTERM and SIGHUP: the first one ends an operation, or sends it back; none leaves it half done."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOT_NOW = b"\n  going on: what has begun must not be left half done\n"


@contextmanager
def heeded() -> Iterator[None]:
    """Raise :class:`KeyboardInterrupt` with the signal's name at the first one; what follows is the way back.

    A signal that this process was started to ignore, as by `nohup`, stays ignored.
    """
    with _handled_by(_interrupt):
        yield


@contextmanager
def ignored() -> Iterator[None]:
    """Finish what is inside, whatever comes; whoever presses Ctrl-C is told so."""
    with _handled_by(_say_not_now):
        yield


@contextmanager
def deferred() -> Iterator[list[int]]:
    """Give a list that collects the signals that come; :func:`deliver` takes them up again."""
    came: list[int] = []
    with _handled_by(lambda number, _: came.append(number)):
        yield came


def deliver(came: list[int]) -> None:
    for number in came:
        signal.raise_signal(number)


def hang_up() -> None:
    """Treat an output that nobody reads any more as SIGHUP, where signals are heeded."""
    if signal.getsignal(signal.SIGHUP) is _interrupt:
        signal.raise_signal(signal.SIGHUP)


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    mine = [number for number in ENDING if before[number] is not signal.SIG_IGN]
    for number in mine:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, before[number])


def _interrupt(number: int, _: FrameType | None) -> None:
    for other in ENDING:
        if signal.getsignal(other) is _interrupt:
            signal.signal(other, _say_not_now)
    raise KeyboardInterrupt(signal.Signals(number).name)


def _say_not_now(number: int, _: FrameType | None) -> None:
    if number == signal.SIGINT:
        with suppress(OSError):
            os.write(2, NOT_NOW)  # `print` may be at work already
