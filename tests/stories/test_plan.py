"""A plan tells what a deploy or an update then does, and changes nothing to find out."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from stack import envfile
from tests.support import repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.support.repository import Repository
    from tests.support.site import Site

SHOWN = "app/public/version.txt"
SHOWS = "COPY --from=app public/version.txt ./public/version.txt"
FIRST, SECOND = "20261124_101500_second", "20261125_101500_third"
SOMEBODY = 4711
VALUE = "a value that nobody is to see"


@pytest.fixture(scope="module")
def origin(place: Path, sibling: Callable[..., Site], image: str) -> tuple[Site, Repository]:
    """Give a site whose checkout was cloned, and that was never deployed."""
    site = sibling("planned", place)
    site.build_on(image, SHOWS)
    (site.root / SHOWN).parent.mkdir(exist_ok=True)
    (site.root / SHOWN).write_text("one\n")
    return site, repository.of(site.root, place)


@pytest.fixture
def site(origin: tuple[Site, Repository]) -> Site:
    return origin[0]


@pytest.fixture
def upstream(origin: tuple[Site, Repository]) -> Repository:
    return origin[1]


def everything(site: Site) -> dict[str, object]:
    """Return all that is there of a site: each file with its time, and what the engine has of it."""
    named, labelled = f"name={site.name}", f"label=com.docker.compose.project={site.name}"
    asked = {
        "containers": ("ps", "--all", "--no-trunc", "--filter", labelled, "--format", "{{.ID}} {{.State}}"),
        "networks": ("network", "ls", "--no-trunc", "--quiet", "--filter", named),
        "volumes": ("volume", "ls", "--quiet", "--filter", named),
        "images": ("images", "--no-trunc", "--format", "{{.ID}} {{.Tag}}", site.name),
    }
    told = {what: sorted(site.run("docker", *words).stdout.splitlines()) for what, words in asked.items()}
    times = {str(path): path.lstat().st_mtime_ns for path in [site.root, *site.root.rglob("*")]}
    return {**told, **times, "state": site.state()}


def plan(site: Site, operation: str = "deploy", code: int = 0) -> dict[str, Any]:
    """Plan, see that nothing is changed by that, and return what is told."""
    before = everything(site)
    done = site.run("bin/inv", operation, "--plan", "--json", env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert everything(site) == before
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def steps(done: CompletedProcess[str]) -> list[str]:
    """Return the steps that were really taken, as a plan names them."""
    assert done.returncode == 0, done.stderr
    titles = re.findall(r"^  (\w.*?) +\d+\.\d s", done.stderr, re.MULTILINE)
    return ["Build" if title.startswith("Build ") else title for title in titles]


def variable(site: Site, **values: str) -> None:
    envfile.write(site.root / ".env.production", values)


def test_a_first_deploy_takes_the_steps_that_were_planned(site: Site) -> None:
    told = plan(site)
    assert (told["does"], told["build"], told["hold"]) == ("the first release is started", True, None)
    assert f"volume {site.name}_payload-db would be new and empty" in told["notes"]
    assert told["migrations"] == ["20261122_231435_initial"]
    assert steps(site.run("./deploy.sh")) == told["steps"]


def test_with_nothing_new_the_plan_says_so(site: Site) -> None:
    told = plan(site)
    assert (told["does"], told["changes"]) == ("the release stays as it is", False)
    assert (told["migrations"], told["variables"]["changed"]) == ([], [])
    assert steps(site.run("./deploy.sh")) == told["steps"]
    assert told["steps"][-1] == "Health, through the gate"


def test_a_limit_that_was_changed_means_another_container(site: Site) -> None:
    site.set(APP_PIDS="200")
    assert plan(site)["does"] == "the release is started anew"
    site.set(APP_PIDS="256")


def test_a_changed_variable_is_named_and_its_value_is_not_shown(site: Site) -> None:
    variable(site, SMTP_PASSWORD=VALUE)
    told = plan(site)
    assert told["variables"] == {"added": ["SMTP_PASSWORD"], "changed": [], "removed": [], "built_in": []}
    assert (told["does"], told["build"]) == ("the release is started anew", False)
    assert told["hold"]["expected"] is None
    shown = site.run("./deploy.sh", "--plan")
    assert "added: SMTP_PASSWORD" in shown.stdout
    assert VALUE not in shown.stdout + shown.stderr + json.dumps(told)
    assert steps(site.run("./deploy.sh")) == told["steps"]


def test_a_site_that_was_stopped_is_started(site: Site) -> None:
    site.run("./stop.sh")
    told = plan(site)
    assert told["does"] == "the release is started"
    assert steps(site.run("./deploy.sh")) == told["steps"]


def test_a_new_release_with_its_migration_and_its_hold_is_planned(site: Site) -> None:
    migrations = site.root / "app/src/migrations"
    (migrations / f"{FIRST}.ts").write_text("export const up = () => {}\n")
    variable(site, NEXT_PUBLIC_SERVER_URL="http://localhost:4000", SMTP_PASSWORD=f"another {VALUE}")
    told = plan(site)
    assert (told["does"], told["build"]) == ("a new release takes the place of the old one", True)
    assert told["migrations"] == [FIRST]
    assert told["variables"]["changed"] == ["NEXT_PUBLIC_SERVER_URL", "SMTP_PASSWORD"]
    assert told["variables"]["built_in"] == ["NEXT_PUBLIC_SERVER_URL"]
    assert 0 < told["hold"]["expected"] < told["hold"]["at_most"] == 110
    assert all(room["free"] > room["needed"] > 600 << 20 for room in told["disk"][:1])
    assert steps(site.run("./deploy.sh")) == told["steps"]


def test_all_that_a_deploy_would_refuse_is_told_and_it_is_refused_so(site: Site) -> None:
    caddyfile = site.root / "gate" / "Caddyfile"
    env, whole = (site.root / ".env.production").read_text(), caddyfile.read_text()
    caddyfile.write_text(whole.replace(":3000 {", ":3000 {\n\tnonsense", 1))
    variable(site, PAYLOAD_SECRET="short")
    told = plan(site, code=10)
    assert [each["code"] for each in told["refused"]] == [10, 11]
    planned, done = site.inv("deploy", "--plan"), site.run("./deploy.sh")
    assert (planned.returncode, done.returncode) == (10, 10)
    (site.root / ".env.production").write_text(env)
    caddyfile.write_text(whole)
    assert told["refused"][0]["what"] in done.stderr
    assert done.stderr[done.stderr.index("error: ") :] in planned.stderr


def test_an_update_is_planned_with_its_commits_and_the_repository_stays_as_it_is(
    site: Site, upstream: Repository
) -> None:
    before = repository.git(site.root, "rev-parse", "HEAD")
    assert plan(site, "update")["version"]["commits"] == 0
    upstream.publish({"README.md": "of no image\n"})
    assert plan(site, "update")["build"] is False
    commit = upstream.publish({f"app/src/migrations/{SECOND}.ts": "export {}\n", SHOWN: "two\n"})
    told = plan(site, "update")
    assert told["version"] == {"from": before, "to": commit, "commits": 2, "migrations": [SECOND]}
    assert (told["build"], told["migrations"]) == (True, [FIRST, SECOND])
    assert f"2 commit(s), {before[:12]}..{commit[:12]}" in site.run("./update.sh", "--plan").stdout
    assert steps(site.run("./update.sh")) == told["steps"]


def test_what_an_update_would_refuse_is_told(site: Site, upstream: Repository) -> None:
    upstream.publish({SHOWN: "three\n"})
    (site.root / SHOWN).write_text("mine\n")
    told = plan(site, "update", code=11)
    assert "1 file(s) of " in told["refused"][0]["what"]
    away = upstream.bare.rename(upstream.bare.with_name("away.git"))
    refused = plan(site, "update", code=11)["refused"]
    away.rename(upstream.bare)
    assert [each["what"].partition(" ")[0] for each in refused] == ["1", "origin"]
    repository.git(site.root, "checkout", "--quiet", "--", ".")


def test_root_looks_at_the_newest_version_as_the_owner_of_the_checkout(
    site: Site, upstream: Repository
) -> None:
    for place in (upstream.bare, site.root):
        give(place, SOMEBODY)
    upstream.bare.chmod(0o700)
    try:
        assert plan(site, "update")["version"]["commits"] == 1
    finally:
        for place in (upstream.bare, site.root):
            give(place, 0)


def give(place: Path, owner: int) -> None:
    for path in [place, *place.rglob("*")]:
        os.chown(path, owner, owner, follow_symlinks=False)
