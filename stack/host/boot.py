"""What runs when the machine starts: `bin/inv resume` of each checkout, where there is systemd.

Root runs it: it may do all that was begun by anybody, and what it makes in a checkout becomes its owner's.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from stack import atomic, run, settings
from stack.errors import Refused

if TYPE_CHECKING:
    from stack.run import Result

BOOTED = Path("/run/systemd/system")
UNITS = Path("/etc/systemd/system")
PREFIX = "payload-stack-"
LIMIT = 900  # seconds; what resume waits for has limits of its own
TEXT = """\
# Written by `bin/inv provision`; it goes with the next one after the checkout has gone.
[Unit]
Description=Make good what was broken off in {checkout}
Wants=docker.service
After=docker.service
ConditionPathExists={checkout}/bin/inv

[Service]
Type=oneshot
User=root
TimeoutStartSec={limit}
ExecStart="{checkout}/bin/inv" resume

[Install]
WantedBy=multi-user.target
"""


def ensure(root: Path) -> str:
    """Let an unfinished operation of this checkout be made good at each start of the machine."""
    if not BOOTED.is_dir():
        return "no systemd here: after a crash `bin/inv resume`, or the next command"
    unit = UNITS / name(root)
    if unit.exists() and unit.read_text() == text(root) and _asked("is-enabled", unit.name).ok:
        return "present"
    if os.geteuid() != 0:
        return "not yet: `sudo bin/inv provision`"
    _forget_those_that_are_gone()
    atomic.replace(unit, text(root), mode=0o644)
    _take("daemon-reload")
    _take("enable", unit.name)
    return f"{unit.name} written"


def name(root: Path) -> str:
    """Return a name that is readable, and of no other checkout."""
    digits = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    return f"{PREFIX}{settings.default_site(root)}-{digits}.service"


def text(root: Path) -> str:
    return TEXT.format(checkout=str(root).replace("%", "%%"), limit=LIMIT)


def _forget_those_that_are_gone() -> None:
    for unit in UNITS.glob(f"{PREFIX}*.service"):
        named = re.search(r"^ConditionPathExists=(.+)$", unit.read_text(), re.MULTILINE)
        if named and not Path(named.group(1).replace("%%", "%")).exists():
            _take("disable", unit.name)
            unit.unlink()


def _take(*arguments: str) -> None:
    done = _asked(*arguments)
    if not done.ok:
        raise Refused(
            "systemd does not take the unit that resumes at boot",
            why=(done.err.strip().splitlines() or [f"exit code {done.code}"])[-1],
            fix="`systemctl status` says more; then run this again",
        )


def _asked(*arguments: str) -> Result:
    return run.capture(["systemctl", *arguments])
