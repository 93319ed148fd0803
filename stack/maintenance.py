"""Maintenance: visitors get a page from the gate at once; whoever has the pass comes through to the site.

Two files, which the gate looks for at each request: so nothing is reloaded, and no restart changes it.
Visitors get ``page.html`` where it is; the other one is named after the pass, which is known nowhere else.
"""

from __future__ import annotations

import html
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.request import Request

from stack import atomic, budget, console, environment, ownership
from stack.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stack.budget import Budget
    from stack.operation import Operation
    from stack.rehearsal import Rehearsal
    from stack.settings import Settings

PASS = "gate-pass"  # noqa: S105 - what the cookie and the link's parameter are called; gate/Caddyfile knows it
MESSAGE = "This site is being worked on. Please come back in a few minutes."
LONGEST = 500  # characters
PLACE = "<!-- message -->"  # in gate/maintenance.html


def is_on(site: Settings) -> bool:
    return _page(site).exists()


def text_of(message: str) -> str:
    """Return an operator's words as one line of text; what is too long for a page is :class:`Usage`."""
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", message).split())
    if len(line) > LONGEST:
        raise Usage(
            "the message is too long",
            why=f"it has {len(line)} characters; the page takes {LONGEST}",
            fix="write a shorter one; gate/maintenance.html is the page around it",
        )
    return line or MESSAGE


def begin(site: Settings, text: str = MESSAGE) -> None:
    """Show visitors a page from now on; a pass that counts already goes on to."""
    if is_on(site):
        _show(site, text)
    else:
        _begin(site, _new_pass(site), text)


def end(site: Settings) -> None:
    """Let visitors come in again; from now on the pass means nothing."""
    for file in (_page(site), *_passes(site)):
        file.unlink(missing_ok=True)
    if _place(site).exists():
        atomic.sync_directory(_place(site))


def link(site: Settings) -> str:
    """Return the address that lets a browser come through; whoever has it comes in."""
    address = environment.inspected(site).values.get("NEXT_PUBLIC_SERVER_URL") or site.gate_url
    return f"{address.rstrip('/')}/?{PASS}={_token(site)}"


def past(site: Settings, path: str) -> Request:
    """Return a request that comes through to the application, whatever visitors see."""
    request = Request(site.gate_url + path)  # noqa: S310 - always http to the gate on this machine
    if token := _token(site):
        request.add_header("Cookie", f"{PASS}={token}")
    return request


def remind(site: Settings) -> None:
    if is_on(site):
        console.warn("maintenance is on: visitors see a page; `bin/inv maintenance off` ends it")


@contextmanager
def during(operation: Operation, rehearsal: Rehearsal, *, wanted: bool) -> Iterator[Budget]:
    """Give what a hold may last: where visitors see the page and do not wait, a release has more time.

    They see it for the sake of this operation where that is ``wanted``. If it does not come to its end, the
    page goes with the other things that it made, when all is made good.
    """
    site = operation.site
    already = is_on(site)
    if not wanted and not already:
        yield budget.of(site.hold_budget, rehearsal)
        return
    if not already:
        with operation.step("Maintenance") as step:
            token = _new_pass(site)
            operation.making(files=(_page(site), token))
            _begin(site, token, MESSAGE)
            step.say("visitors see a page")
    yield budget.unlimited(site.start_limit)
    if not already:
        end(site)


def _begin(site: Settings, token: Path, text: str) -> None:
    place = _place(site)
    place.mkdir(exist_ok=True)
    place.chmod(0o711)  # whoever knows a name finds it, as the gate's user does; nobody else lists them
    ownership.hand_over(place)
    for stale in _passes(site):
        stale.unlink()
    atomic.replace(token, "", mode=0o644)
    _show(site, text)


def _show(site: Settings, text: str) -> None:
    page = (site.root / "gate" / "maintenance.html").read_text(encoding="utf-8")
    atomic.replace(_page(site), page.replace(PLACE, html.escape(text)), mode=0o644)


def _new_pass(site: Settings) -> Path:
    return _place(site) / f"{secrets.token_hex(16)}.pass"


def _passes(site: Settings) -> list[Path]:
    return list(_place(site).glob("*.pass"))


def _token(site: Settings) -> str:
    return next((file.stem for file in _passes(site) if is_on(site)), "")


def _page(site: Settings) -> Path:
    return _place(site) / "page.html"


def _place(site: Settings) -> Path:
    return site.root / "gate" / "maintenance"
