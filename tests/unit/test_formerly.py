"""The files of a release that served once: told to Compose, put in place, and taken away again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import envfile, formerly, kept
from stack.journal import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from stack.kept import Note
    from tests.unit.support.shop import Shop

BACK = Entry("20261124T051558Z-0a1b2c3d", "rollback", "2026-11-24T05:15:58Z", 4711)
OVERRIDE = "docker-compose.override.yml"


def present(shop: Shop) -> dict[str, str]:
    files = (shop.world.root / name for name in kept.FILES)
    return {file.name: file.read_text() for file in files if file.exists()}


@pytest.fixture
def note(shop: Shop) -> Note:
    """Give what is kept of a release after which everything was changed."""
    root = shop.world.root
    shop.site.state.mkdir(exist_ok=True)
    envfile.write(root / ".env", {"APP_IMAGE": "shop:1", "APP_MEMORY": "512m", "HOST_PORT": "3111"})
    envfile.write(root / ".env.production", {"MAIL": "then", "GONE": "since"})
    kept.saved(shop.site, replace(BACK, id="1"))
    (root / OVERRIDE).write_text("services: {}\n")
    (root / "docker-compose.yml").write_text("services: { app: { image: now } }\n")
    envfile.write(root / ".env", {"APP_MEMORY": "1g", "HOST_PORT": "3222", "HEALTH_PATH": "/healthy"})
    production = envfile.read(root / ".env.production")
    (root / ".env.production").write_text(
        envfile.with_values("", {**{k: v for k, v in production.items() if k != "GONE"}, "MAIL": "now"})
    )
    (found,) = kept.notes(shop.site)
    return found


def back(shop: Shop, note: Note) -> dict[str, str]:
    return formerly.put_in_place(shop.site, BACK, note.id)


def test_what_differs_is_named_without_a_value(shop: Shop, note: Note) -> None:
    assert formerly.differing(shop.site, note) == [
        "docker-compose.yml", OVERRIDE, "HEALTH_PATH", "APP_MEMORY", "GONE", "MAIL",
    ]  # fmt: skip


def test_compose_is_told_of_files_beside_the_present_ones_which_go_with_the_operation(
    shop: Shop, note: Note
) -> None:
    with shop.operating() as operation:
        told = formerly.variables(operation, note)
        copy = shop.world.root / told["COMPOSE_FILE"]
        assert copy.read_text() == (note.place / "docker-compose.yml").read_text()
        assert operation.entry.files == (str(copy),)
    assert not copy.exists()
    assert told == {
        "HEALTH_PATH": "/api/health",
        "APP_MEMORY": "512m",
        "APP_ENV_FILE": ".stack/releases/1/.env.production",
        "COMPOSE_FILE": copy.name,
    }


def test_where_compose_files_are_the_same_the_present_ones_are_used(shop: Shop) -> None:
    shop.site.state.mkdir(exist_ok=True)
    kept.saved(shop.site, replace(BACK, id="1"))
    with shop.operating() as operation:
        told = formerly.variables(operation, kept.notes(shop.site)[0])
    assert told == {"APP_ENV_FILE": ".stack/releases/1/.env.production"}


def test_files_come_into_place_and_what_they_were_is_kept(shop: Shop, note: Note) -> None:
    before = present(shop)
    assert back(shop, note) == {"HEALTH_PATH": "/api/health", "APP_MEMORY": "512m"}
    now = present(shop)
    assert OVERRIDE not in now
    for name in ("docker-compose.yml", ".env.production"):
        assert now[name] == (note.place / name).read_text()
    assert now[".env"] == before[".env"]  # which is renamed once, with the image
    aside = formerly.set_aside(shop.site, BACK.id)
    assert {file.name: file.read_text() for file in aside.iterdir()} == before
    assert {file.stat().st_mode & 0o777 for file in aside.iterdir()} == {0o600}
    assert (shop.world.root / ".env.production").stat().st_mode & 0o777 == 0o600


def cut_off_after(renames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next files be written, and then none."""
    left = [renames]
    write = formerly._write

    def writing(file: Path, text: str | None) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        write(file, text)

    monkeypatch.setattr(formerly, "_write", writing)


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_cut_off_anywhere_and_done_again_it_is_the_same(
    renames: int, shop: Shop, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = present(shop)
    with monkeypatch.context() as patch:
        cut_off_after(renames, patch)
        with pytest.raises(KeyboardInterrupt):
            back(shop, note)
    assert back(shop, note) == {"HEALTH_PATH": "/api/health", "APP_MEMORY": "512m"}
    assert present(shop)[".env.production"] == (note.place / ".env.production").read_text()
    aside = formerly.set_aside(shop.site, BACK.id)
    assert {file.name: file.read_text() for file in aside.iterdir()} == before


def test_put_back_everything_is_as_it_was(shop: Shop, note: Note) -> None:
    before = present(shop)
    envfile.write(shop.site.dotenv, {"APP_IMAGE": "shop:1", **back(shop, note)})
    formerly.put_back(shop.site, BACK)
    formerly.put_back(shop.site, BACK)
    assert present(shop) == before


def test_where_nothing_differed_nothing_is_put_back(shop: Shop) -> None:
    shop.site.state.mkdir(exist_ok=True)
    kept.saved(shop.site, replace(BACK, id="1"))
    before = present(shop)
    assert formerly.put_in_place(shop.site, BACK, "1") == {}
    formerly.put_back(shop.site, BACK)
    assert present(shop) == before
    assert not formerly.set_aside(shop.site, BACK.id).exists()


def test_of_what_was_replaced_the_last_three_stay(shop: Shop, note: Note) -> None:
    for number in range(5):
        (shop.world.root / OVERRIDE).write_text(f"services: {{}} # {number}\n")
        formerly.put_in_place(shop.site, replace(BACK, id=f"back-{number}"), note.id)
    kept_still = sorted(place.name for place in formerly.set_aside(shop.site, "").iterdir())
    assert kept_still == ["back-2", "back-3", "back-4"]


def test_the_names_of_all_secrets_are_known_of_which_only_values_are_kept_out_of_sight(
    shop: Shop, note: Note
) -> None:
    assert {"GONE", "MAIL"} <= kept.variables(shop.site)
