"""`docker compose`: its argument lists, and the environment that it may see."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from stack import compose
from tests.unit.support import compose as oracle

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (compose.build("app"), "docker compose --progress plain build app"),
        (compose.up(), "docker compose up --detach --no-build --quiet-pull"),
        (
            compose.up(wait=True),
            "docker compose up --detach --no-build --quiet-pull --wait",
        ),
        (compose.down(), "docker compose down --remove-orphans"),
        (compose.restart("app"), "docker compose restart app"),
        (compose.version(), "docker compose version --short"),
        (compose.inside("app", ["node", "-v"]), "docker compose exec --no-TTY app node -v"),
        (
            compose.logs(["app", "gate"], follow=False, since="", lines=100),
            "docker compose logs --timestamps --tail 100 app gate",
        ),
        (
            compose.logs(["app"], follow=True, since="10m", lines=5),
            "docker compose logs --timestamps --tail 5 --follow --since 10m app",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_command_is_what_an_operator_would_type(argv: list[str], command: str) -> None:
    assert argv == command.split()


def test_data_is_never_removed_with_the_containers() -> None:
    assert {"--volumes", "-v", "--rmi"}.isdisjoint(compose.down())


def test_a_value_that_looks_like_a_flag_stays_the_value_of_its_own() -> None:
    argv = compose.logs(["app"], follow=False, since="--help", lines=1)
    assert argv[argv.index("--since") + 1] == "--help"


def test_the_file_interpolates_exactly_what_is_kept_out_of_its_environment(site: Settings) -> None:
    text = (site.root / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{([A-Z_]+)", text)) == interpolated(site)


def interpolated(site: Settings) -> set[str]:
    """Ask Compose itself which variables the file takes."""
    told = oracle.config(site.root, "--variables", env={**os.environ, "COMPOSE_PROJECT_NAME": "shop"})
    return {line.split()[0] for line in told.splitlines()[1:]}


def test_no_variable_of_the_shell_changes_what_compose_does(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.root / ".env.production").touch()
    (site.root / ".env").write_text("HOST_PORT=3100\n")

    def config() -> str:
        return oracle.config(site.root, env=compose.environment(site))

    before = config()
    for name in (
        *interpolated(site),
        "COMPOSE_FILE",
        "COMPOSE_PROFILES",
        "COMPOSE_ENV_FILES",
        "COMPOSE_PATH_SEPARATOR",
    ):
        monkeypatch.setenv(name, "hostile")
    assert config() == before
    assert 'published: "3100"' in before


def test_what_docker_itself_needs_is_handed_on(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://proxy.example")
    seen = compose.environment(site)
    assert seen["DOCKER_HOST"] == "tcp://127.0.0.1:1"
    assert seen["http_proxy"] == "http://proxy.example"
    assert seen["PATH"] == os.environ["PATH"]


def test_the_name_of_the_site_and_what_a_deploy_overrides_count(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "other")
    monkeypatch.setenv("APP_IMAGE", "other:1")
    seen = compose.environment(site, {"APP_IMAGE": "shop:2"})
    assert seen["COMPOSE_PROJECT_NAME"] == "shop"
    assert seen["APP_IMAGE"] == "shop:2"


def test_the_environment_of_this_process_stays_as_it_is(site: Settings) -> None:
    before = dict(os.environ)
    compose.environment(site, {"APP_IMAGE": "shop:2"})["ADDED"] = "x"
    assert dict(os.environ) == before


def test_compose_sees_the_checkout_itself_where_the_shell_stands_in_a_link_to_it(
    site: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.root / ".env.production").touch()
    (tmp_path / "link").symlink_to(site.root)
    monkeypatch.setenv("PWD", str(tmp_path / "link"))
    model = oracle.config(site.root, env=compose.environment(site))
    assert f"source: {site.root}/gate" in model
    assert "/link/" not in model


def test_a_name_in_the_settings_that_no_file_reads_is_told(site: Settings) -> None:
    (site.root / ".env").write_text("HOSTPORT=1\nHOST_PORT=3000\nTRUSTED_PROXIES=10.0.0.1\nMINE=1\n")
    (site.root / "docker-compose.override.yml").write_text("services: {app: {labels: {x: '${MINE}'}}}\n")
    assert compose.unknown(site) == ["HOSTPORT"]
