"""A restore of a small site, wished for in every way."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from stack import journal
from stack.errors import Failure
from stack.operations.restore import Wish, restore
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from tests.unit.support.shop import Shop

NAME = "shop-20261123T000000Z-00000000.tar.zst"
YES = Wish(yes=True)
UNDO = Wish(undo=True, yes=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def put_back(shop: Shop, wish: Wish = YES) -> None:
    """Restore; then the volumes that `.env` names are there."""
    restore(shop.world.root, wish)
    for volume in (shop.site.db_volume, shop.site.media_volume):
        shop.world.docker.answers[f"GET /volumes/{volume}"] = {"Name": volume}


def now(shop: Shop) -> tuple[str, str]:
    return shop.site.db_volume, shop.site.media_volume


def removed(shop: Shop) -> list[str]:
    return [line for line in shop.world.docker.asked if line.startswith("DELETE /volumes")]


def refused(shop: Shop, wish: Wish) -> Failure:
    """Restore in vain: the site is not touched."""
    before = shop.site.dotenv.read_bytes()
    with pytest.raises(Failure) as failure:
        restore(shop.world.root, wish)
    assert shop.site.dotenv.read_bytes() == before
    assert shop.world.live == OLD
    assert not {"stop", "create", "up", "down"} & set(shop.world.ran())
    assert journal.read(shop.site) is None
    return failure.value
