"""Names of releases."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import releases

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")  # what Docker takes
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(  # noqa: DTZ001 - made aware here
    lambda moment: moment.replace(microsecond=0, tzinfo=timezone.utc)
)
revisions = st.sampled_from(["nogit", "0123456789ab", "fedcba987654-dirty"])


def test_a_release_says_when_it_was_built_and_from_what() -> None:
    built = datetime(2026, 11, 22, 18, 15, 0, 999, tzinfo=timezone.utc)
    assert releases.name(built, "0123456789ab-dirty") == "20261122T181500Z-0123456789ab-dirty"


@given(built=moments, revision=revisions)
def test_a_name_tells_it_again(built: datetime, revision: str) -> None:
    name = releases.name(built, revision)
    assert (releases.built(name), releases.revision(name)) == (built, revision)


def test_a_name_that_is_none_of_ours_tells_nothing() -> None:
    assert (releases.built("latest"), releases.revision("latest-1")) == (None, "")


@given(first=moments, later=st.timedeltas(timedelta(seconds=1), timedelta(days=900)), revision=revisions)
def test_names_sort_by_time(first: datetime, later: timedelta, revision: str) -> None:
    if first.year < 9000:
        assert releases.name(first, "ffffffffffff") < releases.name(first + later, revision)


@given(built=moments, revision=revisions)
def test_a_name_is_a_tag_that_docker_takes(built: datetime, revision: str) -> None:
    name = releases.name(built, revision)
    assert TAG.fullmatch(name)
    assert releases.of_image(releases.image("shop", name)) == name


def test_what_migrates_for_a_release_is_none() -> None:
    image = releases.migrator("shop:20261122T181500Z-0123456789ab-dirty")
    assert releases.built(releases.of_image(image)) is None
    assert releases.built("20261122T181500Z-migrator") is not None


def test_an_image_that_somebody_else_named_keeps_its_name() -> None:
    assert releases.of_image("nginx") == "nginx"


@pytest.mark.parametrize("image", ["localhost:5000/shop", "shop@sha256:0123"])
def test_an_image_of_a_registry_keeps_its_whole_name(image: str) -> None:
    assert releases.of_image(image) == image
