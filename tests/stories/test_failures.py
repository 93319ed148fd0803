"""Deploys that go wrong: the exit code, the reason, and what is left running."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack import envfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.site import Site


EXITS_AT_ONCE = '["node", "-e", "console.log(process.env.PAYLOAD_SECRET); process.exit(3)"]'


@pytest.fixture
def site(shop: Site) -> Iterator[Site]:
    """Give a healthy site, and see that it was left healthy."""
    yield shop
    assert shop.is_healthy()


def test_a_build_that_fails_leaves_the_site_as_it_was(site: Site) -> None:
    before, package = site.container("app"), site.root / "app" / "package.json"
    whole = package.read_text()
    package.write_text(whole.replace("{", "{,", 1))
    done = site.run("./deploy.sh")
    package.write_text(whole)
    assert done.returncode == 11
    assert "error: the image could not be built; the site is as it was" in done.stderr
    assert "package.json" in done.stderr
    assert site.container("app") == before


def test_a_release_that_is_not_healthy_gives_way_to_the_previous_one(site: Site) -> None:
    live = envfile.read(site.root / ".env")["APP_IMAGE"]
    dockerfile = site.root / "Dockerfile"
    whole = dockerfile.read_text()
    dockerfile.write_text(
        f'{whole}CMD ["node", "-e", "console.log(process.env.PAYLOAD_SECRET); process.exit(3)"]\n'
    )
    done = site.run("./deploy.sh")
    dockerfile.write_text(whole)
    assert done.returncode == 20, done.stderr
    assert "the previous one is back and healthy" in done.stderr
    assert "app exits by itself with code 3" in done.stderr
    assert "[PAYLOAD_SECRET]" in done.stderr
    assert envfile.read(site.root / ".env.production")["PAYLOAD_SECRET"] not in done.stderr
    assert envfile.read(site.root / ".env")["APP_IMAGE"] == live
    assert site.status()["release"] == live.rpartition(":")[2]


def test_a_first_deploy_that_fails_leaves_nothing_running(sibling: Callable[..., Site]) -> None:
    site = sibling("never", START_LIMIT="3", HEALTH_PATH="/api/nowhere")
    done = site.run("./deploy.sh")
    assert done.returncode == 20, done.stderr
    assert "nothing is left running" in done.stderr
    assert "its health route answers 404" in done.stderr
    assert "its last log lines" in done.stderr
    assert site.container("app") == site.container("gate") == ""


def test_out_of_memory_is_named(sibling: Callable[..., Site]) -> None:
    site = sibling("small", APP_MEMORY="40m", APP_MEMORY_RESERVED="20m")
    done = site.run("./deploy.sh")
    assert done.returncode == 20
    assert "more than its memory limit of 40 MiB" in done.stderr


def test_two_deploys_at_once_the_second_is_told_who_is_at_work(site: Site) -> None:
    from stack import lock, settings  # noqa: PLC0415

    with lock.held(settings.load(site.root), "a test"):
        done = site.run("./deploy.sh")
    assert done.returncode == 12
    assert "a test, process" in done.stderr


def test_every_problem_of_the_environment_file_is_named_and_nothing_is_touched(site: Site) -> None:
    file, before = site.root / ".env.production", site.container("app")
    whole = file.read_text()
    file.write_text("PAYLOAD_SECRET=tooshort\nDATABASE_URI=\n")
    done = site.run("./deploy.sh")
    file.write_text(whole)
    assert done.returncode == 10
    for complaint in (
        "PAYLOAD_SECRET: is shorter",
        "DATABASE_URI: is empty",
        "NEXT_PUBLIC_SERVER_URL: is missing",
    ):
        assert complaint in done.stderr
    assert "tooshort" not in done.stderr
    assert site.container("app") == before


def test_a_wrong_setting_is_named_with_its_file(site: Site) -> None:
    site.set(HOST_PORT="none")
    done = site.run("./deploy.sh")
    site.set(HOST_PORT=str(site.port))
    assert done.returncode == 10
    assert "HOST_PORT=none is not a number from 1 to 65535" in done.stderr
