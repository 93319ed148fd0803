"""Images of old releases and volumes of old restores go; what could be needed, or is not ours, stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stack import envfile, journal, kept, pruning
from stack.errors import Refused
from stack.journal import Entry
from tests.unit.support import engine
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from tests.unit.support.shop import Shop

ENTRY = Entry("", "deploy", "2026-11-23T05:15:58Z", 4711)
RELEASES = [f"shop:202611{day}T051558Z-0123456789ab" for day in range(11, 18)]


@pytest.fixture
def seven(shop: Shop) -> Shop:
    """Give a site with seven releases, the sixth of them live, and with images of other people's."""
    docker = shop.world.docker
    tags = [
        *reversed(RELEASES),
        "shop:mine",
        "museum:20261101T051558Z-0123456789ab",
        f"example.com/{RELEASES[0]}",
    ]
    docker.answers["GET /images/json"] = [{"Id": "sha256:1"}]
    docker.answers["GET /images/sha256:1/json"] = {"Id": "sha256:1", "RepoTags": tags}
    for name in tags:
        docker.has_image(name)
        docker.answers[f"DELETE /images/{name}"] = []
    (shop.world.here / "live").write_text(RELEASES[5])
    envfile.write(shop.world.root / ".env", {"APP_IMAGE": RELEASES[5]})
    shop.site.state.mkdir(exist_ok=True)
    return shop


def came(shop: Shop, *images: str) -> None:
    """Let these have come to stay, in this order; the last one is live."""
    for number, image in enumerate(images):
        envfile.write(shop.world.root / ".env", {"APP_IMAGE": image})
        kept.saved(shop.site, replace(ENTRY, id=str(number)))


def removed(shop: Shop) -> list[str]:
    pruning.old_releases(shop.client, shop.site)
    asked = shop.world.docker.asked
    return [line.removeprefix("DELETE /images/") for line in asked if line.startswith("DELETE")]


def test_the_newest_three_stay_whether_they_worked_or_not(seven: Shop) -> None:
    assert removed(seven) == RELEASES[:4]


def test_those_that_came_to_stay_last_are_kept_however_old(seven: Shop) -> None:
    came(seven, RELEASES[0], RELEASES[1], RELEASES[2], RELEASES[5])
    kept.pruned(seven.site)
    assert removed(seven) == [RELEASES[0], RELEASES[3]]


def test_what_dotenv_names_and_what_runs_is_kept(seven: Shop) -> None:
    envfile.write(seven.world.root / ".env", {"APP_IMAGE": RELEASES[2]})
    (seven.world.here / "live").write_text(RELEASES[1])
    assert removed(seven) == [RELEASES[0], RELEASES[3]]


def test_what_a_container_still_needs_stays_and_that_is_told(
    seven: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    in_use = Reply(409, '{"message": "image is being used by stopped container"}')
    seven.world.docker.answers[f"DELETE /images/{RELEASES[1]}"] = in_use
    removed(seven)
    assert "  3 of 4, " in capsys.readouterr().err


def test_an_engine_in_trouble_is_no_image_in_use(seven: Shop) -> None:
    seven.world.docker.answers[f"DELETE /images/{RELEASES[1]}"] = Reply(500, '{"message": "read-only"}')
    with pytest.raises(Refused, match="refused a request"):
        removed(seven)


def test_what_migrated_for_a_release_goes_with_it(seven: Shop) -> None:
    docker = seven.world.docker
    tags = [*RELEASES, *(f"{name}-migrator" for name in (RELEASES[0], RELEASES[5])), "shop:draft-migrator"]
    docker.answers["GET /images/sha256:1/json"] = {"Id": "sha256:1", "RepoTags": tags}
    for name in tags:
        docker.has_image(name)
        docker.answers[f"DELETE /images/{name}"] = []
    assert sorted(removed(seven)) == sorted([*RELEASES[:4], f"{RELEASES[0]}-migrator", "shop:draft-migrator"])


def test_with_nothing_to_remove_nothing_is_said(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert removed(shop) == []
    assert capsys.readouterr().err == ""


# --- the volumes that restores leave -----------------------------------------------------------

OPERATIONS = [f"202611{day}T051558Z-0123abcd" for day in range(11, 18)]
KINDS = ("payload-db", "media-uploads")


def pair(operation: str, site: str = "shop") -> list[str]:
    return [f"{site}_{kind}-{operation}" for kind in KINDS]


ALL = [name for operation in OPERATIONS for name in pair(operation)]


def volume(name: str, project: str = "shop") -> dict[str, Any]:
    return {"Name": name, "Labels": {"com.docker.compose.project": project}}


@pytest.fixture
def restored(shop: Shop) -> Shop:
    """Give a site after seven restores: it is on what the sixth made, and came there from the second."""
    docker = shop.world.docker
    others = [
        volume("shop_payload-db"),
        volume("shop_media-uploads"),
        volume("shop_payload-db-mine"),
        volume(f"shop_payload-db-{OPERATIONS[0]}-copy"),
        volume(f"old-shop_payload-db-{OPERATIONS[0]}"),
        volume(f"shop_payload-db-{OPERATIONS[0].upper()}"),
        # of a site that is called `shop_payload-db-20261110T051558Z-0123abcd`, or labelled so by hand
        volume(f"shop_payload-db-20261110T051558Z-0123abcd_payload-db-{OPERATIONS[0]}", "another"),
        volume("shop_payload-db-20261110T051558Z-0123abcd", "another"),
        {"Name": "shop_payload-db-20261109T051558Z-0123abcd", "Labels": None},
    ]
    made = [volume(name) for name in reversed(ALL)]
    docker.answers |= {"GET /volumes": {"Volumes": [*made, *others]}, "GET /containers/json": []}
    docker.answers["GET /info"] = {"DockerRootDir": str(shop.world.root)}
    for each in [*made, *others]:
        docker.answers[f"GET /volumes/{each['Name']}"] = each
        docker.answers[f"DELETE /volumes/{each['Name']}"] = Reply(204)
    db, media = pair(OPERATIONS[5])
    envfile.write(shop.world.root / ".env", {"DB_VOLUME": db, "MEDIA_VOLUME": media})
    shop.site.state.mkdir(exist_ok=True)
    journal.remember(shop.site, moved(OPERATIONS[0], OPERATIONS[5]))
    journal.remember(shop.site, moved(OPERATIONS[1], OPERATIONS[5]))
    journal.remember(shop.site, {"operation": "backup"})
    return shop


def moved(before: str, after: str) -> dict[str, str]:
    facts = ("from_db", "from_media", "to_db", "to_media")
    return dict(zip(facts, [*pair(before), *pair(after)], strict=True))


def gone(shop: Shop, **options: Any) -> list[str]:
    pruning.old_volumes(shop.client, shop.site, **options)
    asked = shop.world.docker.asked
    return sorted(line.removeprefix("DELETE /volumes/") for line in asked if line.startswith("DELETE"))


def test_volumes_of_old_restores_go_but_the_newest_three_and_what_is_needed(restored: Shop) -> None:
    # on the sixth, way back to the second; beside these the newest are the fourth, fifth and seventh
    assert gone(restored) == sorted([*pair(OPERATIONS[0]), *pair(OPERATIONS[2])])


def test_a_pair_of_which_one_half_is_needed_loses_the_other_when_it_is_old(restored: Shop) -> None:
    (db, _), (_, media) = pair(OPERATIONS[0]), pair(OPERATIONS[2])
    assert gone(restored, keeping=(db, media)) == sorted(
        {*pair(OPERATIONS[0]), *pair(OPERATIONS[2])} - {db, media}
    )


def test_volumes_that_a_container_has_stay(restored: Shop) -> None:
    restored.world.docker.has_containers(
        engine.container()
    )  # which has them all, as far as this engine tells
    assert gone(restored) == []


def test_a_volume_that_is_taken_meanwhile_stays_and_that_is_told(
    restored: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = Reply(409, '{"message": "volume is in use"}')
    restored.world.docker.answers[f"DELETE /volumes/{pair(OPERATIONS[0])[0]}"] = taken
    gone(restored)
    assert "Remove old volumes" in (told := capsys.readouterr().err)
    assert "  3 of 4, " in told
