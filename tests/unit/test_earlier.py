"""Which release can be gone back to, and which migrations it did not have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stack import earlier, envfile, kept
from stack.errors import Refused
from stack.journal import Entry

if TYPE_CHECKING:
    from stack.earlier import Release
    from tests.unit.support.shop import Shop

FIRST, SECOND, THIRD = (f"2026112{day}T051558Z-aa" for day in (1, 2, 3))
ENTRY = Entry("", "deploy", "2026-11-23T05:15:58Z", 4711)


def came(shop: Shop, release: str, **facts: str) -> None:
    """Let a release take the place of the live one, as an update does."""
    shop.site.state.mkdir(exist_ok=True)
    before, image = shop.site.app_image, f"shop:{release}"
    swapped = {"from_image": before, "to_image": image, "trial": "1", **facts}
    envfile.write(shop.world.root / ".env", {"APP_IMAGE": image})
    number = str(len(kept.notes(shop.site)))
    kept.saved(shop.site, replace(ENTRY, id=number, facts=swapped if facts else {}))
    shop.world.docker.has_image(image)


@pytest.fixture
def three(shop: Shop) -> Shop:
    """Give a site whose second release brought a migration, and whose third one another."""
    came(shop, FIRST)
    came(shop, SECOND, had="initial", migrations="more")
    came(shop, THIRD, had="initial, more", migrations="most")
    return shop


def chosen(shop: Shop, wanted: str = "") -> Release:
    return earlier.chosen(shop.client, shop.site, wanted)


def live(shop: Shop, release: str) -> None:
    """Let a release be live that was gone back to."""
    envfile.write(shop.world.root / ".env", {"APP_IMAGE": f"shop:{release}"})


def test_by_default_it_is_the_one_whose_place_the_live_one_took(three: Shop) -> None:
    assert chosen(three).name == SECOND
    live(three, SECOND)
    assert chosen(three).name == FIRST


def test_a_release_that_was_gone_back_from_is_not_the_one_before(three: Shop) -> None:
    live(three, SECOND)
    came(three, "20261124T051558Z-aa", had="initial, more, most", migrations="")
    assert chosen(three).name == SECOND


def test_new_settings_of_the_live_release_are_no_release_before_it(three: Shop) -> None:
    came(three, THIRD, had="initial, more, most", migrations="")
    assert chosen(three).name == SECOND


def test_the_first_one_has_none_before_it(shop: Shop) -> None:
    came(shop, FIRST)
    with pytest.raises(Refused, match="no release is known that served before") as refusal:
        chosen(shop)
    assert refusal.value.fix == "there is none: check out an earlier commit, then `./deploy.sh`"


@pytest.mark.parametrize(("wanted", "what"), [(THIRD, "is live"), ("20200101T000000Z-aa", "is not here")])
def test_what_cannot_be_is_refused_with_what_can(wanted: str, what: str, three: Shop) -> None:
    with pytest.raises(Refused, match=what) as refusal:
        chosen(three, wanted)
    assert refusal.value.fix.endswith(f"with one of these: {SECOND}, {FIRST}")


def test_a_release_without_its_image_is_none_to_choose(three: Shop) -> None:
    three.world.docker.answers.pop(f"GET /images/shop:{SECOND}/json")
    with pytest.raises(Refused, match=f"release {SECOND} is not here") as refusal:
        chosen(three)
    assert refusal.value.fix.endswith(f"with one of these: {FIRST}")


def test_what_ran_since_a_release_served_is_told(three: Shop) -> None:
    now = ("initial", "more", "most")
    assert chosen(three, FIRST).newer(now) == ["more", "most"]
    assert chosen(three, SECOND).newer(now) == ["most"]
    live(three, SECOND)
    assert chosen(three, THIRD).newer(now) == []
    assert chosen(three, THIRD).newer((*now, "by hand")) == ["by hand"]


def test_a_release_that_has_served_on_newer_data_can_do_so_again(three: Shop) -> None:
    live(three, FIRST)
    came(three, "20261124T051558Z-aa", had="initial, more, most", migrations="")
    assert chosen(three).name == FIRST
    assert chosen(three).newer(("initial", "more", "most")) == []


def test_where_it_is_not_known_what_a_release_had_that_is_told(shop: Shop) -> None:
    came(shop, FIRST)
    came(shop, SECOND, migrations="more")  # as an earlier version noted it
    assert chosen(shop).newer(("initial", "more")) is None


def test_the_live_release_and_the_one_before_it_are_kept_whenever_they_came(three: Shop) -> None:
    live(three, FIRST)
    fourth = "20261124T051558Z-aa"
    came(three, fourth, had="initial, more, most", migrations="")
    kept.pruned(three.site)
    assert [note.image for note in kept.notes(three.site)] == [
        f"shop:{release}" for release in (FIRST, SECOND, THIRD, fourth)
    ]
    live(three, SECOND)
    assert kept.identities(three.site) == ["0", "1", "2", "3"]
