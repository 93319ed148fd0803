"""Deploy after deploy: the engine is left with the releases that could still be needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.site import Site


def releases(site: Site) -> list[str]:
    listed = site.run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", site.name)
    return sorted(listed.stdout.split())


def deployed(site: Site, image: str, number: int) -> str:
    site.build_on(image, f"ENV NUMBER={number}")
    return f"{site.name}:{site.deploy()}"


def test_old_releases_go_before_a_build_and_those_that_could_be_needed_stay(
    sibling: Callable[..., Site], image: str, shop: Site
) -> None:
    site, others = sibling("pruned"), releases(shop)
    first = deployed(site, image, 1)
    made = site.run("docker", "create", "--label", f"com.docker.compose.project={site.name}", first)
    came = [deployed(site, image, number) for number in (2, 3, 4, 5)]
    site.build_on(image, "ENV NUMBER=6", "RUN false")
    assert site.run("./deploy.sh").returncode == 11
    assert releases(site) == [first, *came[1:]]  # of the first one somebody has made a container

    site.run("docker", "rm", made.stdout.strip())
    site.build_on(image, "ENV NUMBER=7")
    done = site.run("./deploy.sh")
    assert "Remove old releases" in done.stderr
    assert " 1 of 1, " in done.stderr
    assert releases(site) == [*came[1:], settings.load(site.root).app_image]
    assert releases(shop) == others
    assert site.is_healthy()
