"""Maintenance: visitors see a page at once, the operator sees the site, and an update may take its time."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from stack import hold, journal, lock, maintenance, settings
from tests.support.moments import PATIENCE, noted, reached, watched
from tests.support.variants import CRASHES_LIVE, GOOD, check_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient

    from tests.support.site import Site

HOSTILE = (
    "",
    "gate-pass",
    "gate-pass=",
    "gate-pass=*",
    f"gate-pass={'?' * 32}",
    "gate-pass=[0-9a-f]*",
    f"gate-pass={'0' * 32}",
    "gate-pass=page.html",
    "gate-pass=../maintenance/{token}",
    "gate-pass=./{token}",
    "gate-pass={token}0",
    "gate-pass={{http.request.header.User-Agent}}",
    "gate-pass=*; gate-pass={token}",
    "other={token}",
)


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("maintenance", TRIAL_SECONDS="1", WATCH_SECONDS="1")
    check_out(site, image, GOOD)
    site.deploy()
    return site


@pytest.fixture(autouse=True)
def open_again(site: Site) -> Iterator[None]:
    """Give a site that serves, and leave it so."""
    yield
    maintenance.end(settings.load(site.root))
    site.set(HOLD_BUDGET="110")


def on(site: Site, *flags: str) -> str:
    """Return the link, as a browser on this machine can follow it."""
    done = site.inv("maintenance", "on", *flags)
    assert done.returncode == 0, done.stderr
    (link,) = done.stdout.splitlines()
    token = link.partition("?gate-pass=")[2]
    assert len(token) == 32
    assert token not in done.stderr
    return f"{site.url}/?gate-pass={token}"


def operator(link: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    assert session.get(link, timeout=30).url == link.partition("?")[0]
    return session


def code_with(site: Site, cookie: str, token: str) -> int:
    headers = {"Cookie": cookie.format(token=token), "User-Agent": token}
    return site.get("/api/health", headers=headers).status_code


def assert_page(answer: requests.Response, says: str) -> None:
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "120"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert says in answer.text


def is_open(site: Site) -> bool:
    return site.is_healthy() and list((site.root / "gate" / "maintenance").iterdir()) == []


def test_visitors_see_a_page_that_a_restart_of_the_gate_does_not_end_and_the_operator_sees_the_site(
    site: Site,
) -> None:
    link = on(site, "--message", 'New <shop>\n{http.request.host} & "more"')
    said = "New &lt;shop&gt; {http.request.host} &amp; &quot;more&quot;"
    assert_page(site.get("/"), said)
    assert_page(site.get("/api/health", headers={"Accept": "application/json"}), said)
    assert_page(site.post("/api/users/login", json={"email": "a", "password": "b"}), said)
    me = operator(link)
    assert me.get(f"{site.url}/api/health", timeout=30).status_code == 200
    assert on(site) == link  # the page is another one, the link the same
    site.run("docker", "restart", site.container("gate"))
    site.compose("up", "--detach", "--no-build", "--wait", "gate")
    assert_page(site.get("/"), maintenance.MESSAGE)
    assert me.get(f"{site.url}/api/health", timeout=30).status_code == 200
    site.inside("gate", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:3001/alive")

    assert site.inv("maintenance.off").returncode == 0
    assert is_open(site)
    again = site.inv("maintenance", "off")
    assert (again.returncode, "off already" in again.stderr) == (0, True)
    assert on(site) != link
    assert me.get(f"{site.url}/api/health", timeout=30).status_code == 503


def test_only_the_pass_opens_the_gate(site: Site) -> None:
    link = on(site)
    token = link[-32:]
    assert {cookie: code_with(site, cookie, token) for cookie in HOSTILE} == dict.fromkeys(HOSTILE, 503)
    assert code_with(site, "a=b; gate-pass={token}; c=d", token) == 200
    for wrong in ("", "*", "0" * 32, f"./{token}", f"{token}0"):
        assert site.get(f"/?gate-pass={wrong}", allow_redirects=False).status_code == 503
    (there, here) = (
        site.get(f"/posts?gate-pass={token}", headers=headers, allow_redirects=False)
        for headers in ({"X-Forwarded-Proto": "https"}, {})
    )
    assert (there.status_code, there.headers["location"]) == (303, "/")
    given = f"gate-pass={token}; Path=/; HttpOnly; SameSite=Lax"
    assert (there.headers["set-cookie"], here.headers["set-cookie"]) == (f"{given}; Secure", given)
    written = [*(site.root / ".stack").rglob("*")]
    assert [file for file in written if file.is_file() and token in file.read_text(errors="replace")] == []
    assert token not in site.compose("logs", "gate", "app")


def test_under_maintenance_nobody_waits_and_the_commands_see_the_site(site: Site) -> None:
    on(site)
    with hold.leased(settings.load(site.root)) as lease:
        lease.drained()
        assert_page(site.get("/", timeout=5), maintenance.MESSAGE)
    told = site.status()
    assert (told["maintenance"], told["answers"], told["health"]) == (True, 200, "healthy")
    for command in (("health",), ("restart",), ("deploy",)):
        done = site.inv(*command)
        assert done.returncode == 0, done.stderr
    assert "visitors see a page" in done.stderr
    assert_page(site.get("/"), maintenance.MESSAGE)


@contextmanager
def visiting(site: Site) -> Iterator[list[requests.Response]]:
    """Come again and again, as a visitor."""
    answers: list[requests.Response] = []
    over = threading.Event()

    def visit() -> None:
        while not over.wait(0.05):
            answers.append(site.get("/api/health", timeout=60))

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield answers
    finally:
        over.set()
        visitor.join()


def test_an_update_over_the_budget_is_refused_and_runs_under_maintenance(site: Site, image: str) -> None:
    before = settings.load(site.root).app_image
    site.set(HOLD_BUDGET="1")
    check_out(site, image, GOOD)
    with visiting(site) as answers:
        refused = site.run("./deploy.sh")
        assert {answer.status_code for answer in answers} == {200}
        assert refused.returncode == 11
        assert "visitors would wait too long" in refused.stderr
        assert "`--maintenance`" in refused.stderr
        assert settings.load(site.root).app_image == before
        done = site.run("./deploy.sh", "--maintenance")
        assert done.returncode == 0, done.stderr
    assert settings.load(site.root).app_image != before
    assert {answer.status_code for answer in answers} == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert_page(answer, maintenance.MESSAGE)
    assert is_open(site)


def test_maintenance_that_the_operator_began_outlasts_an_update_that_fails(site: Site, image: str) -> None:
    site.set(HOLD_BUDGET="1")
    me = operator(on(site))
    check_out(site, image, CRASHES_LIVE)
    with visiting(site) as answers:
        done = site.run("./deploy.sh")
    assert done.returncode == 20, done.stderr
    assert {answer.status_code for answer in answers} == {503}
    assert me.get(f"{site.url}/api/health", timeout=30).status_code == 200


def test_killed_under_its_own_maintenance_an_update_leaves_the_page_until_it_is_made_good(
    site: Site, image: str, engine: DockerClient
) -> None:
    check_out(site, image, GOOD)
    with (
        watched(engine, site) as seen,
        site.starting("./deploy.sh", "--maintenance") as process,
    ):
        reached(seen, noted("unproven"), process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    assert_page(site.get("/", timeout=5), maintenance.MESSAGE)
    done = site.inv("resume")
    assert done.returncode == 0, done.stderr
    now = settings.load(site.root)
    assert (journal.read(now), lock.is_held(now), hold.is_held(now)) == (None, False, False)
    assert is_open(site)
