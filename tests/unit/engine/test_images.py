"""Images, networks and volumes: what is asked of the engine, and what is made of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack.engine import images, objects
from stack.engine.images import Image
from stack.errors import Refused
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from tests.unit.support.engine import Engine

BROKEN = Reply(500, '{"message": "no space left on device"}')


def test_an_image_is_found_with_its_labels_and_its_user(docker: Engine, client: DockerClient) -> None:
    docker.has_image("shop:1", labels={"inputs": "abc"}, user="1000:1000")
    docker.has_image("bare:1", labels=None)
    assert images.find(client, "shop:1") == Image("sha256:1", 1000, {"inputs": "abc"}, "1000:1000")
    assert images.find(client, "bare:1") == Image("sha256:1", 1000, {})


def test_the_images_of_a_repository_come_by_their_names_and_those_of_no_other(
    docker: Engine, client: DockerClient
) -> None:
    docker.answers["GET /images/json"] = [{"Id": "sha256:1"}]
    tags = {"RepoTags": ["shop:1", "shop:2", "registry.example/shop:3", "museum:1"]}
    docker.answers["GET /images/sha256:1/json"] = {"Id": "sha256:1", **tags}
    docker.has_image("shop:1")
    docker.has_image("shop:2")
    assert list(images.named(client, "shop")) == ["shop:1", "shop:2"]


def test_an_image_that_is_not_here_is_none_and_nothing_is_pulled(
    docker: Engine, client: DockerClient
) -> None:
    assert images.find(client, "shop:1") is None
    assert docker.asked == ["GET /images/shop:1/json"]


def test_an_engine_in_trouble_is_not_taken_for_an_image_that_is_missing(
    docker: Engine, client: DockerClient
) -> None:
    docker.answers["GET /images/shop:1/json"] = BROKEN
    with pytest.raises(Refused, match="refused a request") as refusal:
        images.find(client, "shop:1")
    assert refusal.value.why == "no space left on device"


def test_an_image_that_is_pulled_gives_no_reason(docker: Engine, client: DockerClient) -> None:
    docker.answers["POST /images/create"] = Reply(200, "{}")
    docker.has_image("node:24-alpine")
    assert images.pull(client, "node:24-alpine") is None
    assert "fromImage=node" in docker.server.requests[0].query
    assert "tag=24-alpine" in docker.server.requests[0].query


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500, '{"message": "dial tcp: no such host"}'), "dial tcp: no such host"),
        (Reply(404, '{"message": "manifest unknown"}'), "manifest unknown"),
        (Reply(429, '{"message": "toomanyrequests"}'), "toomanyrequests"),
    ],
)
def test_an_image_that_cannot_be_had_gives_the_reason_of_the_registry(
    reply: Reply, reason: str, docker: Engine, client: DockerClient
) -> None:
    docker.answers["POST /images/create"] = reply
    assert images.pull(client, "node:24-alpine") == reason


def test_an_image_is_made_of_a_tar_and_settings(docker: Engine, client: DockerClient, tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(b"tar")
    docker.answers["POST /images/create"] = Reply(200, '{"status": "sha256:1"}')
    images.import_rootfs(client, tmp_path / "root.tar", "payload-stack-node:1", ["ENV A=b", 'CMD ["node"]'])
    (request,) = docker.server.requests
    assert "repo=payload-stack-node&tag=1" in request.query
    assert 'changes=CMD ["node"]' in request.query.replace("+", " ")


def test_a_network_is_made_once(docker: Engine, client: DockerClient) -> None:
    docker.answers["POST /networks/create"] = {"Id": "n1", "Warning": ""}
    docker.answers["GET /networks/n1"] = {"Id": "n1", "Name": "proxy"}
    assert objects.ensure_network(client, "proxy")
    docker.answers["GET /networks/proxy"] = {"Id": "n1", "Name": "proxy"}
    assert not objects.ensure_network(client, "proxy")
    assert docker.asked.count("POST /networks/create") == 1


def test_whether_a_volume_exists_is_known_for_certain_or_refused(
    docker: Engine, client: DockerClient
) -> None:
    assert not objects.volume_exists(client, "shop_payload-db")
    docker.answers["GET /volumes/shop_payload-db"] = {"Name": "shop_payload-db"}
    assert objects.volume_exists(client, "shop_payload-db")
    docker.answers["GET /volumes/shop_payload-db"] = BROKEN
    with pytest.raises(Refused):
        objects.volume_exists(client, "shop_payload-db")


def test_the_engine_tells_where_its_data_lies(docker: Engine, client: DockerClient) -> None:
    docker.answers["GET /info"] = {"DockerRootDir": "/var/lib/docker"}
    assert objects.data_directory(client) == "/var/lib/docker"


def test_the_image_of_a_container_gets_its_name_back_where_another_one_has_it(
    docker: Engine, client: DockerClient
) -> None:
    docker.has_image("shop:1", id_="sha256:unproven")
    docker.has_image("sha256:proven", id_="sha256:proven")
    docker.answers["POST /images/sha256:proven/tag"] = Reply(201, "")
    images.keep_name(client, "sha256:proven", "shop:1")
    assert docker.asked[-1] == "POST /images/sha256:proven/tag"


def test_an_image_that_has_its_name_is_left_alone(docker: Engine, client: DockerClient) -> None:
    docker.has_image("shop:1", id_="sha256:proven")
    images.keep_name(client, "sha256:proven", "shop:1")
    assert docker.asked == ["GET /images/shop:1/json"]
