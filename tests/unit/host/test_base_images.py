"""Base images: pulled where they can be had, replaced by stand-ins only where that is no surprise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from stack.host import base_images, standins
from tests.unit.support import engine
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from stack.settings import Settings


@pytest.mark.parametrize("name", ["node:24-alpine", "caddy:2-alpine", "payload-stack-node:24.19.0-musl"])
def test_a_default_and_a_stand_in_may_be_replaced(name: str) -> None:
    assert base_images.replaceable(name)


@pytest.mark.parametrize("name", ["node:22-alpine", "node", "registry.example.com/node:24-alpine", "mine:1"])
def test_an_image_that_somebody_chose_is_not_replaced(name: str) -> None:
    assert not base_images.replaceable(name)


def test_the_stand_ins_carry_names_of_our_own() -> None:
    names = standins.Names()
    assert names.node.startswith("payload-stack-")
    assert names.caddy.startswith("payload-stack-")


def test_only_what_is_not_on_the_machine_is_absent(site: Settings) -> None:
    with engine.running() as docker, engine.client_of(docker) as client:
        docker.has_image("caddy:2-alpine")
        assert base_images.absent(client, site) == {"NODE_IMAGE": "node:24-alpine"}


def test_what_a_registry_gives_is_no_longer_wanted_and_the_rest_has_a_reason() -> None:
    with engine.running() as docker, engine.client_of(docker) as client:
        docker.answers["POST /images/create"] = Reply(200, "{}")
        docker.has_image("node:24-alpine")
        assert base_images.pull(client, {"NODE_IMAGE": "node:24-alpine"}) == {}
        docker.answers["POST /images/create"] = Reply(500, '{"message": "no such host"}')
        assert base_images.pull(client, {"GATE_IMAGE": "caddy:2-alpine"}) == {"GATE_IMAGE": "no such host"}


def test_a_stand_in_is_never_asked_of_a_registry() -> None:
    names = standins.Names()
    with engine.running() as docker, engine.client_of(docker) as client:
        reasons = base_images.pull(client, {"NODE_IMAGE": names.node, "GATE_IMAGE": names.caddy})
        assert set(reasons) == {"NODE_IMAGE", "GATE_IMAGE"}
        assert docker.asked == []


def test_stand_ins_that_are_here_are_not_built_again_and_only_the_wanted_are_set() -> None:
    names = standins.Names()
    with engine.running() as docker, engine.client_of(docker) as client:
        docker.has_image(names.node)
        docker.has_image(names.caddy)
        assert base_images.stand_in(client, {"NODE_IMAGE"}) == {"NODE_IMAGE": names.node}
        assert "POST /images/create" not in docker.asked


def test_an_image_of_the_site_that_is_here_is_not_absent(site: Settings) -> None:
    chosen = dataclasses.replace(site, node_image="mine:1", gate_image="mine:2")
    with engine.running() as docker, engine.client_of(docker) as client:
        docker.has_image("mine:1")
        docker.has_image("mine:2")
        assert base_images.absent(client, chosen) == {}
