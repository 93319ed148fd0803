"""The gate holds requests instead of failing them, and never reaches anybody else's application."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

from stack import settings
from tests.support import echo, visitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient

    from tests.support.site import Site

HOLD_LIMIT = 8  # seconds; a minute in production
HOLD, RELEASE = ("touch", "/run/gate/hold"), ("rm", "-f", "/run/gate/hold")
LIAR = """
const socket = require('dgram').createSocket('udp4')
const address = process.argv[1].split('.').map(Number)
socket.on('message', (query, from) => {
  const end = query.indexOf(0, 12) + 5
  const found = query.readUInt16BE(end - 4) === 1 ? 1 : 0 // an A record; nothing for the rest
  const header = Buffer.from([query[0], query[1], 0x81, 0x80, 0, 1, 0, found, 0, 0, 0, 0])
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address])
  const parts = [header, query.subarray(12, end), ...(found ? [answer] : [])]
  socket.send(Buffer.concat(parts), from.port, from.address)
})
socket.bind(53)
"""


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site]) -> Site:
    site = sibling("gate", HOLD_LIMIT=f"{HOLD_LIMIT}s", HOLD_BUDGET="1")
    site.deploy()
    return site


def test_a_request_waits_while_the_marker_exists_and_is_then_answered(site: Site) -> None:
    site.inside("gate", *HOLD)
    time.sleep(0.5)  # two probes of the marker
    releasing = threading.Timer(1.5, site.inside, args=("gate", *RELEASE))
    began = time.monotonic()
    releasing.start()
    answer = site.get("/api/health")
    assert answer.status_code == 200
    assert time.monotonic() - began > 1.0


def test_requests_wait_while_the_application_is_replaced(site: Site) -> None:
    editor = visitor.editor(site)
    codes: list[int] = []
    created: list[int] = []
    done = threading.Event()

    def visit() -> None:
        while not done.is_set():
            codes.append(site.get("/api/posts?limit=1").status_code)
            created.append(editor.publish("while replaced"))

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for thread in visitors:
        thread.start()
    time.sleep(1)
    site.inside("gate", *HOLD)
    time.sleep(1)  # two probes, and the requests that are in flight
    site.compose("up", "--detach", "--no-build", "--force-recreate", "--no-deps", "app")
    site.inside("gate", *RELEASE)
    time.sleep(2)
    done.set()
    for thread in visitors:
        thread.join(timeout=30)
    assert set(codes) == {200}
    kept = site.get("/api/posts?limit=1000&where[title][equals]=while replaced").json()["docs"]
    assert {post["id"] for post in kept} == set(created)


def test_after_the_limit_visitors_get_a_short_page_that_says_when_to_come_back(site: Site) -> None:
    site.compose("stop", "app")
    began = time.monotonic()
    answer = site.get("/")
    site.compose("start", "app")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert "Back in a moment" in answer.text
    assert time.monotonic() - began > HOLD_LIMIT - 1


def test_a_held_post_whose_client_has_gone_is_not_carried_out(site: Site) -> None:
    editor = visitor.editor(site)
    site.inside("gate", *HOLD)
    time.sleep(0.5)
    with pytest.raises(requests.Timeout):
        site.post("/api/posts", json={"title": "abandoned"}, headers=editor.headers, timeout=1)
    site.inside("gate", *RELEASE)
    time.sleep(1)
    assert site.get("/api/posts?where[title][equals]=abandoned").json()["totalDocs"] == 0


def test_the_gate_is_well_while_it_holds(site: Site) -> None:
    site.inside("gate", *HOLD)
    site.inside("gate", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:3001/alive")
    site.inside("gate", *RELEASE)


def test_a_forged_client_address_is_not_handed_on(sibling: Callable[..., Site]) -> None:
    site = echo.start(sibling("echo"))
    forged = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9", "X-Real-IP": "198.51.100.7"}
    seen = json.loads(site.get("/", headers=forged).text)
    assert (seen["x-forwarded-for"], seen["x-real-ip"]) == ("203.0.113.9", "203.0.113.9")


def test_two_sites_on_one_network_never_reach_each_others_application(
    site: Site, sibling: Callable[..., Site], engine: DockerClient
) -> None:
    neighbour = sibling("next", HOLD_LIMIT="2s", HOLD_BUDGET="1", PROXY_NETWORK=site.network)
    neighbour.deploy()
    visitor.editor(site).publish("of the first site")
    visitor.editor(neighbour).publish("of its neighbour")
    for _ in range(20):
        assert _titles(neighbour) == {"of its neighbour"}
        assert "of its neighbour" not in _titles(site)
    assert "is answered by" in neighbour.inv("status").stderr

    site_address = _address(engine, site)
    neighbour.compose("stop", "app")
    assert neighbour.get("/api/health").status_code == 503, "somebody else's application answered"
    neighbour.inside("gate", "sh", "-c", f"! nslookup app.{neighbour.name}.invalid.")

    liar = engine.containers.run(
        _node_image(site),
        ["node", "-e", LIAR, site_address],
        name=f"{site.name}-liar",
        network=site.network,
        detach=True,
    )
    try:
        assert neighbour.get("/api/health").status_code == 503
        _believe(neighbour, engine, liar.id)
        assert neighbour.get("/api/health").status_code == 200, (
            "the liar does not lie: this test shows nothing"
        )
    finally:
        liar.remove(force=True)


def _believe(site: Site, engine: DockerClient, liar: str | None) -> None:
    """Give the gate the lying DNS that it would have without `dns:` in the compose file."""
    address = engine.containers.get(str(liar)).attrs["NetworkSettings"]["Networks"][_network(site)][
        "IPAddress"
    ]
    override = f"services: {{ gate: {{ dns: !override [{address}] }} }}\n"
    (site.root / "docker-compose.override.yml").write_text(override)
    site.compose("up", "--detach", "--no-build", "--no-deps", "--wait", "gate")


def _network(site: Site) -> str:
    return settings.load(site.root).proxy_network


def _address(engine: DockerClient, site: Site) -> str:
    """Return where the application of ``site`` answers on the network that both gates are on."""
    return _address_of(engine, site.container("app"), site)


def _address_of(engine: DockerClient, container: str, site: Site) -> str:
    networks = engine.containers.get(container).attrs["NetworkSettings"]["Networks"]
    address: str = networks[_network(site)]["IPAddress"]
    return address


def _node_image(site: Site) -> str:
    return settings.load(site.root).node_image


def _titles(site: Site) -> set[str]:
    return {post["title"] for post in site.get("/api/posts?limit=1000").json()["docs"]}
