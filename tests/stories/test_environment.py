"""The environment file on its way into a container: what was checked is what arrives."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from stack import envfile, problems

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.support.site import Site

AS_THE_BUILD_READS = """
const { readFileSync } = require('node:fs')
console.log(JSON.stringify(require('node:util').parseEnv(readFileSync(0, 'utf8'))))
"""

# Every kind of line that the check accepts.
LINES = (
    "=",
    "=''",
    "= spaces  ",
    "=plain # comment",
    "=a#b",
    "='a #b'",
    "=it's",
    '=say "hi"',
    '="it\'s"',
    "='\"$HOME ${PATH} $$ `id` \\n'",
    "=$1 costs 5$",
    "=a\\nb",
    '="a\\nb"',
    "='one\ntwo'",
    '="one\ntwo"',
    "=`ticks`",
    "=pässwörd €",
    "=a=b==",
    "=carriage return\r",
    "='!&|;<>(){}[]*?~%'",
)
TYPED = ("it's", "a$b ${c} $(d)", 'say "hi" #1', "back\\slash", "  spaces  ", "")  # as given to env.set


@pytest.fixture(scope="module")
def site(sibling: Callable[..., Site]) -> Site:
    """Give a running site whose file has a value of every kind, written by hand or by `env.set`."""
    site = sibling("env")
    with (site.root / ".env.production").open("a", newline="") as file:
        file.writelines(f"export KIND_{number}{line}\n" for number, line in enumerate(LINES))
    for number, value in enumerate(TYPED):
        done = put(site, f"TYPED_{number}", value)
        assert done.returncode == 0, done.stderr
    site.deploy()
    return site


@pytest.fixture
def whole(site: Site) -> Iterator[str]:
    """Give the text of the file, and put it back."""
    file = site.root / ".env.production"
    text = file.read_bytes()
    yield text.decode()
    file.write_bytes(text)


def put(site: Site, key: str, value: str) -> subprocess.CompletedProcess[str]:
    return site.inv("env.set", key, stdin=f"{value}\n")


def test_each_value_is_in_the_container_as_it_is_in_the_file(site: Site) -> None:
    values = envfile.read(site.root / ".env.production")
    assert [values[f"TYPED_{number}"] for number in range(len(TYPED))] == list(TYPED)
    assert len([key for key in values if key.startswith("KIND_")]) == len(LINES)
    inside = site.digests()
    expected = {key: hashlib.sha256(value.encode()).hexdigest() for key, value in values.items()}
    assert {key: inside.get(key) for key in expected} == expected


def test_a_public_value_that_passes_the_check_is_the_same_for_the_build(site: Site) -> None:
    text = "".join(f"NEXT_PUBLIC_{number}{line}\n" for number, line in enumerate(LINES))
    done = site.run(
        "docker", "compose", "exec", "--no-TTY", "app", "node", "-e", AS_THE_BUILD_READS, stdin=text
    )
    built_in = json.loads(done.stdout)
    lines = envfile.lines(text)
    suspect = {problem.key for problem in problems.of_lines(lines)}
    fine = {line.key: line.value for line in lines if line.key not in suspect}
    assert len(fine) > len(LINES) / 2
    assert {key: built_in[key] for key in fine if key} == fine


def test_a_value_that_compose_would_cut_ends_a_deploy_before_anything_is_touched(
    site: Site, whole: str
) -> None:
    before = site.container("app")
    number = len(whole.splitlines()) + 1
    with (site.root / ".env.production").open("a") as file:
        file.write("SMTP_PASSWORD=hunter2$abc\n")
    for done in (site.run("./deploy.sh"), site.inv("env.check")):
        assert done.returncode == 10
        told = f"line {number}: SMTP_PASSWORD: would not arrive as written (put it in 'single quotes')"
        assert told in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
    assert site.container("app") == before
    assert site.is_healthy()


def test_a_public_value_that_the_live_image_does_not_have_needs_a_rebuild(site: Site, whole: str) -> None:
    assert "rebuild" not in site.inv("env.check").stderr
    assert put(site, "NEXT_PUBLIC_SERVER_URL", "https://shop.example.com").returncode == 0
    done = site.inv("env.check")
    assert done.returncode == 0, done.stderr
    assert "rebuild needed" in done.stderr


def test_a_changed_value_is_taken_to_the_site_without_a_build_by_the_way_of_a_new_release(
    site: Site, whole: str
) -> None:
    release, before, gate = site.status()["release"], site.container("app"), site.container("gate")
    assert put(site, "GREETING", "hello").returncode == 0
    done = site.run("./deploy.sh")
    assert (done.returncode, done.stdout) == (0, f"{release}\n"), done.stderr
    assert "nothing: no build" in done.stderr
    for step in ("Trial", "Visitors wait, requests end", "Start the new release"):
        assert re.search(rf"^  {step} .* \d+\.\d s", done.stderr, re.MULTILINE), done.stderr
    assert site.digests()["GREETING"] == hashlib.sha256(b"hello").hexdigest()
    assert (site.container("app") == before, site.container("gate") == gate) == (False, True)
    again = site.run("./deploy.sh")
    assert "it would be the same" in again.stderr


def test_a_value_with_which_the_release_does_not_start_is_refused_before_any_visitor_meets_it(
    site: Site, whole: str
) -> None:
    assert put(site, "NODE_OPTIONS", "--no-such-option").returncode == 0
    before = site.state()
    done = site.run("./deploy.sh")
    assert done.returncode == 11, done.stderr
    assert "the trial failed: the release does not work on this data" in done.stderr
    assert "is not allowed in NODE_OPTIONS" in done.stderr
    assert site.state() == before


def test_a_value_that_would_not_do_is_not_set(site: Site, whole: str) -> None:
    done = put(site, "PAYLOAD_SECRET", "hunter2")
    assert done.returncode == 10
    assert "is shorter than 32 characters" in done.stderr
    assert "hunter2" not in done.stderr
    assert (site.root / ".env.production").read_bytes().decode() == whole
