"""The gate's own configuration: checked before it is needed, taken over without a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import compose, run
from stack.errors import Broken, Refused

if TYPE_CHECKING:
    from stack.run import Result
    from stack.settings import Settings

CADDYFILE = ("--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile")


def validate(site: Settings) -> None:
    """Refuse a `gate/Caddyfile` that the running gate could not take over."""
    done = _caddy(site, "validate")
    if not done.ok:
        raise Refused(
            "the gate's configuration is not valid", why=_last_line(done), fix="correct gate/Caddyfile"
        )


def reload(site: Settings) -> None:
    """Let the gate take over its configuration; where nothing changed, Caddy does nothing."""
    done = _caddy(site, "reload")
    if not done.ok:
        raise Broken(
            "the gate keeps its old configuration", why=_last_line(done), fix="`docker compose restart gate`"
        )


def fresh(site: Settings) -> None:
    """Let the gate take over what it may have been started without, before anything is touched."""
    try:
        reload(site)
    except Broken as kept:
        raise Refused(kept.what, why=kept.why, fix=kept.fix) from kept


def _caddy(site: Settings, verb: str) -> Result:
    argv = compose.inside("gate", ["caddy", verb, *CADDYFILE])
    return run.capture(argv, cwd=site.root, env=compose.environment(site), timeout=30)


def _last_line(done: Result) -> str:
    return (done.err.strip().splitlines() or [f"exit code {done.code}"])[-1]
