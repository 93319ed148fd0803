"""A machine or settings that will not do: refused with one clear error, and nothing is changed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stack import envfile
from stack.host import ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.site import Site

OLD_COMPOSE = """#!/bin/sh
case "$1" in
docker-cli-plugin-metadata) echo '{"SchemaVersion":"0.1.0","Vendor":"x","Version":"2.20.3"}' ;;
*) echo 2.20.3 ;;
esac
"""
PROGRAMS = ("sh", "env", "dirname", "readlink", "cmp", "cat", "git", "flock", "python3")


@pytest.fixture(scope="module")
def live(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("refused")
    site.build_on(image)
    site.deploy()
    return site


@pytest.fixture
def site(live: Site) -> Iterator[Site]:
    """Give a healthy site that must be exactly as before when the test is over."""
    before = live.state()
    yield live
    assert live.state() == before
    assert live.is_healthy()


def refused(site: Site, code: int, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Deploy, and expect one error with its reason and its remedy."""
    done = site.run("./deploy.sh", env=env)
    assert done.returncode == code, done.stderr
    assert len(re.findall(r"^error: .+\n  why: .+\n  fix: .+$", done.stderr, re.MULTILINE)) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr, done.stderr
    return done


@contextmanager
def changed(site: Site, **values: str) -> Iterator[None]:
    """Change `.env` for as long as a deploy takes."""
    dotenv = site.root / ".env"
    whole = dotenv.read_text()
    site.set(**values)
    try:
        yield
    finally:
        dotenv.write_text(whole)


def test_a_machine_without_the_docker_program_is_told_how_to_get_it(site: Site, tmp_path: Path) -> None:
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    refused(site, 11, "the program `docker` is not here", "--provision", PATH=str(tmp_path))


def test_an_engine_that_does_not_run_is_told_from_everything_else(site: Site, tmp_path: Path) -> None:
    refused(site, 11, "no Docker engine is running here", DOCKER_HOST=f"unix://{tmp_path}/no.sock")


def test_a_compose_that_is_too_old_is_told_with_both_versions(site: Site, tmp_path: Path) -> None:
    plugin = tmp_path / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir()
    plugin.write_text(OLD_COMPOSE)
    plugin.chmod(0o755)
    refused(site, 11, "Compose is too old: 2.20.3", "2.24", "--provision", DOCKER_CONFIG=str(tmp_path))


def test_a_port_that_a_program_has_is_named_with_one_that_is_free(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with changed(site, HOST_PORT=str(port)):
            done = refused(site, 11, f"port {port} is taken by another program of this machine")
    offered = re.search(r"HOST_PORT=(\d+)", done.stderr)
    assert offered
    assert not ports.taken(int(offered.group(1)))


def test_a_port_that_a_container_has_is_named_with_the_container(site: Site, shop: Site) -> None:
    with changed(site, HOST_PORT=str(shop.port)):
        refused(site, 11, f"port {shop.port} is taken by container {shop.name}-gate-1", "HOST_PORT=")


@pytest.mark.parametrize("network", ["host", "bridge", "none"])
def test_a_network_without_names_is_refused(network: str, site: Site) -> None:
    with changed(site, PROXY_NETWORK=network):
        refused(site, 11, f"the network {network} cannot carry the site", "PROXY_NETWORK")


@pytest.mark.parametrize(
    ("setting", "value", "complaint"),
    [
        ("HOST_PORT", "none", "HOST_PORT=none is not a number from 1 to 65535"),
        ("APP_PIDS", "8", "APP_PIDS=8 is not a number from 32"),
        ("APP_DIR", "../nowhere", "APP_DIR=../nowhere is not a directory"),
        ("HOLD_BUDGET", "120", "HOLD_BUDGET=120 is not shorter than HOLD_LIMIT=120s"),
        ("COMPOSE_PROJECT_NAME", "Shop!", "COMPOSE_PROJECT_NAME=Shop! is not"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(setting: str, value: str, complaint: str, site: Site) -> None:
    with changed(site, **{setting: value}):
        refused(site, 10, complaint, str(site.root / ".env"))


def test_settings_that_are_not_text_are_refused(site: Site) -> None:
    dotenv = site.root / ".env"
    whole = dotenv.read_bytes()
    dotenv.write_bytes(b"\xff\xfe\x00")
    refused(site, 10, "is not a text file")
    dotenv.write_bytes(whole)


def test_a_setting_that_nobody_reads_is_told_with_the_one_that_was_meant(site: Site) -> None:
    with changed(site, HOSTPORT="3005", APP_MEMROY="1g"):
        done = site.run("./deploy.sh")
    assert done.returncode == 0, done.stderr
    assert f"HOSTPORT in {site.root}/.env does nothing: did you mean HOST_PORT?" in done.stderr
    assert "did you mean APP_MEMORY?" in done.stderr


def test_variables_of_the_shell_do_not_override_the_settings(site: Site) -> None:
    mine = {"HOST_PORT": "1", "APP_IMAGE": "nothing:here", "COMPOSE_FILE": "/nowhere.yml", "APP_MEMORY": "1m"}
    done = site.run("./deploy.sh", env=mine)
    assert done.returncode == 0, done.stderr
    warning = "your shell's APP_IMAGE, APP_MEMORY, COMPOSE_FILE, HOST_PORT is not heeded"
    assert warning in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("size=3m", "not enough room for the settings of this site"),
        ("size=30m,nr_inodes=500", "not enough inodes for the settings of this site"),
    ],
    ids=["bytes", "inodes"],
)
def test_a_full_file_system_ends_a_deploy_before_anything_is_touched(
    options: str, complaint: str, sibling: Callable[..., Site], small_disk: Callable[[str], Path]
) -> None:
    site = sibling("full", directory=small_disk(options))
    if "inodes" in complaint:
        for n in range(os.statvfs(site.root).f_favail - 20):
            (site.root / str(n)).touch()
    refused(site, 11, complaint, "free at")
    assert site.state().containers == ""


# --- names and data ----------------------------------------------------------------------------


def test_a_site_that_gets_another_name_while_it_runs_is_told_its_old_one(site: Site) -> None:
    with changed(site, COMPOSE_PROJECT_NAME=f"{site.name}-new"):
        refused(site, 11, f"this checkout still runs as {site.name}; now its name is {site.name}-new")
        assert site.inv("stop").returncode == 11


def test_a_second_checkout_of_one_name_is_refused(site: Site, sibling: Callable[..., Site]) -> None:
    other = sibling("twin")
    with changed(other, COMPOSE_PROJECT_NAME=site.name):
        refused(other, 11, str(site.root), "choose another COMPOSE_PROJECT_NAME")
        for verb in ("stop", "restart"):
            assert other.inv(verb).returncode == 11


def test_a_second_writer_is_refused(site: Site, sibling: Callable[..., Site]) -> None:
    other = sibling("writer", DB_VOLUME=f"{site.name}_payload-db")
    refused(other, 11, f"the volume {site.name}_payload-db is used by container {site.name}-app-1")
    assert other.container("app") == ""


def test_an_application_with_two_containers_is_not_updated(site: Site, image: str) -> None:
    only = site.container("app")
    site.compose("up", "--detach", "--no-build", "--no-recreate", "--scale", "app=2", "app")
    site.build_on(image, "LABEL another=release")
    before = site.state()
    try:
        refused(
            site, 11, "the new container could not be made", "`docker compose up --detach` leaves one of them"
        )
        assert site.state() == before
    finally:
        site.build_on(image)
        site.compose("up", "--detach", "--no-build")
    assert site.container("app") == only


def test_a_site_that_is_renamed_while_it_is_down_never_begins_empty(
    sibling: Callable[..., Site], image: str
) -> None:
    site = sibling("renamed")
    site.build_on(image)
    site.deploy()
    site.run("./stop.sh")
    before = site.state()
    with changed(site, COMPOSE_PROJECT_NAME=f"{site.name}-b"):
        done = refused(site, 11, f"the site's name was {site.name}, now it is {site.name}-b")
        assert f"COMPOSE_PROJECT_NAME={site.name}" in done.stderr
        assert f"served as {site.name}" in site.inv("status").stderr
        assert f"served as {site.name}" in site.inv("stop").stderr
    moved = site.root.with_name("moved")
    assert site.state() == before
    envfile.write(site.root / ".env", {"COMPOSE_PROJECT_NAME": ""})
    site.root.rename(moved)
    done = subprocess.run(["./deploy.sh"], cwd=moved, capture_output=True, text=True, check=False)
    moved.rename(site.root)
    assert (done.returncode, "now it is moved" in done.stderr) == (11, True), done.stderr
    site.set(COMPOSE_PROJECT_NAME=site.name)
    site.compose("down", "--volumes")
    both = f"docker volume create {site.name}_payload-db && docker volume create {site.name}_media-uploads"
    refused(site, 11, "the site's data is gone", both)
    assert site.run("sh", "-c", both).returncode == 0
    site.build_on(image, "ENV CHANGED=yes")
    site.deploy()
    assert site.get("/api/users/init").json() == {"initialized": False}
