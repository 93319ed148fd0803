"""What can be said of `docs/reverse-proxy.md` without a proxy; the stories try it in the real ones."""

from __future__ import annotations

import re

import pytest

from tests.support import documented
from tests.support.site import CHECKOUT

NGINX = ("nginx on the host", "Nginx Proxy Manager")


def hold_limit() -> int:
    """Return the seconds that the gate holds a request when `.env` says nothing else."""
    (seconds,) = re.findall(r"HOLD_LIMIT:-(\d+)s", (CHECKOUT / "docker-compose.yml").read_text())
    return int(seconds)


@pytest.mark.parametrize("heading", NGINX)
@pytest.mark.parametrize("direction", ["read", "send"])
def test_nginx_waits_longer_than_the_gate_holds(heading: str, direction: str) -> None:
    limits = re.findall(rf"proxy_{direction}_timeout (\d+)s;", documented.read()[heading])
    assert [int(limit) > hold_limit() for limit in limits] == [True]


def test_traefik_waits_longer_than_the_gate_holds() -> None:
    (minutes,) = re.findall(r"readTimeout: (\d+)m", documented.read()["Traefik"])
    assert int(minutes) * 60 > hold_limit()


def test_no_other_nginx_is_in_the_document() -> None:
    configurations = documented.read().configurations
    assert {heading for heading in configurations if "location /" in configurations[heading]} == set(NGINX)
