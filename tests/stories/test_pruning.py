"""Deploy after deploy, restore after restore: the engine is left with what could still be needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


def volumes(site: Site) -> set[str]:
    mine = f"label=com.docker.compose.project={site.name}"
    return set(site.run("docker", "volume", "ls", "--quiet", "--filter", mine).stdout.split())


def pair(site: Site, operation: str) -> set[str]:
    return {f"{site.name}_{purpose}-{operation}" for purpose in ("payload-db", "media-uploads")}


def has_volumes(site: Site, names: Iterable[str], *, of: str = "") -> None:
    """Make volumes as Compose does for a restore."""
    for name in sorted(names):
        purpose = "payload-db" if "payload-db" in name else "media-uploads"
        labels = (f"project={of or site.name}", f"volume={purpose}")
        flags = [word for label in labels for word in ("--label", f"com.docker.compose.{label}")]
        assert site.run("docker", "volume", "create", *flags, name).returncode == 0


def test_volumes_of_old_restores_go_and_those_that_could_be_needed_stay(
    sibling: Callable[..., Site], image: str, shop: Site
) -> None:
    site, others = sibling("emptied"), volumes(shop)
    site.build_on(image)
    site.deploy()
    began_on = volumes(site)
    assert site.run("./backup.sh", "--db-only").returncode == 0
    old = [pair(site, f"202001{day}T000000Z-01234567") for day in range(11, 17)]
    strange = {f"{site.name}_payload-db-20200101T000000Z-01234567-copy", f"{site.name}_payload-db-mine"}
    neighbours = {f"{site.name}_payload-db-20200102T000000Z-01234567"}
    has_volumes(site, set().union(*old, strange))
    has_volumes(site, neighbours, of=f"{site.name}-next")
    in_use = f"type=volume,source={min(old[0])},target=/data"
    made = site.run("docker", "create", "--mount", in_use, image)
    try:
        restored = site.run("./restore.sh", "--yes")
        assert restored.returncode == 0, restored.stderr
        assert "Remove old volumes" in restored.stderr
        assert " 5 of 5, " in restored.stderr
        stay = {min(old[0])}.union(*old[3:], began_on, strange)
        assert stay < volumes(site)
        (now,) = volumes(site) - stay  # the database alone was restored
        assert settings.load(site.root).db_volume == now
        assert neighbours <= set(site.run("docker", "volume", "ls", "--quiet").stdout.split())
    finally:
        site.run("docker", "rm", made.stdout.strip())
        site.run("docker", "volume", "rm", *neighbours)

    newer = [pair(site, f"202002{day}T000000Z-01234567") for day in (11, 12)]
    has_volumes(site, set().union(*newer))
    site.build_on(image, "RUN false")
    failed = site.run("./deploy.sh")
    assert failed.returncode == 11
    assert " 5 of 5, " in failed.stderr
    assert volumes(site) == {now}.union(old[5], *newer, began_on, strange)
    assert volumes(shop) == others
