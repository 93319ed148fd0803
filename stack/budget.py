"""How long visitors may wait, and for what."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.rehearsal import Rehearsal

STOP = 5  # seconds an application gets to end by itself, with no request under way
BACK = 8.0  # seconds for the way back: to stop one container and to start another
SLOWER = 2.0  # times; a server that serves visitors as well
PATIENCE = 25.0  # seconds for requests that are under way
LEAST = 5.0  # of these
AT_ALL = 15.0  # seconds, or
LONGER = 4.0  # times as long as in its trial: a release that is not there by then will not come


@dataclass(frozen=True)
class Budget:
    """Seconds of one hold: ``limit`` in all, of these up to ``drain`` for requests under way.

    A release gets what is left but for the way back, ``start`` seconds at most: visitors wait for it.
    """

    limit: float
    drain: float
    start: float

    def begun(self, clock: Callable[[], float] = time.monotonic) -> Callable[[], float]:
        """Start the clock; what is returned tells the seconds that a release has left to become healthy."""
        end = clock() + self.limit - BACK
        return lambda: max(1.0, min(self.start, end - clock()))


def of(limit: int, rehearsal: Rehearsal) -> Budget:
    """Share ``limit`` out by what the rehearsal took; a release that does not fit is :class:`Refused`.

    The copy is taken to last as long as the scratch volume's filling did, which does more.
    """
    migrating = rehearsal.migration.seconds if rehearsal.migration else 0.0
    start = (rehearsal.trial.first + migrating) * SLOWER
    drain = min(PATIENCE, limit - STOP - rehearsal.filling - start - BACK)
    if drain < LEAST:
        needed = math.ceil(limit - drain + LEAST)  # rounded down it would be refused again
        raise Refused(
            f"visitors would wait too long: up to {needed} s",
            why=f"the release answered after {rehearsal.trial.first:.1f} s in the trial, "
            f"{f'its migrations took {migrating:.1f} s, ' if migrating else ''}"
            f"a copy of the database took {rehearsal.filling:.1f} s; they wait {limit} s at most",
            fix=f"HOLD_BUDGET={needed} in .env, and HOLD_LIMIT and the proxies' time-outs above it; "
            "or `--maintenance`: they see a page meanwhile",
        )
    return Budget(limit, drain, start=max(AT_ALL, rehearsal.trial.first * LONGER, migrating * LONGER))


def unlimited(start: float) -> Budget:
    """Return the budget of a hold in which no visitor waits: a release gets ``start`` seconds."""
    return Budget(math.inf, PATIENCE, start)
