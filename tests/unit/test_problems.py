"""What is wrong with values of `.env.production`, told without showing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stack import problems
from stack.envfile import Line

if TYPE_CHECKING:
    from stack.problems import Problem
    from stack.settings import Settings

GOOD = {
    "PAYLOAD_SECRET": "0123456789abcdef0123456789abcdef",
    "DATABASE_URI": "file:/data/payload.db",
    "DATABASE_URL": "file:/data/payload.db",
    "NEXT_PUBLIC_SERVER_URL": "https://shop.example.com",
}
URL = "NEXT_PUBLIC_SERVER_URL"


class Found(Protocol):
    def __call__(self, **changes: str | None) -> list[str]: ...


def lines(values: dict[str, str]) -> list[Line]:
    return [
        Line(number, key, value, literal=True, source="")
        for number, (key, value) in enumerate(values.items(), 1)
    ]


def all_of(values: dict[str, str], site: Settings) -> list[Problem]:
    return problems.of_values(lines(values), site)


@pytest.fixture
def found(site: Settings) -> Found:
    """Give the problems of good values with some changed, or removed where None."""

    def problems_of(**changes: str | None) -> list[str]:
        values = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
        return [f"{problem.key} {problem.message}" for problem in all_of(values, site)]

    return problems_of


def test_good_values_have_no_problem(found: Found) -> None:
    assert found() == []
    assert found(PORT="3000", SMTP_HOST="mail.example.com", NEXT_SERVER_ACTIONS_ENCRYPTION_KEY=None) == []
    assert found(NODE_ENV="production", HOSTNAME="0.0.0.0") == []  # noqa: S104
    assert found(MEDIA_DIR="/app/public/media") == []


@pytest.mark.parametrize("key", problems.REQUIRED)
def test_a_required_value_that_is_not_there_is_a_problem(key: str, found: Found) -> None:
    assert found(**{key: None}) == [f"{key} is missing"]
    assert found(**{key: ""}) == [f"{key} is empty"]
    assert found(**{key: "  "}) == [f"{key} is empty"]


@pytest.mark.parametrize(
    "value",
    ["CHANGE_ME", "changeme", "todo", "your-secret-here", "<secret>", "xxxxxx", "placeholder"],
)
@pytest.mark.parametrize("key", ["PAYLOAD_SECRET", *problems.DATABASE, URL])
def test_a_placeholder_is_one_problem(key: str, value: str, found: Found) -> None:
    assert found(**{key: value}) == [f"{key} is still the placeholder"]


@pytest.mark.parametrize("value", ["exchange-media.example", "interchange_menu", "change_method"])
def test_an_ordinary_word_is_no_placeholder(value: str, found: Found) -> None:
    assert found(NEXT_PUBLIC_NAME=value) == []


def test_in_a_variable_that_the_stack_does_not_know_it_is_only_a_warning(found: Found) -> None:
    assert found(SMTP_FROM="<noreply@shop.example>") == ["SMTP_FROM looks like a placeholder"]


@pytest.mark.parametrize(
    "url", ["https://design-your-home.example", "https://find-your-way.org", "https://placeholders.art"]
)
def test_an_address_that_contains_a_suspicious_word_is_none(url: str, found: Found) -> None:
    assert found(NEXT_PUBLIC_SERVER_URL=url) == []


@pytest.mark.parametrize(("length", "problem"), [(31, True), (32, False)])
def test_a_secret_has_32_characters_at_least(length: int, problem: bool, found: Found) -> None:
    expected = ["PAYLOAD_SECRET is shorter than 32 characters"] if problem else []
    assert found(PAYLOAD_SECRET="s" * length) == expected
    assert found(PAYLOAD_SECRET="s" * length + "   ") == expected


@pytest.mark.parametrize("key", ["", "AAAAAAAAAAAAAAAAAAAAAA==", "A" * 43 + "="])
def test_a_key_of_the_right_size_or_none_is_taken(key: str, found: Found) -> None:
    assert found(NEXT_SERVER_ACTIONS_ENCRYPTION_KEY=key) == []


@pytest.mark.parametrize("key", ["AAAA", "A" * 43, "not base64 at all!"])
def test_a_key_that_next_cannot_use_is_a_problem(key: str, found: Found) -> None:
    expected = ["NEXT_SERVER_ACTIONS_ENCRYPTION_KEY is not 16, 24 or 32 bytes in base64"]
    assert found(NEXT_SERVER_ACTIONS_ENCRYPTION_KEY=key) == expected


@pytest.mark.parametrize("address", ["file:/data/payload.db", "file:/data/sub/other-1.sqlite"])
def test_a_database_below_data_is_taken(address: str, found: Found) -> None:
    assert found(DATABASE_URI=address, DATABASE_URL=address) == []


@pytest.mark.parametrize(
    "address",
    [
        "file:./payload.db",
        "file:/tmp/payload.db",
        "file:/data",
        "file:/data/",
        "file:/data/../app/payload.db",
        "file:/data/..",
        "file:/data/a/../../x",
        "file:/data/%2e%2e/x",
        "file:/database/payload.db",
        "file:///data/payload.db",
        "/data/payload.db",
        "libsql://example.turso.io",
        "postgres://user:password@host/db",
        ":memory:",
    ],
)
def test_a_database_elsewhere_would_be_lost_with_the_container(address: str, found: Found) -> None:
    told = "is not a file below /data, where the volume is"
    assert found(DATABASE_URI=address, DATABASE_URL=address) == [
        f"DATABASE_URI {told}",
        f"DATABASE_URL {told}",
    ]


def test_two_names_of_the_database_with_two_values_are_a_problem(found: Found) -> None:
    assert found(DATABASE_URL="file:/data/other.db") == ["DATABASE_URL differs from DATABASE_URI"]


@pytest.mark.parametrize(("value", "refused"), [("true", True), ("1", True), ("yes", True), ("TRUE ", True)])
def test_a_database_is_not_dropped_at_each_start(value: str, refused: bool, found: Found) -> None:
    expected = ["PAYLOAD_DROP_DATABASE would delete the whole database at the next start"]
    assert found(PAYLOAD_DROP_DATABASE=value) == expected


@pytest.mark.parametrize("value", ["", "false", "False", "0"])
def test_a_database_that_is_explicitly_not_dropped_is_fine(value: str, found: Found) -> None:
    assert found(PAYLOAD_DROP_DATABASE=value) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("PORT", "8080", "is not 3000"),
        ("PORT", "", "is not 3000"),
        ("NODE_ENV", "development", "is not production"),
        ("HOSTNAME", "127.0.0.1", "is not 0.0.0.0: the gate could not reach the application"),
        ("RELEASE", "1.0", "is told by the image"),
        ("MEDIA_DIR", "/srv/media", "is not where the volume is"),
        ("HEALTH_PATH", "/health", "is a setting of the stack and does nothing here"),
        ("HOST_PORT", "3100", "is a setting of the stack and does nothing here"),
    ],
)
def test_what_the_stack_sets_is_not_set_otherwise(key: str, value: str, message: str, found: Found) -> None:
    assert found(**{key: value}) == [f"{key} {message}"]


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com",
        "https://shop.example.com:8443",
        "http://localhost:3000",
        "http://127.0.0.1",
        "http://192.168.1.2:3000",
        "http://[::1]:3000",
        "http://nas.local",
        "https://müller.example",
    ],
)
def test_an_address_of_a_site_is_taken(url: str, found: Found) -> None:
    assert found(NEXT_PUBLIC_SERVER_URL=url) == []


@pytest.mark.parametrize(
    "url",
    [
        "shop.example.com",
        "ftp://shop.example.com",
        "//shop.example.com",
        "https://",
        "https:///path",
        "https://shop.example.com/blog",
        "https://shop.example.com?x=1",
        "https://shop.example.com#top",
        "https://user:password@shop.example.com",
        "https://shop.example.com ",
        "https://shop example.com",
        "javascript:alert(1)",
    ],
)
def test_what_is_more_or_less_than_an_address_is_a_problem(url: str, found: Found) -> None:
    assert found(NEXT_PUBLIC_SERVER_URL=url) == [f"{URL} is not http:// or https://, a host and nothing else"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://shop.example.com/", "ends with a slash"),
        ("https://shop.example.com:http", "is not an address"),
        ("https://[::1", "is not an address"),
        ("http://shop.example.com", "is public but not https: logins could be read on the way"),
        ("http://93.184.216.34", "is public but not https: logins could be read on the way"),
    ],
)
def test_an_address_says_what_is_wrong_with_it(url: str, message: str, found: Found) -> None:
    assert found(NEXT_PUBLIC_SERVER_URL=url) == [f"{URL} {message}"]


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("PAYLOAD_SECERT", "PAYLOAD_SECRET"),
        ("payload_secret", "PAYLOAD_SECRET"),
        ("DATABASE_ULR", "DATABASE_URL"),
        ("NEXT_PUBLIC_SERVER_URI", URL),
    ],
)
def test_a_name_that_is_nearly_known_is_a_warning_that_tells_which(
    key: str, near: str, site: Settings
) -> None:
    values = {name: value for name, value in GOOD.items() if name != near}
    (warning,) = [problem for problem in all_of({**values, key: "x"}, site) if problem.key == key]
    assert (warning.level, warning.hint) == (problems.WARNING, f"did you mean {near}?")


@pytest.mark.parametrize("key", ["SMTP_PORT", "S3_SECRET", "DATABASE_AUTH_TOKEN", "NEXT_PUBLIC_ANALYTICS"])
def test_a_name_of_the_applications_own_is_no_problem(key: str, found: Found) -> None:
    assert found(**{key: "x"}) == []


def test_what_looks_like_a_name_that_is_there_too_is_no_mistake(found: Found) -> None:
    assert found(PAYLOAD_SECRET_2="x") == []


def test_only_what_harms_is_an_error(site: Settings) -> None:
    doubtful = {"PAYLOAD_SECERT": "x", "HOST_PORT": "1", URL: "http://shop.example.com"}
    values = {key: value for key, value in GOOD.items() if key != "PAYLOAD_SECRET"}
    levels = {problem.key: problem.level for problem in all_of({**values, **doubtful}, site)}
    assert levels == {**dict.fromkeys(doubtful, "warning"), "PAYLOAD_SECRET": "error"}


def test_a_problem_tells_its_line(site: Settings) -> None:
    told = {problem.key: problem.line for problem in all_of({"A": "x", "PORT": "1"}, site)}
    assert told["PORT"] == 2
    assert told["PAYLOAD_SECRET"] is None


keys = st.sampled_from([*problems.KNOWN, "SMTP_PASSWORD", "PAYLOAD_SECERT", "HOST_PORT"])
tellable = st.text("ABCxyz019~!@$%^&*", min_size=4).map(lambda text: f"~{text}~")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(keys, tellable | tellable.map(lambda text: f"{text}CHANGE_ME"), min_size=1))
def test_no_message_ever_shows_a_value_and_each_says_what_to_do(
    values: dict[str, str], site: Settings
) -> None:
    found = all_of(values, site)
    assert found
    told = "\n".join(map(str, found))
    assert not [value for value in values.values() if value in told]
    assert all(problem.hint for problem in found)
