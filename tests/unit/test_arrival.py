"""Compose as the oracle: a value that would reach the container otherwise than written is found before."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from stack import arrival, envfile, environment
from stack import problems as problems_of
from stack.problems import ERROR
from stack.settings import load
from tests.unit.support import compose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.support.programs import Programs

ROOT = Path(environment.__file__).resolve().parents[1]
NAMES = ("A", "B", "AB", "a", "A.B", "A-B", "_")


def problems(text: str) -> list[str]:
    found = arrival.problems(text.encode(), envfile.lines(text))
    return [f"{problem.line} {problem.key} {problem.message}" for problem in found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=", ""),
        ("A=''", ""),
        ("A= x ", "x"),
        ("A = x", "x"),
        ("export A=x", "x"),
        ("A=x\r\n", "x"),
        ("\ufeffA=x", "x"),
        ("A=x#y", "x#y"),
        ("A=x #y", "x"),
        ("A='x #y'", "x #y"),
        ("A='x' #y", "x"),
        ("A=it's", "it's"),
        ('A=a"b', 'a"b'),
        ('A="it\'s"', "it's"),
        ("A='a\"b'", 'a"b'),
        ("A='$B ${B} $$'", "$B ${B} $$"),
        ("A=$1", "$1"),
        ("A=a$", "a$"),
        ("A='a\\b'", "a\\b"),
        ("A=a\\b", "a\\b"),
        ('A="a\\nb"', "a\nb"),
        ("A='a\nb'", "a\nb"),
        ('A="a\nb"', "a\nb"),
        ("A=`x`", "`x`"),
        ("A=é\u2028é", "é\u2028é"),
        ("A=a=b", "a=b"),
        ("A='x'\nA='y'", "y"),
    ],
)
def test_what_arrives_as_written_is_no_problem(text: str, value: str, tmp_path: Path) -> None:
    assert problems(f"{text}\n") == []
    assert environment_of([text.encode()], tmp_path)[0]["A"] == value


@pytest.mark.parametrize(
    "value",
    ["ab$cd", "$B", "${B}", "${B:-x}", "a$$b", '"$B"', '"a${B}b"', "'a\\\\b'", '"a\\$b"'],
)
def test_a_value_that_would_be_changed_is_named_with_its_line_but_not_shown(value: str) -> None:
    found = arrival.problems(
        f"# one\nFIRST=1\nA={value}\n".encode(), envfile.lines(f"# one\nFIRST=1\nA={value}\n")
    )
    (problem,) = found
    assert (problem.level, problem.key, problem.line) == (ERROR, "A", 3)
    assert problem.message == "would not arrive as written"
    assert value not in str(problem)


def test_the_remedy_is_single_quotes_or_where_they_do_not_help_another_value() -> None:
    def hint(line: str) -> str:
        (problem,) = arrival.problems(line.encode(), envfile.lines(line))
        return problem.hint

    assert hint("A=a$b\n") == "put it in 'single quotes'"
    assert hint("A=a'$b\n") == hint("A='a\\\\b'\n") == "choose a value without quotes and doubled backslashes"


def test_a_value_that_is_like_a_variable_of_the_shell_is_found_too() -> None:
    """With nothing of that name in the shell `B` gets the text `$A`, and all looks as if it arrived."""
    assert problems("A='$A'\nB=$A\n") == ["2 B would not arrive as written"]


@pytest.mark.parametrize("name", ["DOCKER_HOST", "DOCKER_CONTEXT", "COMPOSE_FILE", "PATH", "HOME"])
def test_a_file_that_mentions_what_docker_needs_is_compared_all_the_same(name: str) -> None:
    assert problems(f"A=${name}\n") == ["1 A would not arrive as written"]


def test_a_line_that_only_compose_refuses_is_named_by_its_number() -> None:
    found = arrival.problems(b"FIRST=1\nA!=hunter2\n", [])
    assert [(problem.line, problem.message) for problem in found] == [(2, "Compose cannot read this")]
    assert "hunter2" not in str(found)


def test_a_line_that_nobody_can_read_does_not_hide_what_is_wrong_with_the_others() -> None:
    assert problems("A=a$b\n\nB C=1\nD='it''s'\nAB='x' \na=$B\n") == [
        "1 A would not arrive as written",
        "6 a would not arrive as written",
    ]


def test_a_variable_that_only_compose_sees_is_a_problem_without_its_name() -> None:
    (problem,) = arrival.problems(b"hunter2=1\n", [])
    assert problem.level == ERROR
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize("docker", ["exit 1", "exit 0", "echo '{}'", "echo nonsense"])
def test_a_compose_that_does_not_work_is_a_warning(docker: str, programs: Programs) -> None:
    programs.add("docker", docker)
    assert problems("A=$B\n") == ["None  could not be compared with what Compose reads"]


def test_no_disk_gets_a_copy_of_the_file(programs: Programs) -> None:
    told = programs.directory / "told"
    look = f"{{ cat compose.yaml; echo; ls; }} >>{told}"
    programs.add("docker", f"{look}; cat $(grep -o '/proc[^]]*[0-9]' {told}) >>{told}")
    problems("A=precious\n")
    document, listing, content = told.read_text().splitlines()
    assert re.search(r"/proc/\d+/fd/\d+", document)
    assert (listing, content) == ("compose.yaml", "A=precious")
    assert not Path(re.search(r"/proc/\d+/fd/\d+", document).group()).exists()  # type: ignore[union-attr]


def documented() -> list[tuple[str, str, str]]:
    """Return the rows of the table of traps: what is written, what arrives, what is said of it."""
    text = (ROOT / "docs" / "environment.md").read_text()
    return re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)`)? ?\| (fine|refused)", text, re.MULTILINE)


@pytest.mark.parametrize(("line", "value", "verdict"), documented())
def test_what_the_documentation_says_of_a_line_is_so(
    line: str, value: str, verdict: str, tmp_path: Path
) -> None:
    text = f"{line}\n"
    found = [*problems_of.of_lines(envfile.lines(text)), *problems(text)]
    assert bool(found) is (verdict == "refused")
    if value:
        assert list(environment_of([text.encode()], tmp_path, shell="")[0].values()) == [value]


def test_every_row_of_the_documentation_is_looked_at() -> None:
    assert len(documented()) == 14


# --- on random files ------------------------------------------------------------------------------

names = st.sampled_from(NAMES)
wild = st.text("ab'\"\\$#{}:- =`\t", max_size=8) | st.text("ab$'\"\\\n\r#=é\u2028 ", max_size=6)
tame = st.text('ab$#{} "é=:-`\\', max_size=8).map(lambda text: f"'{text}'") | st.text(
    "ab/:.@é#=$1'", max_size=8
)
before = st.sampled_from([*[""] * 6, "export ", " ", "\t", "export  ", "# ", "\n"])
equals = st.sampled_from([*["="] * 12, " = ", "= ", " =", "", ":", ": "])
after = st.sampled_from(["", "", "", " ", " # c", "#c", "\r"])
line = st.tuples(before, names, equals, wild | tame | tame, after).map("".join)
noise = st.text("AB='\"\\$#{} \r\n\x00", max_size=12)
file = st.tuples(
    st.sampled_from(["", "", "", "\ufeff"]),
    st.lists(line, min_size=1, max_size=3) | st.lists(line | noise, max_size=3),
    st.sampled_from(["\n", "\n", "\r\n"]),
).map(lambda parts: parts[0] + "".join(f"{text}{parts[2]}" for text in parts[1]))


def environment_of(
    files: Sequence[bytes], directory: Path, *, shell: str = "of the shell"
) -> list[dict[str, str]]:
    """Return what each of the files gives to a container, where the shell has ``shell`` for each name."""
    services = {}
    for number, content in enumerate(files):
        (directory / f"file{number}").write_bytes(content)
        services[f"s{number}"] = {"image": "none", "env_file": [f"file{number}"]}
    (directory / "compose.yaml").write_text(json.dumps({"name": "oracle", "services": services}))
    env = {**os.environ, **dict.fromkeys((*NAMES, "ab", "b", "ba", "aa", "bb"), shell)}
    told = json.loads(compose.config(directory, "--format", "json", env=env))["services"]
    return [
        {key: str(value).replace("$$", "$") for key, value in (told[name].get("environment") or {}).items()}
        for name in services
    ]


GOOD = """\
PAYLOAD_SECRET=0123456789abcdef0123456789abcdef
DATABASE_URI=file:/data/payload.db
DATABASE_URL=file:/data/payload.db
NEXT_PUBLIC_SERVER_URL=https://shop.example.com
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one checkout, without settings, to all examples of a property."""
    root = tmp_path_factory.mktemp("arrival")
    (root / "app").mkdir()
    (root / ".env.production").touch(mode=0o600)
    return root


@settings(
    max_examples=int(os.environ.get("ORACLE_EXAMPLES", "12")),
    phases=[Phase.generate],  # an example takes a second: what fails is shown as it is
)
@given(files=st.lists(file, min_size=12, max_size=12))
def test_of_every_file_an_error_is_told_or_all_its_values_arrive_as_they_are_read(
    files: list[str], root: Path
) -> None:
    """A hundred and some files here; thousands with ORACLE_EXAMPLES=500."""
    site, accepted = load(root), []
    for text in files:
        content = (text + GOOD).encode()
        site.env_production.write_bytes(content)
        found = environment.inspected(site)
        event("refused" if found.errors else "accepted")
        if not found.errors:
            accepted.append((content, found.values))
    arrived = environment_of([content for content, _ in accepted], root)
    assert arrived == [values for _, values in accepted]
