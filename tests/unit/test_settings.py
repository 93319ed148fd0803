"""`.env`: read whole, checked whole, before anything happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import settings
from stack.errors import Invalid

if TYPE_CHECKING:
    from stack.settings import Settings


def load(checkout: Path, *lines: str) -> Settings:
    (checkout / ".env").write_text("".join(f"{line}\n" for line in lines))
    return settings.load(checkout)


def problems(checkout: Path, *lines: str) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        load(checkout, *lines)
    assert refusal.value.code == 10
    assert str(checkout / ".env") in refusal.value.what
    return refusal.value.why.split("; ")


def test_a_checkout_without_dotenv_is_a_whole_site(checkout: Path) -> None:
    site = settings.load(checkout)
    assert site == settings.Settings(
        root=checkout,
        site="shop",
        app_dir=checkout / "app",
        app_image="",
        image_source="",
        host_port=3000,
        proxy_network="proxy",
        db_volume="shop_payload-db",
        media_volume="shop_media-uploads",
        media_dir="/app/public/media",
        health_path="/api/health",
        start_limit=120,
        trial_seconds=8,
        watch_seconds=10,
        hold_budget=45,
        by_command=False,
        node_image="node:24-alpine",
        gate_image="caddy:2-alpine",
    )
    assert site.gate_url == "http://127.0.0.1:3000"
    assert site.env_production == checkout / ".env.production"
    assert site.state == checkout / ".stack"


def test_what_stands_in_dotenv_counts(checkout: Path) -> None:
    (checkout.parent / "elsewhere").mkdir()
    site = load(
        checkout,
        "COMPOSE_PROJECT_NAME=boutique",
        "APP_DIR=../elsewhere",
        "APP_IMAGE=boutique:20261122T181500Z-0123456789ab",
        "HOST_PORT=8080 # behind nginx",
        "PROXY_NETWORK=edge",
        "MEDIA_DIR='/app/media'",
        "NODE_IMAGE=registry.example.com:5000/library/node@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    )
    assert site.site == "boutique"
    assert site.app_dir == checkout.parent / "elsewhere"
    assert site.app_image == "boutique:20261122T181500Z-0123456789ab"
    assert site.gate_url == "http://127.0.0.1:8080"
    assert site.proxy_network == "edge"
    assert site.media_dir == "/app/media"
    assert site.db_volume == "boutique_payload-db"
    assert site.media_volume == "boutique_media-uploads"


def test_the_shell_of_the_operator_does_not_change_a_site(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_PORT", "9999")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "other")
    site = settings.load(checkout)
    assert (site.host_port, site.site) == (3000, "shop")


@pytest.mark.parametrize("key", ["COMPOSE_PROJECT_NAME", *settings.DEFAULTS, "DB_VOLUME", "MEDIA_VOLUME"])
def test_an_empty_value_means_the_default_as_it_does_for_compose(key: str, checkout: Path) -> None:
    default = settings.load(checkout)
    assert load(checkout, f"{key}=") == default


def test_payloads_own_command_migrates_where_dotenv_says_so(checkout: Path) -> None:
    assert load(checkout, "MIGRATE=command").by_command
    assert problems(checkout, "MIGRATE=never") == ["MIGRATE=never is not start or command"]


def test_there_is_no_command_in_an_image_that_was_built_elsewhere(checkout: Path) -> None:
    (problem,) = problems(checkout, "MIGRATE=command", "IMAGE_SOURCE=example.com/shop")
    assert problem.startswith("MIGRATE=command needs what is built here")


def test_every_problem_is_named_at_once(checkout: Path) -> None:
    found = problems(
        checkout,
        "COMPOSE_PROJECT_NAME=My Shop",
        "HOST_PORT=http",
        "START_LIMIT=0",
        "WATCH_SECONDS=a while",
        "HOLD_BUDGET=0",
        "APP_DIR=nowhere",
        "HEALTH_PATH=api/health",
        "MEDIA_DIR=media",
        "PROXY_NETWORK=a b",
        "DB_VOLUME=/data",
        "MEDIA_VOLUME=-x",
        "NODE_IMAGE=-x",
        "GATE_IMAGE=a b",
        "APP_IMAGE=$shop",
        "IMAGE_SOURCE=https://registry.example.com/shop",
    )
    assert sorted(problem.partition("=")[0] for problem in found) == [
        "APP_DIR",
        "APP_IMAGE",
        "COMPOSE_PROJECT_NAME",
        "DB_VOLUME",
        "GATE_IMAGE",
        "HEALTH_PATH",
        "HOLD_BUDGET",
        "HOST_PORT",
        "IMAGE_SOURCE",
        "MEDIA_DIR",
        "MEDIA_VOLUME",
        "NODE_IMAGE",
        "PROXY_NETWORK",
        "START_LIMIT",
        "WATCH_SECONDS",
    ]


def test_a_problem_shows_the_value_and_what_would_be_right(checkout: Path) -> None:
    assert problems(checkout, "HOST_PORT=70000") == ["HOST_PORT=70000 is not a number from 1 to 65535"]


@pytest.mark.parametrize(("port", "number"), [("1", 1), ("65535", 65535)])
def test_a_port_within_bounds_is_taken(port: str, number: int, checkout: Path) -> None:
    assert load(checkout, f"HOST_PORT={port}").host_port == number


@pytest.mark.parametrize("port", ["0", "65536", "-1", "+80", "8080.0", "80 81", "0x50", "http"])
def test_a_port_out_of_bounds_is_refused(port: str, checkout: Path) -> None:
    assert len(problems(checkout, f"HOST_PORT='{port}'")) == 1


@pytest.mark.parametrize("line", ["HOST_PORT=²", "START_LIMIT=①", f"START_LIMIT={'9' * 5000}"])
def test_a_number_that_is_none_is_refused_and_no_traceback(line: str, checkout: Path) -> None:
    assert len(problems(checkout, line)) == 1


@pytest.mark.parametrize(
    "name", ["Shop", "my shop", "-shop", "shop-", "my--shop", "shop.example", "shöp", "a" * 41, "a/b", "_a"]
)
def test_a_site_whose_name_cannot_be_an_image_and_a_host_name_is_refused(name: str, checkout: Path) -> None:
    problem, *_ = problems(checkout, f"COMPOSE_PROJECT_NAME='{name}'")
    assert problem.startswith(f"COMPOSE_PROJECT_NAME={name} is not ")


@pytest.mark.parametrize("key", ["PROXY_NETWORK", "DB_VOLUME", "MEDIA_VOLUME"])
@pytest.mark.parametrize("name", ["a b", "-a", ".a", "a/b", "a:b", "ü", "a\nb"])
def test_a_volume_or_network_whose_name_docker_refuses_is_refused(
    key: str, name: str, checkout: Path
) -> None:
    assert len(problems(checkout, f"{key}='{name}'")) == 1


@pytest.mark.parametrize("key", ["NODE_IMAGE", "GATE_IMAGE", "APP_IMAGE", "IMAGE_SOURCE"])
@pytest.mark.parametrize("name", ["a b", "-a", "$a", ".a", "a\nb"])
def test_an_image_whose_name_docker_refuses_is_refused(key: str, name: str, checkout: Path) -> None:
    assert len(problems(checkout, f"{key}='{name}'")) == 1


@pytest.mark.parametrize(
    "line", ["NODE_IMAGE=Node:24", "NODE_IMAGE=a:b:c", "NODE_IMAGE=a/", "NODE_IMAGE=nöde", "DB_VOLUME=a"]
)
def test_a_name_that_docker_refuses_is_refused_here_already(line: str, checkout: Path) -> None:
    assert len(problems(checkout, line)) == 1


def test_a_health_path_that_is_no_address_is_refused(checkout: Path) -> None:
    assert len(problems(checkout, "HEALTH_PATH=/gesünd")) == 1


@pytest.mark.parametrize("lines", [["DB_VOLUME=shop", "MEDIA_VOLUME=shop"], ["MEDIA_DIR=/data"]])
def test_database_and_media_do_not_share_a_place(lines: list[str], checkout: Path) -> None:
    assert problems(checkout, *lines)


@pytest.mark.parametrize(
    ("budget", "limit"), [("60", "60s"), ("61", "60s"), ("60", "1m"), ("1", "500ms"), ("45", "0s")]
)
def test_visitors_are_not_promised_longer_than_the_gate_holds_them(
    budget: str, limit: str, checkout: Path
) -> None:
    said = f"HOLD_BUDGET={budget} is not shorter than HOLD_LIMIT={limit}"
    assert problems(checkout, f"HOLD_BUDGET={budget}", f"HOLD_LIMIT={limit}") == [said]


@pytest.mark.parametrize(("budget", "limit"), [("59", "60s"), ("119", "2m"), ("1", "1001ms")])
def test_a_budget_below_what_the_gate_holds_is_taken(budget: str, limit: str, checkout: Path) -> None:
    assert load(checkout, f"HOLD_BUDGET={budget}", f"HOLD_LIMIT={limit}").hold_budget == int(budget)


def test_a_limit_that_is_no_time_is_told_as_that_alone(checkout: Path) -> None:
    assert problems(checkout, "HOLD_LIMIT=soon") == ["HOLD_LIMIT=soon is not a time, such as 60s"]


def test_a_dotenv_that_is_not_text_is_refused(checkout: Path) -> None:
    (checkout / ".env").write_bytes(b"HOST_PORT=3000\nCOMPOSE_PROJECT_NAME=caf\xe9\n")
    with pytest.raises(Invalid):
        settings.load(checkout)


@pytest.mark.parametrize(
    ("directory", "site"),
    [
        ("shop", "shop"),
        ("Shop", "shop"),
        ("My Shop!", "myshop"),
        ("shop.example.com", "shopexamplecom"),
        ("my_shop-2", "my_shop-2"),
        ("-shop-", "shop"),
        ("__", "site"),
        ("..", "site"),
        ("/", "site"),
        ("日本", "site"),
        ("x" * 60, "x" * 40),
        (f"{'x' * 39}-y", "x" * 39),
    ],
)
def test_a_site_is_called_like_its_directory(directory: str, site: str) -> None:
    assert settings.default_site(Path("/srv") / directory) == site


@given(name=st.text("aB1-_. ü", max_size=50))
def test_whatever_the_directory_is_called_its_site_has_a_valid_name(name: str) -> None:
    site = settings.default_site(Path("/srv") / f"x{name}")
    assert re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", site)
    assert len(site) <= 40
