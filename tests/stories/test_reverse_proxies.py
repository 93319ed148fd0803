"""Each configuration of `docs/reverse-proxy.md`, in the real proxy, in front of a real site."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support import browser, documented, echo, proxies
from tests.support.documented import ADDRESS, NAME, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests
    from docker.models.networks import Network

    from tests.support.authority import Authority
    from tests.support.documented import Document
    from tests.support.site import Site

    Visitors = dict[str, requests.Session]

FORGED = {
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Proto": "http",
    "X-Real-IP": "198.51.100.7",
    "Forwarded": "for=198.51.100.7;proto=http;host=evil.example.com",
}
each_proxy = pytest.mark.parametrize("proxy", documented.ALL)


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], document: Document) -> Site:
    site = sibling("behind")
    (site.root / "docker-compose.override.yml").write_text(documented.labels(document, site))
    site.deploy()
    return site


@pytest.fixture(scope="module")
def visitors(scene: Callable[[Site], Scene], site: Site) -> Iterator[Visitors]:
    """Give a visitor of the site through each proxy of the document."""
    with _everywhere(scene(site)) as visitors:
        yield visitors


@pytest.fixture(scope="module")
def told(
    scene: Callable[[Site], Scene], sibling: Callable[..., Site], document: Document
) -> Iterator[Visitors]:
    """Give a visitor through each proxy to an application that tells what reached it."""
    site = sibling("told")
    echo.start(site, override=documented.labels(document, site))
    with _everywhere(scene(site)) as visitors:
        yield visitors


@each_proxy
def test_the_site_is_reached_by_https_and_http_is_sent_there(proxy: str, visitors: Visitors) -> None:
    assert visitors[proxy].get(f"{ADDRESS}/api/health").json()["status"] == "ok"
    sent = visitors[proxy].get(f"http://{NAME}/api/health?a=b", allow_redirects=False)
    assert (sent.is_permanent_redirect, sent.headers["location"]) == (True, f"{ADDRESS}/api/health?a=b")


@each_proxy
def test_visitors_are_offered_http_2(proxy: str, visitors: Visitors, authority: Authority) -> None:
    assert visitors[proxy].get(f"{ADDRESS}/api/health").ok
    assert _protocol(visitors[proxy], authority.certificate) == "h2"


@each_proxy
def test_nothing_that_a_visitor_makes_up_reaches_the_application(
    proxy: str, told: Visitors, street: Network
) -> None:
    seen = told[proxy].get(f"{ADDRESS}/", headers=FORGED).json()
    here = proxies.gateway(street)
    assert {name: seen.get(name.lower()) for name in ("Host", *FORGED)} == {
        "Host": NAME,
        "X-Forwarded-For": here,
        "X-Forwarded-Host": NAME,
        "X-Forwarded-Proto": "https",
        "X-Real-IP": here,
        "Forwarded": None,
    }


@each_proxy
def test_an_upload_of_thirty_megabytes_passes(proxy: str, told: Visitors) -> None:
    content = os.urandom(30 << 20)
    answer = told[proxy].post(f"{ADDRESS}/", data=content)
    assert answer.json()["body"] == hashlib.sha256(content).hexdigest()


def test_no_request_fails_while_bin_inv_restart_runs(visitors: Visitors, site: Site) -> None:
    done = threading.Event()
    codes: dict[str, list[int]] = {proxy: [] for proxy in visitors}

    def visit(proxy: str) -> None:
        while not done.is_set():
            codes[proxy].append(visitors[proxy].get(f"{ADDRESS}/api/posts").status_code)

    threads = [threading.Thread(target=visit, args=(proxy,)) for proxy in visitors]
    for thread in threads:
        thread.start()
    restarted = site.inv("restart")
    done.set()
    for thread in threads:
        thread.join()
    assert restarted.returncode == 0, restarted.stderr
    assert {proxy: set(seen) for proxy, seen in codes.items()} == {proxy: {200} for proxy in documented.ALL}


def test_every_configuration_of_the_document_was_tried(visitors: Visitors, document: Document) -> None:
    assert document.tried == set(document.configurations)
    assert len(document.configurations) == 7


@contextmanager
def _everywhere(scene: Scene) -> Iterator[Visitors]:
    with ExitStack() as stack:
        visitors = {name: stack.enter_context(run(scene)) for name, run in documented.ALL.items()}
        for visitor in visitors.values():
            documented.wait_until_open(visitor)
        yield visitors


def _protocol(visitor: requests.Session, believing: Path) -> str | None:
    """Return what is agreed on with a visitor who can speak HTTP/2, as browsers can."""
    context = ssl.create_default_context(cafile=str(believing))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(browser.place(visitor, ADDRESS), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as secure,
    ):
        return secure.selected_alpn_protocol()
