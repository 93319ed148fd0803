"""TLS ended by nginx, as `docs/reverse-proxy.md` says: what an editor meets, and an attacker."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stack import envfile
from tests.support import documented, echo, proxies, visitor
from tests.support.documented import ADDRESS, NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.cookiejar import Cookie, CookieJar

    import requests
    from docker import DockerClient
    from docker.models.networks import Network

    from tests.support.documented import Scene
    from tests.support.site import Site

CREDENTIALS = {"email": visitor.EMAIL, "password": visitor.PASSWORD}
ELSEWHERE = "https://evil.example.com"
ACTION = re.compile(r'\\"id\\":\\"([0-9a-f]{42})\\",\\"bound\\":null')  # in the page, for the browser
REFUSED = "does not match `origin` header"
LIE = "198.51.100.7"
OVERWRITES, APPENDS = "X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for"


@pytest.fixture(scope="module")
def site(new_site: Callable[..., Site]) -> Site:
    """Give a site whose visitors type an https address: that is decided when it is built."""
    site = new_site("tls")
    if not (site.root / ".env.production").exists():
        assert site.inv("env.init").returncode == 0
    envfile.write(site.root / ".env.production", {"NEXT_PUBLIC_SERVER_URL": ADDRESS})
    site.deploy()
    return site


@pytest.fixture(scope="module")
def browser(scene: Callable[[Site], Scene], site: Site) -> Iterator[requests.Session]:
    """Give a browser in which the first user has just registered: from then on it holds a cookie."""
    with documented.nginx_in_a_container(scene(site)) as browser:
        documented.wait_until_open(browser)
        registered = browser.post(f"{ADDRESS}/api/users/first-register", json=CREDENTIALS)
        assert registered.status_code == 200, registered.text
        yield browser


@pytest.fixture(scope="module")
def told(sibling: Callable[..., Site]) -> Site:
    """Give an application that tells what reached it."""
    return echo.start(sibling("addresses"))


def test_the_cookie_of_a_login_is_for_https_and_not_for_scripts(browser: requests.Session) -> None:
    answer = browser.post(f"{ADDRESS}/api/users/login", json=CREDENTIALS)
    cookie = _only(answer.cookies)
    assert (cookie.name, cookie.path) == ("payload-token", "/")
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"
    redirected = browser.get(f"http://{NAME}/api/users/me").history[0]
    assert "Cookie" not in redirected.request.headers, "the cookie went out unencrypted"


def test_without_tls_the_cookie_goes_over_http(sibling: Callable[..., Site]) -> None:
    site = sibling("plain")
    site.deploy()
    visitor.editor(site)
    cookie = _only(site.post("/api/users/login", json=CREDENTIALS).cookies)
    assert not cookie.secure
    origin = envfile.read(site.root / ".env.production")["NEXT_PUBLIC_SERVER_URL"]
    assert origin.startswith("http://")
    answer = site.get("/api/users/me", headers={"Origin": origin}, cookies={cookie.name: str(cookie.value)})
    assert answer.json()["user"]["email"] == visitor.EMAIL


def test_the_cookie_counts_for_the_sites_own_pages_only(browser: requests.Session) -> None:
    own = browser.get(f"{ADDRESS}/api/users/me", headers={"Origin": ADDRESS}).json()
    foreign = browser.get(f"{ADDRESS}/api/users/me", headers={"Origin": ELSEWHERE}).json()
    assert own["user"]["email"] == visitor.EMAIL
    assert foreign["user"] is None


def test_a_server_action_works_from_the_sites_own_pages(browser: requests.Session) -> None:
    title = "read by a server action"
    created = browser.post(f"{ADDRESS}/api/posts", json={"title": title}, headers={"Origin": ADDRESS})
    assert created.status_code == 201, created.text
    answer = _act(browser, {"Origin": ADDRESS})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/x-component"
    assert f'"title":"{title}"' in answer.text


@pytest.mark.parametrize("forged", [{}, {"X-Forwarded-Host": "evil.example.com"}], ids=["as is", "forged"])
def test_a_server_action_from_elsewhere_is_refused(
    browser: requests.Session, site: Site, forged: dict[str, str]
) -> None:
    before = site.compose("logs", "app").count(REFUSED)
    answer = _act(browser, {"Origin": ELSEWHERE, **forged})
    assert answer.status_code == 500
    assert '"title"' not in answer.text
    assert site.compose("logs", "app").count(REFUSED) > before


def test_an_upload_of_several_megabytes_comes_back_identical(browser: requests.Session) -> None:
    content = visitor.noise()
    assert len(content) > 4_000_000
    answer = browser.post(
        f"{ADDRESS}/api/media",
        files={"file": ("noise.png", content, "image/png")},
        data={"_payload": '{"alt":"noise"}'},
        headers={"Origin": ADDRESS},
    )
    assert answer.status_code == 201, answer.text
    address = answer.json()["doc"]["url"]
    assert address.startswith(f"{ADDRESS}/api/media/file/")
    assert browser.get(address).content == content


def test_redirects_of_the_application_stay_on_https(browser: requests.Session) -> None:
    answer = browser.get(f"{ADDRESS}/admin/")
    assert [(step.status_code, step.url) for step in answer.history] == [(308, f"{ADDRESS}/admin/")]
    assert answer.url == f"{ADDRESS}/admin"


def test_the_gate_reads_a_list_of_addresses_from_the_right(
    scene: Callable[[Site], Scene], told: Site, street: Network
) -> None:
    with _nginx_that_appends(scene(told)) as visitor:
        seen = visitor.get(f"{ADDRESS}/", headers={"X-Forwarded-For": LIE}).json()
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == proxies.gateway(street)


def test_a_streamed_page_passes_at_once_where_nginx_does_not_buffer(
    scene: Callable[[Site], Scene], told: Site
) -> None:
    server = documented.in_a_container(scene(told))
    unbuffered = server.replace("proxy_pass", "proxy_buffering off;\nproxy_pass")
    with documented.nginx(scene(told), unbuffered) as visitor:
        documented.wait_until_open(visitor)
        began = time.monotonic()
        page = visitor.get(f"{ADDRESS}/slow", stream=True)
        parts = [(part, time.monotonic() - began) for part in page.iter_content(len("first"))]
    (first, soon), (last, late) = parts
    assert (first, last) == (b"first", b"last")
    assert soon < 1 < late


def test_a_private_address_is_taken_for_a_proxy_unless_the_proxies_are_named(told: Site) -> None:
    proxy = _seen(told, "")
    assert _seen(told, "10.1.2.3") == proxy
    assert _seen(told, f"{LIE}, 10.1.2.3") == LIE, "the document warns of this: say so if it is no longer so"
    with _trusting(told, proxy):
        assert _seen(told, f"{LIE}, 10.1.2.3") == "10.1.2.3"


def test_a_proxy_that_is_not_trusted_is_not_believed(
    scene: Callable[[Site], Scene], told: Site, engine: DockerClient
) -> None:
    with _trusting(told, "192.0.2.1"), documented.nginx_in_a_container(scene(told)) as visitor:
        documented.wait_until_open(visitor)
        seen = visitor.get(f"{ADDRESS}/").json()
        nginx = _address_of_nginx(engine, told)
    assert (seen["x-forwarded-for"], seen["x-real-ip"], seen["x-forwarded-proto"]) == (nginx, nginx, "http")


def _only(jar: CookieJar) -> Cookie:
    (cookie,) = jar
    return cookie


def _act(browser: requests.Session, headers: dict[str, str]) -> requests.Response:
    """Let the admin panel's own server action list the posts, as its pages do."""
    page = browser.get(f"{ADDRESS}/admin", headers={"Sec-Fetch-Site": "none"})
    (action,) = ACTION.findall(page.text)
    arguments = {"collectionSlug": "posts", "columns": [], "query": {"limit": 10}}
    return browser.post(
        f"{ADDRESS}/admin",
        data=json.dumps([{"name": "table-state", "args": arguments}]),
        headers={"Next-Action": action, "Content-Type": "text/plain;charset=UTF-8", **headers},
    )


def _address_of_nginx(engine: DockerClient, site: Site) -> str:
    there = engine.networks.get(site.network).attrs["Containers"].values()
    (nginx,) = (place["IPv4Address"] for place in there if place["Name"].startswith("test-proxy-"))
    return str(nginx).partition("/")[0]


@contextmanager
def _nginx_that_appends(scene: Scene) -> Iterator[requests.Session]:
    server = documented.in_a_container(scene)
    assert OVERWRITES in server
    with documented.nginx(scene, server.replace(OVERWRITES, APPENDS)) as visitor:
        documented.wait_until_open(visitor)
        yield visitor


@contextmanager
def _trusting(site: Site, proxies: str) -> Iterator[None]:
    """Let the gate believe these addresses only."""
    site.set(TRUSTED_PROXIES=proxies)
    site.compose("up", "--detach", "--no-build", "--no-deps", "--wait", "gate")
    try:
        yield
    finally:
        site.set(TRUSTED_PROXIES="private_ranges")
        site.compose("up", "--detach", "--no-build", "--no-deps", "--wait", "gate")


def _seen(site: Site, told: str) -> str:
    """Return the client address that the application sees when a proxy on this machine tells ``told``."""
    seen: str = site.get("/", headers={"X-Forwarded-For": told} if told else {}).json()["x-forwarded-for"]
    return seen
