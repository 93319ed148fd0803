"""What is said to a container beside a site, and heard of it. The containers are programs of this machine."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from stack import run, volumes
from stack.errors import Refused
from stack.volumes import Content, Facts, Place, Unsound
from tests.unit.support.world import NEVER_RAN

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from stack.run import Streams
    from stack.settings import Settings
    from tests.unit.support.programs import Programs
    from tests.unit.support.shop import Shop

PLACE = Place("shop:1", "/data/payload.db", "shop_payload-db-2", "shop_media-uploads-2")
TOLD = {
    "user_version": 3,
    "migrations": ["20260101_000000", "20260202_000000"],
    "rows": {"posts": 3},
    "foreign_key_violations": {"posts": 1},
}


def saying(script: str) -> AbstractContextManager[Streams]:
    return run.streaming(["sh", "-c", script])


# --- hearing -----------------------------------------------------------------------------------


def test_what_a_script_tells_comes_line_by_line() -> None:
    with saying("""echo '{"a": 1}'; echo '{"b": [2]}'""") as process:
        assert volumes.heard(process) == {"a": 1}
        assert volumes.heard(process) == {"b": [2]}


@pytest.mark.parametrize("kind", Unsound.WORDS)
def test_a_refusal_is_told_in_words_with_what_sqlite_says(kind: str) -> None:
    told = json.dumps({"refused": kind, "said": "malformed page 7"})
    with pytest.raises(Unsound) as refusal, saying(f"echo '{told}'") as process:
        volumes.heard(process)
    assert refusal.value.kind == kind
    assert refusal.value.why == f"{Unsound.WORDS[kind]}: malformed page 7"
    assert refusal.value.code == 11


@pytest.mark.parametrize(("kind", "said"), [("empty", ""), ("empty", "empty")])
def test_a_refusal_is_not_told_twice(kind: str, said: str) -> None:
    assert Unsound(kind, said).why == Unsound.WORDS[kind]


def test_a_refusal_that_nobody_knows_is_told_as_it_is() -> None:
    assert Unsound("odd", "very").why == "odd: very"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'Error: EACCES: permission denied' >&2; exit 1", "Error: EACCES: permission denied"),
        ("printf '{\"facts\": '; exit 137", "exit code 137"),
        ("exit 0", "exit code 0"),
    ],
    ids=["complaint", "cut-off", "silence"],
)
def test_an_end_before_its_time_is_told_with_what_was_complained(script: str, why: str) -> None:
    with pytest.raises(Refused, match="the container beside the site ended early") as refusal:  # noqa: SIM117
        with saying(script) as process:
            volumes.heard(process)
    assert refusal.value.why == why


# --- saying ------------------------------------------------------------------------------------


def test_what_is_said_arrives_at_once() -> None:
    with saying("""read x; echo "{\\"heard\\": $x}"; cat""") as process:
        volumes.say(process, b"12\n")
        assert volumes.heard(process) == {"heard": 12}


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("""echo '{"refused": "room", "said": "4096 bytes"}'""", "4096 bytes"),
        ("echo 'Error: no space left' >&2; exit 1", "Error: no space left"),
    ],
    ids=["refusal", "end"],
)
def test_a_script_that_has_ended_tells_why_instead_of_a_broken_pipe(script: str, why: str, size: int) -> None:
    with pytest.raises(Refused) as refusal, saying(script) as process:  # noqa: PT012 - the last one fails
        process.process.wait()
        volumes.say(process, b"x" * size)
    assert refusal.value.why.endswith(why)


def test_a_script_that_ends_well_before_it_has_heard_all_is_still_an_error() -> None:
    with pytest.raises(BrokenPipeError), saying("""echo '{"end": true}'""") as process:  # noqa: PT012
        process.process.wait()
        volumes.say(process, b"x")


# --- running -----------------------------------------------------------------------------------


def test_a_script_runs_beside_the_site_on_the_volumes_it_is_told(site: Settings, programs: Programs) -> None:
    programs.add("docker", 'echo "{\\"env\\": \\"$APP_IMAGE $DB_VOLUME $MEDIA_VOLUME\\"}"')
    with volumes.running(site, PLACE, "reader", "inspect", "/data/payload.db") as process:
        assert volumes.heard(process) == {"env": "shop:1 shop_payload-db-2 shop_media-uploads-2"}
    (call,) = programs.calls("docker")
    assert call[:7] == ["compose", "run", "--rm", "--no-deps", "--quiet-pull", "--no-TTY", "reader"]
    assert call[7:10] == ["node", "--input-type=module", "--eval"]
    assert call[11:] == ["/data/payload.db"]


def test_a_database_is_asked_what_it_holds(site: Settings, programs: Programs) -> None:
    programs.add("docker", says=json.dumps({"facts": TOLD}) + "\n")
    assert volumes.inspect(site, PLACE) == Facts(
        user_version=3,
        migrations=("20260101_000000", "20260202_000000"),
        rows={"posts": 3},
        foreign_key_violations={"posts": 1},
    )


def test_who_leaves_early_ends_the_container(site: Settings, programs: Programs) -> None:
    programs.add("docker", "echo '{}'; exec sleep 60")
    with pytest.raises(ValueError, match="ours"):  # noqa: PT012, SIM117 - left in the middle
        with volumes.running(site, PLACE, "reader", "inspect") as process:
            volumes.heard(process)
            raise ValueError("ours")
    assert process.process.returncode == -15


# --- containers that the engine could not start ------------------------------------------------


@pytest.mark.parametrize("service", ["reader", "filler"])
def test_a_container_in_which_nothing_ran_is_tried_once_more(
    service: str, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.never_runs(service)
    with volumes.running(shop.site, PLACE, service, "inspect", "/data/payload.db") as process:
        assert volumes.heard(process)
        process.process.kill()
    assert [call[6] for call in shop.world.programs.calls("docker")] == [service, service]
    assert capsys.readouterr().err == f"  {NEVER_RAN}: once more\n"


def test_one_that_the_engine_cannot_start_a_second_time_is_refused_in_its_words(shop: Shop) -> None:
    shop.world.never_runs("reader", times=3)
    with pytest.raises(Refused, match="the engine could not start a container beside the site") as refusal:
        volumes.inspect(shop.site, PLACE)
    assert refusal.value.why == NEVER_RAN
    assert len(shop.world.programs.calls("docker")) == 2


@pytest.mark.parametrize(
    "script",
    ["echo 'Error: no space left' >&2; exit 1", f"echo '{{}}'; echo '{NEVER_RAN}' >&2; exit 1"],
    ids=["not-made", "ran"],
)
def test_what_may_have_run_or_fails_otherwise_is_not_tried_again(
    script: str, site: Settings, programs: Programs
) -> None:
    programs.add("docker", script)
    with pytest.raises(Refused, match="ended early"):  # noqa: PT012, SIM117
        with volumes.running(site, PLACE, "reader", "inspect") as process:
            while True:
                volumes.heard(process)
    assert len(programs.calls("docker")) == 1


# --- content -----------------------------------------------------------------------------------


def test_of_a_stream_a_file_takes_its_own_bytes_and_no_more() -> None:
    stream = io.BytesIO(b"first and the next")
    content = Content(stream, 5)
    assert [content.read(3), content.read(3), content.read(3)] == [b"fir", b"st", b""]
    assert stream.read() == b" and the next"
