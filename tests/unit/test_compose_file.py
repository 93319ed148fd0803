"""`docker-compose.yml` as Compose itself understands it, and the Dockerfile as it is shipped."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from stack import settings
from tests.unit.support import compose

ROOT = Path(__file__).resolve().parents[2]
FILE = (ROOT / "docker-compose.yml").read_text()
MIB = 1 << 20


def ask_compose(directory: Path, *arguments: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not re.match("COMPOSE_|APP_|HOST_PORT", key)}
    return compose.config(directory, *arguments, env=clean)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a checkout called `shop` as a deploy leaves it, for Compose to read."""
    root = tmp_path_factory.mktemp("compose") / "shop"
    (root / "app").mkdir(parents=True)
    shutil.copy(ROOT / "docker-compose.yml", root)
    (root / ".env").write_text("COMPOSE_PROJECT_NAME=shop\n")
    (root / ".env.production").write_text("PAYLOAD_SECRET='a$b c'\nPORT=8080\nNODE_ENV=development\n")
    return root


@pytest.fixture(scope="module")
def model(shop: Path) -> dict[str, Any]:
    """Give what Compose makes of the file."""
    told: dict[str, Any] = json.loads(ask_compose(shop, "--format", "json"))
    return told


@pytest.fixture(params=["app", "gate"])
def service(request: pytest.FixtureRequest, model: dict[str, Any]) -> dict[str, Any]:
    """Give each service in turn."""
    found: dict[str, Any] = model["services"][request.param]
    return found


def test_there_are_the_application_and_its_gate(model: dict[str, Any]) -> None:
    assert set(model["services"]) == {"app", "gate"}
    assert "version" not in model


def test_each_service_is_hardened(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert not {"privileged", "devices", "network_mode", "pid", "ipc", "userns_mode"} & set(service)


def test_the_only_capability_given_back_is_the_one_that_the_file_of_caddy_asks_for(
    model: dict[str, Any],
) -> None:
    assert "cap_add" not in model["services"]["app"]
    assert model["services"]["gate"]["cap_add"] == ["NET_BIND_SERVICE"]


def test_no_service_can_reach_the_engine_or_the_files_of_the_host(service: dict[str, Any]) -> None:
    binds = [volume for volume in service["volumes"] if volume["type"] == "bind"]
    assert all(bind["read_only"] for bind in binds)
    assert all(bind["source"].endswith("/shop/gate") for bind in binds)


def test_neither_runs_as_root(model: dict[str, Any]) -> None:
    assert model["services"]["gate"]["user"] == "1000:1000"
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(users) == {"1000:1000"}


def test_each_service_comes_back_after_the_engine_was_killed(service: dict[str, Any]) -> None:
    assert service["restart"] == "always"


def test_each_service_has_limits_and_reservations(service: dict[str, Any]) -> None:
    resources = service["deploy"]["resources"]
    assert int(resources["limits"]["memory"]) >= 128 * MIB
    assert float(resources["limits"]["cpus"]) > 0
    assert int(resources["limits"]["pids"]) >= 64  # with fewer than 11 Node hangs without a word
    assert 0 < int(resources["reservations"]["memory"]) <= int(resources["limits"]["memory"])


def test_logs_cannot_fill_the_disk(service: dict[str, Any]) -> None:
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "10"}}


def test_each_service_is_checked_every_30_seconds_and_each_second_while_it_starts(
    service: dict[str, Any],
) -> None:
    check = service["healthcheck"]
    assert (check["interval"], check["start_interval"]) == ("30s", "1s")
    assert "127.0.0.1" in " ".join(check["test"])
    assert "localhost" not in " ".join(check["test"])  # may mean ::1, where nobody listens
    assert check["test"][0] == "CMD"


def test_the_health_check_asks_the_configured_route_and_the_one_of_the_gate_the_gate_alone(
    model: dict[str, Any],
) -> None:
    assert "process.env.HEALTH_PATH" in model["services"]["app"]["healthcheck"]["test"][-1]
    assert model["services"]["app"]["environment"]["HEALTH_PATH"] == "/api/health"
    assert model["services"]["gate"]["healthcheck"]["test"][-1] == "http://127.0.0.1:3001/alive"


def test_a_stop_leaves_time_to_finish(model: dict[str, Any]) -> None:
    grace = {name: service["stop_grace_period"] for name, service in model["services"].items()}
    assert grace == {"app": "30s", "gate": "25s"}
    drained = re.search(r"grace_period (\d+)s", (ROOT / "gate" / "Caddyfile").read_text())
    assert drained
    assert int(drained.group(1)) < 25


def test_the_gate_is_published_on_this_machine_only_and_the_application_not_at_all(
    model: dict[str, Any],
) -> None:
    assert "ports" not in model["services"]["app"]
    (port,) = model["services"]["gate"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "3000", 3000)


def test_the_gate_trusts_no_name_server_but_the_engine(model: dict[str, Any]) -> None:
    assert model["services"]["gate"]["dns"] == ["127.0.0.1"]


def test_the_application_has_a_name_on_the_private_network_that_can_mean_nothing_else(
    model: dict[str, Any],
) -> None:
    app, gate = model["services"]["app"], model["services"]["gate"]
    assert app["networks"]["site"]["aliases"] == ["app.shop.invalid"]
    assert gate["environment"]["SITE"] == "shop"
    assert "reverse_proxy app.{$SITE}.invalid.:3000" in (ROOT / "gate" / "Caddyfile").read_text()


def test_reverse_proxies_find_both_on_the_network_that_they_share(model: dict[str, Any]) -> None:
    assert model["networks"]["proxy"] == {"name": "proxy", "ipam": {}, "external": True}
    assert model["services"]["gate"]["networks"]["proxy"]["aliases"] == ["shop"]
    assert "proxy" in model["services"]["app"]["networks"]
    assert model["services"]["app"]["hostname"] == "app"


def test_data_lies_in_volumes_that_are_named_after_the_site(model: dict[str, Any]) -> None:
    mounted = {volume["target"]: volume["source"] for volume in model["services"]["app"]["volumes"]}
    assert mounted == {"/data": "payload-db", "/app/public/media": "media-uploads"}
    assert {name: volume["name"] for name, volume in model["volumes"].items()} == {
        "payload-db": "shop_payload-db",
        "media-uploads": "shop_media-uploads",
    }


def test_the_env_file_reaches_the_application_but_cannot_change_how_it_is_run(model: dict[str, Any]) -> None:
    seen = model["services"]["app"]["environment"]
    assert seen["PAYLOAD_SECRET"].replace("$$", "$") == "a$b c"
    assert (seen["PORT"], seen["NODE_ENV"]) == ("3000", "production")
    assert "PAYLOAD_SECRET" not in model["services"]["gate"]["environment"]


def test_no_secret_is_an_argument_of_the_build(model: dict[str, Any]) -> None:
    build = model["services"]["app"]["build"]
    assert build["secrets"] == [{"source": "env_production"}]
    assert not [name for name in build["args"] if re.search("SECRET|PASSWORD|KEY|TOKEN", name)]
    declared = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert set(build["args"]) == declared


def variables(directory: Path) -> dict[str, str]:
    """Return what the file interpolates, with its defaults."""
    rows = [line.split() for line in ask_compose(directory, "--variables").splitlines()[1:]]
    return {row[0]: row[2] if len(row) > 2 else "" for row in rows}


def test_compose_alone_takes_the_same_defaults_as_the_tasks(shop: Path) -> None:
    site = "${COMPOSE_PROJECT_NAME}"
    expected = {
        **settings.DEFAULTS,
        "APP_IMAGE": f"{site}:unreleased",
        "DB_VOLUME": f"{site}_payload-db",
        "MEDIA_VOLUME": f"{site}_media-uploads",
    }
    told = variables(shop)
    assert {key: told[key] for key in expected if key in told} == {
        key: value for key, value in expected.items() if key in told
    }
    of_the_tasks = {"IMAGE_SOURCE", "START_LIMIT", "TRIAL_SECONDS", "WATCH_SECONDS", "HOLD_BUDGET", "MIGRATE"}
    assert set(expected) - set(told) == of_the_tasks


def test_the_dockerfile_takes_the_same_defaults(shop: Path) -> None:
    told = dict(re.findall(r"^ARG (\w+)=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert told["NODE_IMAGE"] == settings.NODE_OFFICIAL
    assert told["MEDIA_DIR"] == settings.DEFAULTS["MEDIA_DIR"]


def documented() -> set[str]:
    """Return the variables that have a row in the table of settings."""
    text = (ROOT / "docs" / "environment.md").read_text()
    return set(re.findall(r"^\| `([A-Z_]+)`", text, re.MULTILINE))


def test_every_variable_of_the_compose_file_is_documented(shop: Path) -> None:
    assert set(variables(shop)) - documented() == set()


def test_every_setting_of_the_tasks_is_documented() -> None:
    assert set(settings.DEFAULTS) - documented() == set()


def test_every_variable_of_the_example_is_documented_and_explained_in_place() -> None:
    example = (ROOT / ".env.production.example").read_text()
    names = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    assert names - documented() == set()
    for block in re.findall(r"(?:^#.*\n)+(?:^[A-Z_]+=.*\n)+", example, re.MULTILINE):
        assert re.search(r"^# .*(Required|Optional|Default)", block, re.MULTILINE), block
