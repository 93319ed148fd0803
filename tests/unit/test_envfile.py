"""Files of `KEY=value` lines: nothing is lost, and Compose reads what was meant."""

from __future__ import annotations

import itertools
import json
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack import atomic, envfile
from stack.errors import Invalid
from tests.unit.support import compose

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
values = printable | st.text("ab'\"\\$#{} =\n\r`!\u2028\x85", max_size=8)


def is_writable(value: str) -> bool:
    try:
        envfile.quoted(value)
    except Invalid:
        return False
    return True


writable = values.filter(is_writable)


def read_back(text: str, directory: Path) -> dict[str, str]:
    (directory / "file").write_bytes(text.encode())
    return envfile.read(directory / "file")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one directory to all examples of a property."""
    return tmp_path_factory.mktemp("envfile")


# --- reading --------------------------------------------------------------------------------------


def test_a_file_that_does_not_exist_has_no_values(tmp_path: Path) -> None:
    assert envfile.read(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("K=v", "v"),
        ("K=v\n", "v"),
        ("export K=v\n", "v"),
        ("K=v\r\n", "v"),
        ("\ufeffK=v\n", "v"),
        ("K=\n", ""),
        ("K\n", ""),
        ("K=a#b\n", "a#b"),
        ("K=a #b\n", "a"),
        ("K='a #b'\n", "a #b"),
        ('K="a\\nb"\n', "a\nb"),
        ("K='a\nb'\n", "a\nb"),
        ("K='$HOME ${X}'\n", "$HOME ${X}"),
        ("K=first\nK=last\n", "last"),
        ("# K=comment\n", None),
    ],
)
def test_a_line_is_read_as_compose_reads_it(text: str, value: str | None, tmp_path: Path) -> None:
    assert read_back(text, tmp_path).get("K") == value


def test_variables_of_the_shell_do_not_get_into_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAK", "leaked")
    assert read_back('A=$LEAK\nB=${LEAK}\nC="$LEAK"\n', tmp_path) == {
        "A": "$LEAK",
        "B": "${LEAK}",
        "C": "$LEAK",
    }


@pytest.mark.parametrize(
    "line", ["A='hunter2", 'A="hunter2', "A B=hunter2", "A='it''s hunter2'"], ids=["'", '"', "space", "twice"]
)
def test_a_line_that_compose_stops_at_is_refused_by_its_number(line: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refusal:
        read_back(f"FIRST=1\n\n{line}\nLAST=2\n", tmp_path)
    assert "line 3" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


# --- quoting --------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(value=writable)
def test_a_quoted_value_is_read_back_as_it_was(value: str, directory: Path) -> None:
    line = f"K={envfile.quoted(value)}\nNEXT=1\n"
    assert read_back(line, directory) == {"K": value, "NEXT": "1"}


@pytest.mark.parametrize(
    "value", ["one\ntwo", "a\rb", "it's $1", 'it\'s "q"', "it's `x`", "it's a\\b", "a\\\\b", "a\\"]
)
def test_a_value_that_cannot_be_quoted_is_not_written_at_all(value: str) -> None:
    assert not is_writable(value)


def test_a_value_that_programs_read_differently_is_refused_without_showing_it() -> None:
    with pytest.raises(Invalid) as refusal:
        envfile.quoted("it's a $secret")
    assert refusal.value.code == 10
    assert "secret" not in str(refusal.value)


def test_a_plain_value_is_written_without_quotes() -> None:
    for value in (
        "https://shop.example.com/a?b",
        "file:/data/payload.db",
        "4hK+/x==",
        "shop:20261122T181500Z-0a",
    ):
        assert envfile.quoted(value) in (value, f"'{value}'")
    assert envfile.quoted("file:/data/payload.db") == "file:/data/payload.db"


def as_compose_reads(values: Iterable[str], directory: Path) -> list[str]:
    """Ask `docker compose config`, which needs no engine, what each value becomes in an env file."""
    lines = [f"K{n}={envfile.quoted(value)}\n" for n, value in enumerate(values)]
    (directory / "values").write_bytes("".join(lines).encode())
    (directory / "docker-compose.yml").write_text(
        "name: oracle\nservices: {app: {image: x, env_file: [values]}}\n"
    )
    told = json.loads(compose.config(directory, "--format", "json"))["services"]["app"]["environment"]
    return [told[f"K{n}"].replace("$$", "$") for n in range(len(lines))]  # `config` shows $ as $$


def every_text(letters: str, *, longest: int) -> list[str]:
    lengths = range(longest + 1)
    return ["".join(text) for n in lengths for text in itertools.product(letters, repeat=n)]


def test_compose_reads_every_quoted_value_as_it_was(tmp_path: Path) -> None:
    texts = filter(is_writable, every_text("a\"$#{ =`'\\", longest=3))
    corpus = [*texts, "$HOME", "${HOME}", "$$", "é", "\u2028", "\x85", "a\tb", "it's", "a\\nb"]
    assert as_compose_reads(corpus, tmp_path) == corpus


# --- writing --------------------------------------------------------------------------------------

BEFORE = """\
# the site
COMPOSE_PROJECT_NAME=shop

export HOST_PORT = 3000 # published
#APP_IMAGE=commented
NODE_IMAGE=old
  NODE_IMAGE=older but last
"""


def test_a_value_is_set_in_its_old_place_and_the_rest_stays() -> None:
    after = envfile.with_values(BEFORE, {"HOST_PORT": "3001"})
    assert after == BEFORE.replace("export HOST_PORT = 3000 # published", "HOST_PORT=3001")


def test_a_new_value_goes_to_the_end_and_a_commented_one_stays_a_comment() -> None:
    assert envfile.with_values(BEFORE, {"APP_IMAGE": "shop:1"}) == f"{BEFORE}APP_IMAGE=shop:1\n"


def test_of_a_key_that_occurs_twice_the_last_one_is_set_because_it_counts(tmp_path: Path) -> None:
    after = envfile.with_values(BEFORE, {"NODE_IMAGE": "new"})
    assert after == BEFORE.replace("  NODE_IMAGE=older but last", "NODE_IMAGE=new")
    assert read_back(after, tmp_path)["NODE_IMAGE"] == "new"


def test_a_key_is_not_mistaken_for_one_that_contains_it() -> None:
    assert envfile.with_values("MY_PORT=1\nPORT_OLD=2\n", {"PORT": "3"}) == "MY_PORT=1\nPORT_OLD=2\nPORT=3\n"


def test_a_last_line_without_an_end_does_not_swallow_the_next() -> None:
    assert envfile.with_values("A=1", {"B": "2"}) == "A=1\nB=2\n"


def test_the_line_ends_of_other_lines_stay(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"A=1\r\n# two\r\nB=2\r\n")
    envfile.write(tmp_path / "file", {"B": "3"})
    assert (tmp_path / "file").read_bytes() == b"A=1\r\n# two\r\nB=3\n"
    assert envfile.read(tmp_path / "file") == {"A": "1", "B": "3"}


some = st.dictionaries(st.sampled_from(["A", "AB", "A_B", "B", "PORT", "MY_PORT"]), writable)


@given(old=some, new=some)
def test_what_was_set_is_read_back_and_what_was_not_stays(
    old: dict[str, str], new: dict[str, str], directory: Path
) -> None:
    text = "".join(f"# about {key}\n{key}={envfile.quoted(value)}\n" for key, value in old.items())
    after = envfile.with_values(text, new)
    assert read_back(after, directory) == {**old, **new}
    assert [line for line in after.split("\n") if line.startswith("#")] == [f"# about {key}" for key in old]


def test_a_value_of_several_lines_is_replaced_as_a_whole(tmp_path: Path) -> None:
    after = envfile.with_values('KEY="one\ntwo"\nB=2\n', {"KEY": "new"})
    assert read_back(after, tmp_path) == {"KEY": "new", "B": "2"}


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\x0c"])
def test_a_character_that_only_python_takes_for_a_line_end_is_left_alone(character: str) -> None:
    text = f"# one{character}two\nA=1\n"
    assert envfile.with_values(text, {"A": "2"}) == f"# one{character}two\nA=2\n"


def test_a_file_is_made_with_what_is_set(tmp_path: Path) -> None:
    envfile.write(tmp_path / ".env", {"A": "1", "B": "two words"})
    assert (tmp_path / ".env").read_text() == "A=1\nB='two words'\n"


def test_a_file_that_its_owner_closed_stays_closed(tmp_path: Path) -> None:
    atomic.replace(tmp_path / ".env", "A=1\n", mode=0o600)
    envfile.write(tmp_path / ".env", {"A": "2"})
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
