"""Deploys that go wrong: the exit code, the reason, and what is left running."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.site import Site


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
