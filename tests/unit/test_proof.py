"""What sets us beside others is fair, and draws what it saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.support import markdown, official, picture, rivals, updates, variants, ways
from tests.support.load import Request
from tests.support.writers import Writing
from tests.unit.support import compose

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


SETTINGS = "COMPOSE_PROJECT_NAME=shop\nPROXY_NETWORK=proxy\n"
FILES = {
    "ours": (ROOT / "docker-compose.yml").read_text(),
    "compose": rivals.compose_file("shop", "compose"),
    "drain": rivals.compose_file("shop", "drain"),
    "official": official.COMPOSE % {"name": "shop", "port": 3000},
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Give the application's service of each Compose file, as Compose understands it."""
    return {name: _service(tmp_path_factory.mktemp(name), text) for name, text in FILES.items()}


def _service(place: Path, text: str) -> dict[str, Any]:
    (place / "app").mkdir()
    (place / "docker-compose.yml").write_text(text)
    (place / ".env").write_text(SETTINGS)
    (place / ".env.production").touch()
    app: dict[str, Any] = json.loads(compose.config(place, "--format", "json"))["services"]["app"]
    return app


def chosen(service: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: service[key] for key in keys}


@pytest.mark.parametrize("way", ["compose", "drain"])
def test_the_others_have_our_limits_and_hardening(way: str, services: dict[str, dict[str, Any]]) -> None:
    hardened = ("restart", "init", "read_only", "cap_drop", "security_opt", "tmpfs")
    same = (*hardened, "logging", "deploy", "volumes")
    assert chosen(services[way], *same) == chosen(services["ours"], *same)


def test_what_is_built_as_documented_has_our_limits(services: dict[str, dict[str, Any]]) -> None:
    mine, theirs = (services[name]["deploy"]["resources"]["limits"] for name in ("ours", "official"))
    assert theirs == mine


@pytest.mark.parametrize("way", ["compose", "official"])
def test_the_others_are_asked_for_their_health_as_we_are(
    way: str, services: dict[str, dict[str, Any]]
) -> None:
    times = ("interval", "timeout", "retries", "start_period", "start_interval")
    mine, theirs = (services[name]["healthcheck"] for name in ("ours", way))
    assert chosen(theirs, *times) == chosen(mine, *times)
    asked = mine["test"][3].replace("'+process.env.HEALTH_PATH)", "/api/health')")
    assert asked in theirs["test"][-1]


def test_goals_are_judged_by_their_own_side() -> None:
    assert markdown.verdict(1.9, 2.0).endswith("at most 2.00 x: met")
    assert markdown.verdict(2.1, 2.0).endswith("missed")
    assert markdown.verdict(0.9, 0.85, at_least=True).endswith("at least 0.85 x: met")
    assert markdown.verdict(0.8, 0.85, at_least=True).endswith("missed")


def course(*requests: Request, crowded: tuple[tuple[float, float], ...] = ()) -> updates.Course:
    writing = Writing(1, (), crowded, frozenset({"app"}), 100, 0.05, 1, (), 1)
    update = updates.Update(variants.GOOD, 0, began=100.0, ended=110.0, release="b", told="")
    return updates.Course("a", (update,), requests, writing, {}, frozenset())


LAST = 115.0  # until when visitors come


def request(due: float, *, status: int = 200, door: str = "nginx") -> Request:
    return Request("GET", door, "/", "", due, late=0.0, seconds=0.1, status=status, release="a")


@pytest.fixture
def courses() -> dict[str, updates.Course]:
    failed = request(103, status=502), request(104, status=502, door="caddy")
    broken = course(request(101), *failed, request(LAST), crowded=((102.0, 104.5),))
    return {ways.OURS: course(request(101), request(102, door="caddy"), request(LAST)), "rollout": broken}


def drawn(courses: dict[str, updates.Course]) -> list[str]:
    """Return the kinds of rectangles that are drawn."""
    root = ET.fromstring(picture.drawn(courses))  # noqa: S314 - we made it
    return [each.attrib["class"] for each in root.iter(f"{SVG}rect")]


def test_the_picture_shows_what_was_answered_what_failed_and_who_wrote(
    courses: dict[str, updates.Course],
) -> None:
    legend, ways_drawn = 1, len(courses)
    kinds = drawn(courses)
    assert kinds.count("answered") == 3 + legend
    assert kinds.count("failed") == 2 + legend
    assert kinds.count("both") == 1 + legend
    assert kinds.count("command") == ways_drawn + legend


def test_the_picture_ends_where_the_first_of_them_is_not_known_any_more(
    courses: dict[str, updates.Course],
) -> None:
    shorter = course(request(101), request(104))
    assert drawn({**courses, "compose": shorter}).count("failed") == 1 + 1  # that of 104 is beyond


def test_the_picture_says_in_words_what_it_shows(courses: dict[str, updates.Course]) -> None:
    root = ET.fromstring(picture.drawn(courses))  # noqa: S314 - we made it
    assert root.attrib["role"] == "img"
    assert [bool(root.findtext(f"{SVG}{name}")) for name in ("title", "desc")] == [True, True]
    said = [each.text for each in root.iter(f"{SVG}text")]
    assert {"./deploy.sh", "start new, stop old", "none failed", "2 failed"} <= set(said)


def test_the_tables_count_what_failed_by_proxy_and_how_long_two_wrote(
    courses: dict[str, updates.Course],
) -> None:
    assert "| start new, stop old | 1 | 4 | 2 | 0.1 s | 0 | 0 | 2.5 s | 10 s |" in ways.table(courses)
    assert "| start new, stop old | 1 (502) | 1 (502) |" in ways.by_door(courses)
    assert "| `./deploy.sh` | 0 | 0 |" in ways.by_door(courses)
