"""What people switch releases with today, on the same application: plain Compose, and new beside old.

Each has a Compose file that is plain and sensible, with the application's image, limits and health check as
in `docker-compose.yml`, and proxies in front that are set up the way which suits it best. A container that is
to stop has the engine's own 10 s: more would only let visitors find it closed for longer.

- *compose*: ``docker compose up -d --build``. The proxies dial the service by name; nginx asks for its
  address anew every second, instead of once, and gives up on one that is gone after 5 s.
- *rollout*: what docker-rollout 0.13 does, read there and written anew: twice as many containers, wait until
  the new one is healthy, stop and remove the old one. Traefik finds the containers by their labels, as its
  documentation has it.
- *drain*: the same with its container draining: the health check also fails when a file is there, and before
  the old container is stopped that file is made, and ten seconds are waited.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import proxies, variants
from tests.support.doors import CADDY, NGINX, TRAEFIK, Fronts, static
from tests.support.load import PATIENCE
from tests.support.site import Site
from tests.support.updates import Update

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVICE, FIRST = "app", "first"
HEALTHY_WITHIN, DRAINS_FOR = 60, 10  # seconds; both are docker-rollout's own
ASKS = "fetch('http://127.0.0.1:3000/api/health').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"
HEALTH = f'node -e "{ASKS}"'
USUAL = "interval: 30s\n      timeout: 10s\n      retries: 3"
DRAINING = "interval: 5s\n      timeout: 5s\n      retries: 1"
COMPOSE = """\
services:
  app:
    image: %(name)s:latest
    build:
      context: .
      args: { RELEASE: "${RELEASE:-}" }
    restart: always
    init: true
    read_only: true
    cap_drop: [ALL]
    security_opt: [no-new-privileges:true]
    env_file: [.env.production]
    environment: { NODE_ENV: production, PORT: "3000", HEALTH_PATH: /api/health }
    volumes:
      - payload-db:/data
      - media-uploads:/app/public/media
    tmpfs:
      - /tmp:mode=1777,size=256m
      - /app/.next/cache:mode=0700,uid=1000,gid=1000,size=128m
    networks: [proxy]
    labels:
      traefik.enable: "true"
      traefik.http.routers.app.rule: PathPrefix(`/`)
      traefik.http.routers.app.entrypoints: web
      traefik.http.services.app.loadbalancer.server.port: "3000"
    healthcheck:
      test: [CMD-SHELL, %(health)s]
      %(pace)s
      start_period: 60s
      start_interval: 1s
    deploy:
      resources:
        limits: { memory: 768m, cpus: "1.0", pids: 256 }
        reservations: { memory: 128m }
    logging: { driver: json-file, options: { max-size: 10m, max-file: "10" } }
volumes:
  payload-db: { name: "${COMPOSE_PROJECT_NAME}_payload-db" }
  media-uploads: { name: "${COMPOSE_PROJECT_NAME}_media-uploads" }
networks:
  proxy: { name: "${PROXY_NETWORK}", external: true }
"""
# A name in a variable is looked up again when its answer has grown old. For an address where nobody is any
# more it waits 5 s; unless told, a minute.
ASKED_ANEW = """set $upstream http://%(name)s:3000;
    proxy_pass $upstream;
    proxy_connect_timeout 5s;"""
NGINX_ANEW = NGINX.replace("location /", "resolver 127.0.0.11 valid=1s;\n  location /").replace(
    "proxy_pass http://%(name)s:3000;", ASKED_ANEW
)
BY_LABELS = (
    TRAEFIK.partition("providers:")[0]
    + """\
providers:
  docker:
    exposedByDefault: false
    network: %(network)s
    constraints: Label(`com.docker.compose.project`,`%(site)s`)
"""
)


@dataclass(frozen=True)
class Rival(Site):
    """A site without a gate: ``door`` is the proxy that it is asked through."""

    door: tuple[str, int] = ("", 0)

    @property
    def url(self) -> str:
        return f"http://{self.door[0]}:{self.door[1]}"


def behind(site: Site, door: tuple[str, int]) -> Rival:
    return Rival(site.root, site.name, site.port, site.network, door)


def settle(site: Site, way: str, image: str) -> None:
    """Start a site in a rival's way for the first time, with a release that is built on ``image``."""
    (site.root / "docker-compose.yml").write_text(compose_file(site.name, way))
    _done(site, "docker", "network", "create", site.network)
    variants.check_out(site, image, variants.GOOD)
    _done(site, "docker", "compose", "up", "--detach", "--build", "--wait", env={"RELEASE": FIRST})


def compose_file(name: str, way: str) -> str:
    drains = way == "drain"
    test = f"test ! -f /tmp/drain && {HEALTH}" if drains else HEALTH
    return COMPOSE % {"name": name, "health": json.dumps(test), "pace": DRAINING if drains else USUAL}


def fronts(site: Site, way: str) -> Fronts:
    """Return what the proxies in front of a rival say."""
    filled = {"port": proxies.PORT, "name": SERVICE, "network": site.network, "site": site.name}
    by_labels = {"/etc/traefik/traefik.yml": (BY_LABELS % filled).encode()}
    traefik = static(SERVICE).traefik if way == "compose" else by_labels
    return Fronts(NGINX_ANEW % filled, CADDY % filled, traefik)


def perform(site: Site, way: str, image: str) -> Update:
    """Update a rival's site in its way to a new release that does well."""
    variants.check_out(site, image, variants.GOOD)
    release = uuid.uuid4().hex[:8]
    began = time.monotonic()
    {"compose": _compose_up, "rollout": _rollout, "drain": _drained}[way](site, {"RELEASE": release})
    return Update(variants.GOOD, 0, began, time.monotonic(), release, "")


def _compose_up(site: Site, env: Mapping[str, str]) -> None:
    _done(site, "docker", "compose", "up", "--detach", "--build", env=env)


def _rollout(site: Site, env: Mapping[str, str], *, drain: bool = False) -> None:
    _done(site, "docker", "compose", "build", SERVICE, env=env)
    before = _running(site)
    twice = f"{SERVICE}={2 * len(before)}"
    _done(site, "docker", "compose", "up", "--detach", "--scale", twice, "--no-recreate", SERVICE, env=env)
    _healthy(site, [container for container in _running(site) if container not in before])
    if drain:
        for container in before:
            _done(site, "docker", "exec", container, "sh", "-c", f"touch /tmp/drain && sleep {DRAINS_FOR}")
    _done(site, "docker", "stop", *before)
    _done(site, "docker", "rm", *before)


def _drained(site: Site, env: Mapping[str, str]) -> None:
    _rollout(site, env, drain=True)


def _running(site: Site) -> list[str]:
    return site.compose("ps", "--quiet", "--no-trunc", SERVICE).split()


def restart(site: Site) -> None:
    """Stop whatever answers and start it again: what only a process remembered is gone then."""
    site.compose("restart", SERVICE)
    deadline = time.monotonic() + PATIENCE
    while not site.is_healthy():
        assert time.monotonic() < deadline, "it does not come back"
        time.sleep(0.2)


def _healthy(site: Site, containers: Sequence[str]) -> None:
    """Ask once a second, as docker-rollout does."""
    for _ in range(HEALTHY_WITHIN):
        states = _done(site, "docker", "inspect", "--format", "{{.State.Health.Status}}", *containers)
        if set(states.split()) == {"healthy"}:
            return
        time.sleep(1)
    raise AssertionError(f"not healthy within {HEALTHY_WITHIN} s")


def _done(site: Site, *argv: str, env: Mapping[str, str] | None = None) -> str:
    done = site.run(*argv, env=env)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stderr}"
    return done.stdout
