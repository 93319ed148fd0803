"""`.env.production`: made with secrets of its own, checked without showing one."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import envfile, environment
from stack.errors import Invalid, Refused

if TYPE_CHECKING:
    from stack.settings import Settings

GOOD = {
    "PAYLOAD_SECRET": "0123456789abcdef0123456789abcdef",
    "DATABASE_URI": "file:/data/payload.db",
    "DATABASE_URL": "file:/data/payload.db",
    "NEXT_PUBLIC_SERVER_URL": "https://shop.example.com",
}


def found(**changes: str | None) -> list[str]:
    """Return the problems of good values with some changed, or removed where None."""
    values = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return [f"{problem.key} {problem.message}" for problem in environment.problems(values)]


# --- create ------------------------------------------------------------------------------------


def test_a_new_file_passes_its_own_check(site: Settings) -> None:
    environment.create(site, server_url="https://shop.example.com")
    values = environment.checked(site)
    assert values["NEXT_PUBLIC_SERVER_URL"] == "https://shop.example.com"
    assert values["DATABASE_URI"] == values["DATABASE_URL"] == "file:/data/payload.db"


def test_only_its_owner_may_read_a_new_file(site: Settings) -> None:
    environment.create(site)
    assert stat.S_IMODE(site.env_production.stat().st_mode) == 0o600


def test_a_new_file_has_strong_secrets_that_no_other_has(site: Settings) -> None:
    made = []
    for _ in range(2):
        environment.create(site)
        made.append(envfile.read(site.env_production))
        site.env_production.unlink()
    for key in ("PAYLOAD_SECRET", "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"):
        assert made[0][key] != made[1][key]
    assert len(bytes.fromhex(made[0]["PAYLOAD_SECRET"])) == 32
    assert len(base64.b64decode(made[0]["NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"], validate=True)) == 32


def test_nothing_in_a_new_file_is_left_to_change_and_every_comment_is_kept(site: Settings) -> None:
    environment.create(site)
    text, template = site.env_production.read_text(), (site.root / environment.TEMPLATE).read_text()
    assert "CHANGE_ME" not in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in template.splitlines() if line.startswith("#")
    ]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("https://shop.example.com/", "https://shop.example.com"),
        ("https://shop.example.com", "https://shop.example.com"),
        ("https://shop.example.com/?$x=y&z", "https://shop.example.com/?$x=y&z"),
        ("", "http://localhost:3000"),
    ],
)
def test_the_address_is_written_without_a_slash_at_its_end(given: str, written: str, site: Settings) -> None:
    environment.create(site, server_url=given)
    assert envfile.read(site.env_production)["NEXT_PUBLIC_SERVER_URL"] == written


def test_an_existing_file_is_never_replaced(site: Settings) -> None:
    site.env_production.write_text("PAYLOAD_SECRET=precious\n")
    with pytest.raises(Refused, match="exists") as refusal:
        environment.create(site)
    assert refusal.value.code == 11
    assert site.env_production.read_text() == "PAYLOAD_SECRET=precious\n"


# --- checked -----------------------------------------------------------------------------------


def test_the_example_as_it_is_shipped_is_refused(site: Settings) -> None:
    values = envfile.read(site.root / environment.TEMPLATE)
    told = [str(problem) for problem in environment.problems(values)]
    assert [line.partition(":")[0] for line in told] == [
        "PAYLOAD_SECRET",
        "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY",
    ]
    assert all("is still the placeholder" in line for line in told)


def test_a_missing_file_is_invalid_and_no_new_secrets_are_made(site: Settings) -> None:
    with pytest.raises(Invalid, match="is missing") as refusal:
        environment.checked(site)
    assert refusal.value.code == 10
    assert "PAYLOAD_SECRET" in refusal.value.why
    assert not site.env_production.exists()


def test_all_problems_are_named_at_once(site: Settings) -> None:
    site.env_production.write_text("PAYLOAD_SECRET=short\nDATABASE_URI=\nPORT=8080\n")
    with pytest.raises(Invalid, match=r"5 problem\(s\)") as refusal:
        environment.checked(site)
    for key in ("PAYLOAD_SECRET", "DATABASE_URI", "DATABASE_URL", "NEXT_PUBLIC_SERVER_URL", "PORT"):
        assert f"{key}: " in refusal.value.why


def test_good_values_have_no_problem() -> None:
    assert found() == []
    assert found(PORT="3000", SMTP_HOST="mail.example.com", NEXT_SERVER_ACTIONS_ENCRYPTION_KEY=None) == []


@pytest.mark.parametrize("key", environment.REQUIRED)
def test_a_required_value_that_is_not_there_is_a_problem(key: str) -> None:
    assert found(**{key: None}) == [f"{key} is missing"]
    assert found(**{key: ""}) == [f"{key} is empty"]
    assert found(**{key: "  "})[0] == f"{key} is empty"


@pytest.mark.parametrize(
    "value",
    ["CHANGE_ME", "changeme", "todo", "your-secret-here", "<secret>", "xxxxxx", "placeholder"],
)
@pytest.mark.parametrize("key", ["PAYLOAD_SECRET", "SMTP_PASSWORD"])
def test_a_placeholder_is_a_problem(key: str, value: str) -> None:
    assert found(**{key: value}) == [f"{key} is still the placeholder"]


@pytest.mark.parametrize(
    "url", ["https://design-your-home.example", "https://find-your-way.org", "https://placeholders.art"]
)
def test_an_address_that_contains_a_suspicious_word_is_none(url: str) -> None:
    assert found(NEXT_PUBLIC_SERVER_URL=url) == []


@pytest.mark.parametrize(("length", "problem"), [(31, True), (32, False)])
def test_a_secret_has_32_characters_at_least(length: int, problem: bool) -> None:
    expected = ["PAYLOAD_SECRET is shorter than 32 characters"] if problem else []
    assert found(PAYLOAD_SECRET="s" * length) == expected
    assert found(PAYLOAD_SECRET="s" * length + "   ") == expected


def test_two_names_of_the_database_with_two_values_are_a_problem() -> None:
    assert found(DATABASE_URL="file:/data/other.db") == ["DATABASE_URL differs from DATABASE_URI"]


@pytest.mark.parametrize("port", ["8080", ""])
def test_another_port_inside_the_container_is_a_problem(port: str) -> None:
    assert found(PORT=port) == ["PORT is not 3000"]


keys = st.sampled_from([*environment.REQUIRED, "PORT", "SMTP_PASSWORD", "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"])
tellable = st.text("ABCxyz019~!@$%^&*", min_size=4).map(lambda text: f"~{text}~")


@given(values=st.dictionaries(keys, tellable | tellable.map(lambda text: f"{text}CHANGE_ME")))
def test_no_message_ever_shows_a_value(values: dict[str, str]) -> None:
    told = "\n".join(str(problem) for problem in environment.problems(values))
    assert not [value for value in values.values() if value in told]


@given(values=st.dictionaries(keys, tellable, min_size=1))
def test_every_problem_says_what_to_do(values: dict[str, str]) -> None:
    assert all(problem.hint for problem in environment.problems(values))
