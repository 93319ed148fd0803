"""What a backup says about itself: nothing that is wrong is believed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import manifest
from stack.errors import Rejected
from stack.manifest import DATABASE, Manifest
from tests.unit.support import archives

SUM = "0" * 64
TOLD = archives.told_of(archives.FILES)


def raw(**changes: Any) -> bytes:
    """Return a valid manifest with some keys changed; those that are ``...`` are left out."""
    told = {**json.loads(TOLD.dump()), **changes}
    return json.dumps({key: value for key, value in told.items() if value is not ...}).encode()


def named(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "size": 1, "sha256": SUM} for name in (DATABASE, *names)]


def refusal(told: bytes) -> Rejected:
    with pytest.raises(Rejected) as refused:
        manifest.parse(told)
    assert refused.value.code == 23
    return refused.value


def test_what_is_dumped_is_parsed_again() -> None:
    told = archives.told_of(
        archives.FILES,
        missing_media=("gone.jpg",),
        skipped=("not \udcff UTF-8", "a\x1bb", "back\\slash"),
        foreign_key_violations={"posts": 2},
        user_version=-7,
    )
    assert manifest.parse(told.dump()) == told


def test_it_is_readable_text_that_begins_with_its_format() -> None:
    text = archives.told_of({**archives.FILES, "media/ä.jpg": b""}).dump().decode()
    assert text.startswith('{\n "format": 1,\n "site": "shop",\n')
    assert text.endswith("}\n")
    assert '"media/ä.jpg"' in text


def test_the_total_is_what_all_members_take() -> None:
    assert TOLD.total == sum(map(len, archives.FILES.values()))


def test_keys_that_nobody_knows_yet_are_passed_over() -> None:
    assert manifest.parse(raw(encrypted={"by": "nobody"})) == TOLD


def test_a_newer_format_is_told_from_damage() -> None:
    refused = refusal(raw(format=2, members="in another file"))
    assert refused.what == "the archive was made by a newer version of this tool"
    assert "its format is 2" in refused.why


@pytest.mark.parametrize("changes", [{"format": 2}, {"site": 1}])
def test_the_archive_is_named_by_who_reads_it(changes: dict[str, object]) -> None:
    with pytest.raises(Rejected, match=r"shop\.tar\.zst (was made by|has no valid)"):
        manifest.parse(raw(**changes), of="shop.tar.zst")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": 0}, "format is not a number from 1"),
        ({"format": True}, "format is not"),
        ({"format": 1.0}, "format is not"),
        ({"format": ...}, "format is not"),
        ({"site": ""}, "site is not a line of text"),
        ({"site": 1}, "site is not"),
        ({"release": "a\nb"}, "release is not"),
        ({"image": ...}, "image is not"),
        ({"image": "\ud800"}, "surrogates not allowed"),
        ({"created": "2026-11-23 05:15:58"}, "does not match format"),
        ({"created": "2026-02-30T05:15:58Z"}, "day is out of range|day of month"),
        ({"created": "2026-11-23T5:15:58Z"}, "created is not a time"),
        ({"created": "\uff12026-11-23T05:15:58Z"}, "created is not a time"),
        ({"journal_mode": "memory"}, "journal_mode is neither wal nor delete"),
        ({"user_version": 2**31}, "user_version is not a number"),
        ({"user_version": -(2**31) - 1}, "user_version is not"),
        ({"user_version": True}, "user_version is not"),
        ({"migrations": "initial"}, "migrations is not a list"),
        ({"migrations": [1]}, "migrations has something that is not text"),
        ({"rows": {}}, "rows names no table payload_migrations"),
        ({"rows": {"posts": 1}}, "rows names no table payload_migrations"),
        ({"rows": {"payload_migrations": -1}}, "rows of 'payload_migrations' is not"),
        ({"rows": {"payload_migrations": 1.5}}, "rows of 'payload_migrations' is not"),
        ({"rows": []}, "rows is not an object"),
        ({"media": 1}, "media is neither true nor false"),
        ({"media": False}, "members besides the database"),
        ({"members": None}, "members is not a list"),
        ({"members": []}, "the first member is not database/payload.db"),
        ({"members": [[]]}, "a member is not an object"),
        ({"members": [{"size": 1, "sha256": SUM}]}, "a member has no name"),
        (
            {"members": [{"name": DATABASE, "size": -1, "sha256": SUM}]},
            "size of 'database/payload.db' is not",
        ),
        ({"members": [{"name": DATABASE, "size": 2**63, "sha256": SUM}]}, "size of"),
        ({"members": [{"name": DATABASE, "size": "1", "sha256": SUM}]}, "size of"),
        ({"members": [{"name": DATABASE, "size": 1, "sha256": "A" * 64}]}, "64 lower-case"),
        ({"members": [{"name": DATABASE, "size": 1, "sha256": SUM + "\n"}]}, "64 lower-case"),
        ({"members": [{"name": DATABASE, "size": 1}]}, "64 lower-case"),
        ({"members": named("media/a")[1:]}, "the first member is not"),
        ({"members": named(DATABASE)}, "no restore takes a member called 'database/payload.db'"),
        ({"members": named("manifest.json")}, "no restore takes"),
        ({"members": named("database/payload.db-wal")}, "no restore takes"),
        ({"members": named("media/")}, "no restore takes"),
        ({"members": named("media/../x")}, "no restore takes"),
        ({"members": named("media/a", "media/b", "media/a")}, "two members are called 'media/a'"),
        ({"members": named("media/a", "media/a.b", "media/a/b")}, "'media/a' is a file, and the directory"),
        ({"members": named("media/a/b/c", "media/a/b!", "media/a/b")}, "'media/a/b' is a file"),
        ({"missing_media": ...}, "missing_media is not a list"),
        ({"skipped": [None]}, "skipped has something that is not text"),
        ({"foreign_key_violations": None}, "foreign_key_violations is not an object"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused_and_named(changes: dict[str, object], why: str) -> None:
    refused = refusal(raw(**changes))
    assert refused.what == "the archive has no valid manifest"
    assert re.search(why, refused.why)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf" + TOLD.dump(),
        TOLD.dump() + b"{}",
        TOLD.dump()[:-3],
        b'{"format": NaN}',
        b'{"format": ' + b"9" * 100_000 + b"}",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"format": 1, "format": 2}',
        b'{"format": 1e999}',
    ],
    ids=lambda text: text[:12].decode("latin1"),
)
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    assert refusal(text).what == "the archive has no valid manifest"


def test_names_that_differ_in_case_only_are_two_files() -> None:
    assert len(manifest.parse(raw(members=named("media/A", "media/a"))).members) == 3


def test_a_backup_of_the_database_only_is_one_file() -> None:
    told = archives.told_of({DATABASE: b"x"}, media=False)
    assert manifest.parse(told.dump()) == told


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "ä/ö.jpg", " ", "a b", "..a", "a..", "...", "~", "-rf", "*", "a:b", "x" * 255, "é" * 127],
)
def test_a_name_that_a_file_system_takes_is_acceptable(name: str) -> None:
    assert manifest.acceptable(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            ".",
            "..",
            "./a",
            "a/.",
            "../a",
            "a/../b",
            "a/..",
            "a\\b",
            "\\",
        ),
        *("a\nb", "a\0", "\x1b[2J", "\x7f", "\x85", "a\ud800", "x" * 256, "é" * 128, "/".join("x" * 2049)),
    ],
)
def test_a_name_that_could_lead_elsewhere_is_not_acceptable(name: str) -> None:
    assert not manifest.acceptable(name)


def test_the_longest_path_is_acceptable_and_one_byte_more_is_not() -> None:
    longest = "/".join(["x" * 255] * 16)
    assert len(longest) == 4095
    assert manifest.acceptable("/".join("x" * 2048) + "x")
    assert manifest.acceptable(longest)
    assert not manifest.acceptable(longest + "/a")


def test_a_name_is_shown_so_that_no_terminal_obeys_it() -> None:
    assert manifest.shown("a\x1b[2J\u202e\udcff") == r"'a\x1b[2J\u202e\udcff'"
    assert len(manifest.shown("x" * 10_000)) < 250


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(key=st.sampled_from(sorted(json.loads(TOLD.dump()))), value=json_values)
def test_whatever_stands_there_it_is_read_or_refused(key: str, value: object) -> None:
    try:
        told: Manifest | Rejected = manifest.parse(raw(**{key: value}))
    except Rejected as refused:
        told = refused
    assert not isinstance(told, Manifest) or manifest.parse(told.dump()) == told


@given(data=st.data())
def test_a_damaged_manifest_is_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(TOLD.dump())
    for place in data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=4)):
        text[place] = data.draw(st.integers(0, 255))
    try:
        manifest.parse(bytes(text))
    except Rejected as refused:
        assert refused.why  # noqa: PT017 - most are refused, and some changes are harmless
