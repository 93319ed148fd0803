"""How far a stream of bytes has come, told on the line of a step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stack import sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.console import Step

TOLD_EVERY = 0.1  # seconds


class Meter:
    """Tells a step how far a stream of ``total`` bytes has come, and how fast."""

    def __init__(
        self, step: Step, total: int, doing: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._step, self._total, self._doing, self._clock = step, total, doing, clock
        self._began = clock()
        self._told = float("-inf")
        self._done = 0

    def passed(self, size: int) -> None:
        """Count ``size`` bytes more."""
        self._done += size
        now = self._clock()
        if now - self._told >= TOLD_EVERY:
            self._told = now
            self._step.progress(self._doing + rate(self._done, self._total, now - self._began))


def rate(done: int, total: int, seconds: float) -> str:
    """Tell how far a stream of bytes has come, and how fast."""
    speed = int(done / max(seconds, 0.001))
    return f"{sizes.human(done)} of {sizes.human(total)}, {sizes.human(speed)}/s"
