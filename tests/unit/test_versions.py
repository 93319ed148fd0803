"""How versions compare, as programs and packages write them."""

from __future__ import annotations

import pytest

from stack.versions import COMPOSE_MINIMUM, ENGINE_MINIMUM, at_least


@pytest.mark.parametrize(
    "version",
    ["25.0", "25.0.0", "25.0.5", "25.1", "26.1.5+dfsg1-9+b9", "28.5.2+dfsg4", "100.0", "v25.0", " 28.2.2\n"],
)
def test_an_engine_that_is_new_enough(version: str) -> None:
    assert at_least(version, ENGINE_MINIMUM)


@pytest.mark.parametrize(
    "version", ["24.0.9", "20.10.24+dfsg1-1+deb12u1", "9.9", "1.13.1", "", "(none)", "unknown", "dev"]
)
def test_an_engine_that_is_too_old_or_not_known(version: str) -> None:
    assert not at_least(version, ENGINE_MINIMUM)


@pytest.mark.parametrize("version", ["2.40.3-3", "2.24.0", "2.24", "v2.30.1", "5.0"])
def test_a_compose_that_is_new_enough(version: str) -> None:
    assert at_least(version, COMPOSE_MINIMUM)


@pytest.mark.parametrize("version", ["2.23.3", "2.9", "1.29.2-3"])
def test_a_compose_that_is_too_old(version: str) -> None:
    assert not at_least(version, COMPOSE_MINIMUM)


def test_a_version_without_a_point_is_that_of_the_first_release() -> None:
    assert at_least("25", "25.0")
