"""What the specification asks for, each as a check that says clearly what is missing."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import requests

from stack import envfile
from tests.support import proxies, visitor

if TYPE_CHECKING:
    from docker import DockerClient

    from tests.support.site import Site


def prepare(site: Site) -> None:
    """Give the site its external network: with its environment file, plain Compose can start it then."""
    done = site.run("docker", "network", "create", site.network)
    assert done.returncode == 0, done.stderr


def starts_successfully(site: Site) -> None:
    services = site.compose("config", "--services", check=False).split()
    for service in ("app", "gate"):
        assert service in services, f"Service '{service}' not found in docker-compose.yml"
    done = site.run("docker", "compose", "up", "--detach", "--no-build", "--wait")
    assert done.returncode == 0, f"the stack does not start: {done.stderr.strip().splitlines()[-1]}"
    states = {
        s["Service"]: s["Health"]
        for s in map(json.loads, site.compose("ps", "--format", "json").splitlines())
    }
    assert states == {"app": "healthy", "gate": "healthy"}


def responds_to_health_check(site: Site) -> None:
    try:
        answer = site.get("/api/health", timeout=10)
    except requests.ConnectionError as refused:
        raise AssertionError(f"ConnectionRefused: nothing answers at {site.url}/api/health") from refused
    assert answer.status_code == 200, f"the health route answers {answer.status_code}: {answer.text}"
    told = answer.json()
    assert (told["status"], told["database"]) == ("ok", "ok")


def data_persists_after_restart(site: Site) -> None:
    editor = visitor.editor(site)
    title = "written before the restart"
    identity = editor.publish(title)
    site.compose("restart", "app")
    answer = site.get(f"/api/posts/{identity}")
    assert answer.status_code == 200, (
        f"post {identity} is lost after the restart: {answer.status_code} {answer.text}"
    )
    assert answer.json()["title"] == title
    site.inside("app", "test", "-s", "/data/payload.db")


def reverse_proxy_reaches_the_site(site: Site, engine: DockerClient) -> None:
    listed = engine.networks.list(names=[site.network])
    assert listed, f"NetworkNotFound: network '{site.network}' not found"
    for upstream in ("http://app:3000", f"http://{site.name}:3000"):
        server = f"server {{ listen {proxies.PORT}; location / {{ proxy_pass {upstream}; }} }}"
        with proxies.nginx(engine, site.network, server) as proxy:
            told = proxy.fetch_once_ready("/api/health", host="localhost")
        assert '"status":"ok"' in told, f"nginx does not reach {upstream}: {told}"


def environment_is_loaded(site: Site) -> None:
    file = site.root / ".env.production"
    assert file.exists(), "EnvironmentError: PAYLOAD_SECRET not set, there is no .env.production"
    inside = site.digests()
    for key, value in envfile.read(file).items():
        assert key in inside, f"EnvironmentError: {key} not set in the container"
        assert inside[key] == hashlib.sha256(value.encode()).hexdigest(), f"{key} arrived changed"


def uploads_persist_across_deploys(site: Site) -> None:
    content = visitor.picture()
    path = visitor.editor(site).upload("test.png", content)
    before = site.container("app")
    site.compose("up", "--detach", "--no-build", "--wait", "--force-recreate", "app")
    assert site.container("app") != before, "the container was not recreated"
    answer = site.get(path)
    assert answer.status_code == 200, (
        f"{path} missing after the container was recreated: {answer.status_code}"
    )
    assert answer.content == content
