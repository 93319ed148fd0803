"""The gate's hold: while it lasts, visitors' requests wait at the gate.

A *lease* lasts as long as the operation that took it: a shell inside the gate's container sets the marker,
and removes it when our pipe to it ends or brings nothing for ``PATIENCE`` seconds. A *pin* lasts until
:func:`unpin`. Both are files in the memory of that container: neither outlives it.
"""

from __future__ import annotations

import json
import time
from collections import deque
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from stack import compose, console, run, signals
from stack.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stack.run import Piped, Result
    from stack.settings import Settings

HELD, PINNED = "/run/gate/hold", "/run/gate/pinned"  # gate/Caddyfile knows them
UPSTREAMS = "http://127.0.0.1:2019/reverse_proxy/upstreams"
PATIENCE = 15  # seconds without a renewal, after which the gate lets go
RENEWAL = 4.0  # seconds between two
LONGEST = 600  # seconds; no operation needs as many
PROBES = 0.5  # seconds; two of the gate's looks at the marker
INTERVAL = 0.1
ANSWER_LIMIT = 30
FIX = "look at `docker compose ps gate` and `bin/inv logs`"

# The shell that reads has no trap: with one, busybox's `read -t` spins for ever after a signal. Whatever ends
# it, its parent removes the marker, unless a later lease has made it its own.
KEEPER = f"""
trap : HUP INT PIPE TERM
echo $$ >{HELD} || exit
(
  uptime() {{ read -r now _ </proc/uptime; now=${{now%%.*}}; }}
  uptime
  end=$((now + {LONGEST}))
  while read -r -t {PATIENCE} _ && uptime && [ "$now" -lt "$end" ]; do echo renewed; done
)
[ "$(cat {HELD})" != $$ ] || rm {HELD}
"""


class Lease:
    """A hold that is renewed by a thread of this process; ``leased`` makes them."""

    def __init__(self, site: Settings, keeper: Piped) -> None:
        self._site = site
        self._keeper = keeper
        self._renewed = float("-inf")  # when the last renewal that the gate has confirmed was sent
        self._said: deque[str] = deque(maxlen=run.TAIL_LINES)
        self._answered, self._over, self._writing = Event(), Event(), Lock()
        self._thread = Thread(target=self._renew, name="lease", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether requests wait for certain: the gate cannot have let go yet."""
        return self._keeper.runs and time.monotonic() - self._renewed < PATIENCE

    def drained(
        self,
        limit: float = 20.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> int:
        """Wait until no request is under way, ``limit`` seconds at most; return how many still are."""
        deadline = clock() + limit
        sleep(PROBES)
        while (count := under_way(self._site)) and clock() < deadline:
            sleep(INTERVAL)
        return count

    def begin(self) -> None:
        with signals.deferred() as came:  # what was not quite started cannot be joined
            self._thread.start()
        signals.deliver(came)
        self._answered.wait(PATIENCE)
        if not self.alive:
            why = self._said[-1] if self._said else f"no answer within {PATIENCE} s"
            raise Refused("the gate cannot hold requests", why=why, fix=FIX)

    def end(self) -> None:
        """Let go, and make sure that it is so."""
        with self._writing:  # the input may be closed then
            self._over.set()
        code = self._keeper.end()
        self._thread.join(RENEWAL)
        if code != 0 and (trouble := _remove(self._site, HELD)):
            console.warn(f"requests may wait at the gate for {PATIENCE} s more: {trouble}")

    def _renew(self) -> None:
        """Send a line, wait for its echo, and so on until this is over or the keeper has ended."""
        while (sent := self._sent()) and self._heard():
            self._renewed = sent
            self._answered.set()
            self._over.wait(RENEWAL)
        self._answered.set()

    def _sent(self) -> float | None:
        """Send a renewal and return when, None where this is over."""
        with self._writing:
            if self._over.is_set():
                return None
            sent = time.monotonic()
            with suppress(BrokenPipeError):  # what it said before it ended is still to be heard
                self._keeper.tell("still here")
            return sent

    def _heard(self) -> bool:
        """Tell whether the next line that is no complaint is an echo, rather than the end."""
        for line in self._keeper.said():
            if line == "renewed":
                return True
            self._said.append(line)
        return False


@contextmanager
def leased(site: Settings) -> Iterator[Lease]:
    """Let visitors wait while this process lives and is inside; where the gate cannot, :class:`Refused`."""
    argv = compose.inside("gate", ["sh", "-c", KEEPER])
    with run.piped(argv, cwd=site.root, env=compose.environment(site)) as keeper:
        lease = Lease(site, keeper)
        try:
            lease.begin()
            yield lease
        finally:
            with signals.deferred() as came:
                lease.end()
            signals.deliver(came)


def pin(site: Settings) -> None:
    """Let visitors wait until :func:`unpin`, or until the gate is started anew; whoever pins may die."""
    done = _inside(site, ["touch", PINNED])
    if not done.ok:
        raise Refused("the gate cannot hold requests", why=_why(done), fix=FIX)


def unpin(site: Settings) -> None:
    """End what :func:`pin` began; where there is no pin, or no gate, there is nothing to do."""
    if trouble := _remove(site, PINNED):
        raise Refused("the gate still holds requests", why=trouble, fix="`docker compose restart gate`")


def is_held(site: Settings) -> bool:
    """Tell whether requests wait, for a lease or a pin; at a gate that does not run none do."""
    done = _inside(site, ["ls", "/run/gate"])
    if not done.ok and _runs(site):
        raise Refused("the gate does not tell whether it holds requests", why=_why(done), fix=FIX)
    return bool({HELD, PINNED} & {f"/run/gate/{name}" for name in done.out.split()})


def under_way(site: Settings) -> int:
    """Return how many requests the gate has handed to the application and not answered yet."""
    done = _inside(site, ["wget", "-q", "-O", "-", UPSTREAMS])
    try:
        return sum(upstream["num_requests"] for upstream in json.loads(done.out))
    except (ValueError, KeyError, TypeError) as trouble:
        why = _why(done)
        raise Refused("the gate does not tell what is under way", why=why, fix=FIX) from trouble


def _remove(site: Settings, marker: str) -> str:
    """Return why the marker may still be there; a gate that does not run has none."""
    done = _inside(site, ["rm", "-f", marker])
    return "" if done.ok or not _runs(site) else _why(done)


def _runs(site: Settings) -> bool:
    return bool(run.capture(compose.running("gate"), cwd=site.root, env=compose.environment(site)).out)


def _inside(site: Settings, argv: Sequence[str]) -> Result:
    inside = compose.inside("gate", argv)
    return run.capture(inside, cwd=site.root, env=compose.environment(site), timeout=ANSWER_LIMIT)


def _why(done: Result) -> str:
    return (done.err.strip().splitlines() or [f"exit code {done.code}"])[-1]
