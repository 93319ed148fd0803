"""How long visitors may wait, and for what."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.rehearsal import Rehearsal

DISK = 100 << 20  # bytes a second, which the disk of a small server writes
MARGIN = 8.0  # seconds for the way back: to stop one container and to start another
SLOWER = 2.0  # times; a server that serves visitors as well
PATIENCE = 25.0  # seconds for requests that are under way
LEAST = 5.0  # of these


@dataclass(frozen=True)
class Budget:
    """Seconds of one hold: ``limit`` in all; ``drain`` for requests under way, ``back`` for the way back."""

    limit: float
    drain: float
    back: float
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)

    def begun(self) -> Callable[[], float]:
        """Start the clock; what is returned tells the seconds that a release has left to become healthy."""
        end = self.clock() + self.limit - self.back
        return lambda: max(1.0, end - self.clock())


def of(limit: int, rehearsal: Rehearsal) -> Budget:
    """Share ``limit`` out by what the rehearsal took; a release that does not fit is :class:`Refused`."""
    copying = rehearsal.size / DISK
    start = rehearsal.trial.first * SLOWER
    drain = min(PATIENCE, limit - copying - start - MARGIN)
    if drain < LEAST:
        needed = math.ceil(limit - drain + LEAST)  # rounded down it would be refused again
        raise Refused(
            f"visitors would wait too long: up to {needed} s",
            why=f"the release answered after {rehearsal.trial.first:.1f} s in the trial, "
            f"its database has {rehearsal.size >> 20} MiB; they wait {limit} s at most",
            fix=f"HOLD_BUDGET={needed} in .env, and HOLD_LIMIT and the proxies' time-outs above it",
        )
    return Budget(limit, drain, MARGIN)
