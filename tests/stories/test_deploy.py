"""From nothing to a live site and back, as its owner does it."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from stack import envfile
from stack.engine import containers
from tests.support import visitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient

    from tests.conftest import Deployed
    from tests.support.site import Site

CLEAN_EXITS = {"0", "143"}  # 143: ended by SIGTERM, as Next.js 16 does it
PASSWORD = "correct horse battery"
SWAP = [
    "New container",
    "Back up the database",
    "Fill a scratch volume",
    "Trial",
    "Visitors wait, requests end",
    "Stop the old release",
    "Keep its database",
    "Start the new release",
    "Gate",
    "Watch, through the gate",
]
KEPT = (".env", ".env.production", "before.tar.zst", "docker-compose.yml", "release.json")


@pytest.fixture
def site(shop: Site) -> Site:
    return shop


@pytest.fixture
def first(first_deploy: Deployed) -> str:
    return first_deploy.told


def test_a_first_deploy_writes_the_environment_file_for_its_owner_only(site: Site) -> None:
    file = site.root / ".env.production"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(envfile.read(file)["PAYLOAD_SECRET"]) == 64


def test_deploy_tells_each_step_with_its_time(first: str) -> None:
    for step in ("Environment file", "Network", "What changed", "Start", "Health, through the gate"):
        assert re.search(rf"^  {step}.* \d+\.\d s", first, re.MULTILINE), f"{step} is not told:\n{first}"


def test_deploy_shows_no_secret(site: Site, first: str) -> None:
    assert envfile.read(site.root / ".env.production")["PAYLOAD_SECRET"] not in first


def test_health_page_and_admin_answer_through_the_gate(site: Site) -> None:
    told = site.get("/api/health")
    assert told.headers["cache-control"] == "no-store"
    assert told.json() == {"status": "ok", "release": site.status()["release"], "database": "ok"}
    assert site.get("/").status_code == 200
    assert site.get("/admin").status_code == 200


def test_deploy_warns_until_the_first_administrator_exists(site: Site, first: str) -> None:
    assert "whoever opens /admin first becomes its administrator" in first
    created = site.inv("admin.create", visitor.EMAIL, stdin=f"{visitor.PASSWORD}\n")
    assert (created.returncode, created.stdout) == (0, f"{visitor.EMAIL}\n"), created.stderr
    visitor.editor(site)
    again = site.inv("admin.create", "second@example.com", stdin=f"{PASSWORD}\n")
    assert again.returncode == 11
    assert "has a user already" in again.stderr
    assert "whoever opens /admin" not in site.run("./deploy.sh").stderr


def test_a_short_password_and_a_bad_address_are_refused(site: Site) -> None:
    assert site.inv("admin.create", "a@example.com", stdin="short\n").returncode == 2
    assert site.inv("admin.create", "nobody", stdin=f"{PASSWORD}\n").returncode == 2


def test_a_deploy_with_nothing_changed_touches_nothing(site: Site) -> None:
    before = [site.container("app"), site.container("gate")]
    done = site.run("./deploy.sh")
    assert done.returncode == 0, done.stderr
    assert "nothing: no build" in done.stderr
    assert [site.container("app"), site.container("gate")] == before


def test_another_release_takes_the_place_of_the_first_and_stays_there(
    sibling: Callable[..., Site], image: str, engine: DockerClient
) -> None:
    site = sibling("next")
    site.build_on(image)
    first = site.deploy()
    editor, gate = visitor.editor(site), site.container("gate")
    post, path = editor.publish("kept"), editor.upload("kept.png", visitor.picture())
    site.build_on(image, "LABEL another=release")
    done = site.run("./deploy.sh")
    assert done.returncode == 0, done.stderr
    told = re.findall(r"^  (\w.*?) +\d+\.\d s", done.stderr, re.MULTILINE)
    assert told[-len(SWAP) :] == SWAP
    release = done.stdout.splitlines()[-1]
    assert release == site.status()["release"] != first
    _assert_kept(site, post, path)

    (app,) = containers.of_site(engine, site.name, "app")
    assert _policy(engine, app.id) == "always"
    site.compose("up", "--detach")
    assert "it would be the same" in site.run("./deploy.sh").stderr
    assert [site.container("app"), site.container("gate")] == [app.id, gate]
    (kept,) = sorted((site.root / ".stack" / "releases").iterdir())[1:]
    assert {file.name: file.stat().st_mode & 0o777 for file in kept.iterdir()} == dict.fromkeys(KEPT, 0o600)
    assert envfile.read(kept / ".env")["APP_IMAGE"] == f"{site.name}:{release}"


def test_status_tells_release_health_load_and_sizes(site: Site) -> None:
    told = site.status()
    assert (told["state"], told["health"], told["answers"], told["gate"]) == (
        "running",
        "healthy",
        200,
        "healthy",
    )
    assert (told["restarts"], told["oom_killed"]) == (0, False)
    assert 0 < told["memory"] < told["memory_limit"] == 768 << 20
    assert told["database"] > 4096
    assert told["media"] >= 0
    assert 0 < told["disk_free"] < told["disk_total"]
    assert told["uptime"] >= 0
    for row in ("release", "memory", "database", "built on"):
        assert re.search(rf"^{row} ", site.inv("status").stdout, re.MULTILINE)


def test_health_restart_and_logs(site: Site, engine: DockerClient) -> None:
    assert json.loads(site.inv("health").stdout)["status"] == "ok"
    before = engine.containers.get(site.container("app")).attrs["State"]["StartedAt"]
    done = site.inv("restart")
    assert done.returncode == 0, done.stderr
    assert engine.containers.get(site.container("app")).attrs["State"]["StartedAt"] > before
    lines = site.inv("logs", "--lines", "5", "--since", "10m").stdout.splitlines()
    assert any(re.match(r"app-\d", line) for line in lines)


def test_logs_follow_until_interrupted(site: Site) -> None:
    done = site.run("timeout", "--signal=INT", "3", "bin/inv", "logs", "--follow", "--lines", "1")
    assert re.match(r"app-\d", done.stdout)
    assert done.returncode == 124, "it ended by itself"


def test_stop_ends_everything_gracefully_and_deploy_brings_the_same_data_back(
    site: Site, engine: DockerClient
) -> None:
    editor = visitor.editor(site)
    post, path = editor.publish("kept"), editor.upload("kept.png", visitor.picture())
    began = int(time.time())
    stopped = site.run("./stop.sh")
    assert stopped.returncode == 0, stopped.stderr
    assert site.container("app") == site.container("gate") == ""
    assert _exit_codes(engine, site, began) <= CLEAN_EXITS
    assert site.status()["state"] == "stopped"
    assert site.inv("health").returncode == 11

    site.deploy()
    _assert_kept(site, post, path)
    site.compose("down")
    site.compose("up", "--detach", "--wait")
    _assert_kept(site, post, path)


def test_stop_of_a_site_that_does_not_run_is_nothing_to_do(new_site: Callable[..., Site]) -> None:
    done = new_site("idle").run("./stop.sh")
    assert (done.returncode, "is not running" in done.stderr) == (0, True)


def test_a_changed_configuration_of_the_gate_is_taken_over(site: Site) -> None:
    caddyfile, gate = site.root / "gate" / "Caddyfile", site.container("gate")
    whole = caddyfile.read_text()
    caddyfile.write_text(whole.replace(":3000 {", ":3000 {\n\theader X-Gate changed", 1))
    site.deploy()
    assert site.get("/api/health").headers["x-gate"] == "changed"
    caddyfile.write_text(whole.replace(":3000 {", ":3000 {\n\tnonsense", 1))
    refused = site.run("./deploy.sh")
    assert (refused.returncode, "nonsense" in refused.stderr) == (11, True), refused.stderr
    caddyfile.write_text(whole)
    site.deploy()
    assert "x-gate" not in site.get("/api/health").headers
    assert site.container("gate") == gate


def test_a_site_with_data_never_gets_new_secrets_by_itself(site: Site) -> None:
    file, aside = site.root / ".env.production", site.root / "aside"
    file.rename(aside)
    try:
        done = site.run("./deploy.sh")
        assert done.returncode == 10
        assert "PAYLOAD_SECRET is not set" in done.stderr
        assert not file.exists()
    finally:
        aside.rename(file)


def _assert_kept(site: Site, post: int, path: str) -> None:
    assert site.get(f"/api/posts/{post}").json()["title"] == "kept"
    assert site.get(path).content == visitor.picture()


def _policy(engine: DockerClient, container: str) -> str:
    told: str = engine.containers.get(container).attrs["HostConfig"]["RestartPolicy"]["Name"]
    return told


def _exit_codes(engine: DockerClient, site: Site, since: int) -> set[str]:
    label = f"com.docker.compose.project={site.name}"
    wanted = {"label": label, "event": "die", "type": "container"}
    events = engine.events(since=since, until=int(time.time()) + 1, filters=wanted, decode=True)
    return {event["Actor"]["Attributes"]["exitCode"] for event in events}
