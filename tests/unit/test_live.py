"""Where a site's data is, and with which image it can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack import envfile, live, settings
from stack.errors import Refused
from tests.unit.support import engine
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from stack.settings import Settings
    from tests.unit.support.engine import Engine

ENV = {"DATABASE_URI": "file:/data/payload.db"}
NEWER = "shop:20261122T181500Z-0123456789ab"


@pytest.fixture
def served(docker: Engine, site: Settings) -> Settings:
    """Give a site with data and an image, that does not run."""
    docker.answers["GET /containers/json"] = []
    for volume in (site.db_volume, site.media_volume):
        docker.answers[f"GET /volumes/{volume}"] = {"Name": volume}
    docker.has_image(OLD)
    envfile.write(site.dotenv, {"APP_IMAGE": OLD})
    return settings.load(site.root)


def test_data_is_in_the_volumes_of_dotenv_and_read_with_its_image(
    client: DockerClient, served: Settings
) -> None:
    place = live.place(client, served, ENV)
    assert (place.image, place.database) == (OLD, "/data/payload.db")
    assert (place.db_volume, place.media_volume) == ("shop_payload-db", "shop_media-uploads")


@pytest.mark.parametrize("gone", ["shop_payload-db", "shop_media-uploads"])
def test_without_a_volume_there_is_nothing_to_back_up(
    gone: str, docker: Engine, client: DockerClient, served: Settings
) -> None:
    del docker.answers[f"GET /volumes/{gone}"]
    with pytest.raises(Refused, match=f"there is no volume {gone}"):
        live.place(client, served, ENV)


def test_without_an_image_nothing_can_be_read(docker: Engine, client: DockerClient, served: Settings) -> None:
    del docker.answers[f"GET /images/{OLD}/json"]
    with pytest.raises(Refused, match="no image of shop is here"):
        live.place(client, served, ENV)


def test_what_runs_counts_before_what_dotenv_names(
    docker: Engine, client: DockerClient, served: Settings
) -> None:
    docker.has_containers(engine.container(image=NEWER))
    docker.has_image(NEWER)
    assert live.image(client, served) == NEWER


def test_where_the_image_of_what_runs_is_gone_the_one_of_dotenv_does(
    docker: Engine, client: DockerClient, served: Settings
) -> None:
    docker.has_containers(engine.container(image=NEWER))
    assert live.image(client, served) == OLD


def test_a_site_that_was_never_deployed_has_no_image(
    docker: Engine, client: DockerClient, site: Settings
) -> None:
    docker.answers["GET /containers/json"] = []
    assert live.image(client, site) is None


@pytest.mark.parametrize("inside", ["", "volumes", "volumes/shop/_data"])
def test_archives_do_not_go_where_they_would_be_lost_with_the_data(
    inside: str, docker: Engine, client: DockerClient, tmp_path: Path
) -> None:
    data = tmp_path / "docker"
    (data / inside).mkdir(parents=True)
    (tmp_path / "link").symlink_to(data / inside)
    docker.answers["GET /info"] = {"DockerRootDir": str(data)}
    for directory in (data / inside, tmp_path / "link"):
        with pytest.raises(Refused, match="is inside the engine's own data"):
            live.outside(client, directory)


def test_any_other_directory_is_fine(docker: Engine, client: DockerClient, tmp_path: Path) -> None:
    docker.answers["GET /info"] = {"DockerRootDir": str(tmp_path / "docker")}
    for name in ("backups", "docker-backups"):
        assert live.outside(client, tmp_path / name) == tmp_path / name
