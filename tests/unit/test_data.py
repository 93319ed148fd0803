"""Which volumes are a site's: decided from what an engine says of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import data
from stack.errors import Refused
from tests.unit.support import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

    from stack.settings import Settings
    from tests.unit.support.engine import Engine

ENV = {"DATABASE_URI": "file:/data/payload.db"}


@pytest.fixture
def docker() -> Iterator[Engine]:
    with engine.running() as made:
        made.answers["GET /containers/json"] = []
        made.answers["GET /volumes"] = {"Volumes": []}
        yield made


@pytest.fixture
def client(docker: Engine) -> Iterator[DockerClient]:
    with engine.client_of(docker) as made:
        yield made


@pytest.fixture
def served(site: Settings, docker: Engine) -> Settings:
    """Give a site that served from its two volumes."""
    site.state.mkdir()
    data.remember(site, ENV)
    has(docker, site.db_volume, site.media_volume)
    return site


def has(docker: Engine, *volumes: str) -> None:
    for volume in volumes:
        docker.answers[f"GET /volumes/{volume}"] = {"Name": volume}


def refusal(client: DockerClient, site: Settings) -> str:
    with pytest.raises(Refused) as refused:
        data.check(client, site)
    return str(refused.value)


def test_a_first_deploy_may_make_its_volumes_and_says_that_they_are_empty(
    site: Settings, client: DockerClient
) -> None:
    data.check(client, site)
    assert data.place(client, site) == "volume shop_payload-db, new and empty"


def test_a_site_goes_on_with_the_volumes_it_served_from(served: Settings, client: DockerClient) -> None:
    data.check(client, served)
    assert data.place(client, served) == "volume shop_payload-db"


def test_a_new_name_never_means_a_new_empty_volume(served: Settings, client: DockerClient) -> None:
    said = refusal(client, replace(served, db_volume="store"))
    assert "would begin with a new, empty volume: store" in said
    assert "DB_VOLUME=shop_payload-db" in said
    said = refusal(client, replace(served, media_volume="store"))
    assert "MEDIA_VOLUME=shop_media-uploads" in said


def test_a_new_name_is_refused_with_the_old_one_first(served: Settings, client: DockerClient) -> None:
    renamed = replace(served, site="boutique", db_volume="boutique_db", media_volume="boutique_media")
    said = refusal(client, renamed)
    assert "the site's name was shop, now it is boutique" in said
    assert "COMPOSE_PROJECT_NAME=shop" in said
    assert "DB_VOLUME=shop_payload-db and MEDIA_VOLUME=shop_media-uploads" in said
    assert data.former_name(renamed) == "shop"


def test_a_new_name_with_the_old_volumes_is_the_same_site(served: Settings, client: DockerClient) -> None:
    renamed = replace(served, site="boutique")
    data.check(client, renamed)
    assert data.former_name(renamed) is None


def test_what_is_gone_is_named_all_at_once(served: Settings, client: DockerClient, docker: Engine) -> None:
    for volume in (served.db_volume, served.media_volume):
        del docker.answers[f"GET /volumes/{volume}"]
    assert "docker volume create shop_payload-db && docker volume create shop_media-uploads" in refusal(
        client, served
    )


def test_a_volume_that_was_removed_is_missed(served: Settings, client: DockerClient, docker: Engine) -> None:
    del docker.answers[f"GET /volumes/{served.db_volume}"]
    said = refusal(client, served)
    assert "the site's data is gone: shop_payload-db" in said
    assert "docker volume create shop_payload-db" in said


def test_another_volume_that_exists_was_chosen_by_somebody(
    served: Settings, client: DockerClient, docker: Engine
) -> None:
    has(docker, "restored")
    data.check(client, replace(served, db_volume="restored"))


def test_another_file_on_the_same_volume_would_be_an_empty_database(served: Settings) -> None:
    data.check_file(served, ENV)
    with pytest.raises(Refused, match=r"another database: file:/data/other\.db"):
        data.check_file(served, {"DATABASE_URI": "file:/data/other.db"})


def test_a_first_deploy_may_choose_its_file(site: Settings) -> None:
    data.check_file(site, {"DATABASE_URI": "file:/data/other.db"})


def test_two_applications_never_write_one_volume(
    served: Settings, client: DockerClient, docker: Engine
) -> None:
    other = engine.listed(engine.container(labels={"com.docker.compose.project": "twin"}))
    mount = {"Name": served.db_volume, "RW": True}
    docker.answers["GET /containers/json"] = [{**other, "Mounts": [mount]}]
    assert "the volume shop_payload-db is used by container app0" in refusal(client, served)
    docker.answers["GET /containers/json"] = [{**other, "Mounts": [{**mount, "RW": False}]}]
    data.check(client, served)


def test_a_container_of_one_command_is_a_second_writer_too(
    served: Settings, client: DockerClient, docker: Engine
) -> None:
    mount = {"Name": served.db_volume, "RW": True}
    for one_off, refused in (("False", False), ("True", True)):
        mine = engine.listed(engine.container(labels={"com.docker.compose.oneoff": one_off}))
        docker.answers["GET /containers/json"] = [{**mine, "Mounts": [mount]}]
        if refused:
            assert "docker stop app0" in refusal(client, served)
        else:
            data.check(client, served)


def test_an_unused_database_of_another_name_is_mentioned_before_a_first_deploy(
    site: Settings, client: DockerClient, docker: Engine
) -> None:
    labels = {"com.docker.compose.project": "old"}
    docker.answers["GET /volumes"] = {"Volumes": [{"Name": "old_payload-db", "Labels": labels}]}
    assert data.left_alone(client, site) == ["old_payload-db"]
    docker.answers["GET /containers/json"] = [engine.listed(engine.container())]
    assert data.left_alone(client, site) == []
    docker.answers["GET /containers/json"] = []
    has(docker, site.db_volume)
    assert data.left_alone(client, site) == []
