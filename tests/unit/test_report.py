"""The reasons that are shown when something failed."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, Any

import pytest

from stack import envfile, kept, report
from stack.engine.containers import _seen
from stack.errors import Undone
from stack.health import Answer
from stack.journal import Entry
from stack.run import Result
from tests.unit.support import engine
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from stack.settings import Settings
    from tests.unit.support.shop import Shop

FILE_IS_MISSING = """\
#8 [3/4] COPY package.json package-lock.json ./
#8 ERROR: failed to calculate checksum of ref fd896c9c-bca6::jmqw49qts: "/package.json": not found
------
 > [3/4] COPY package.json package-lock.json ./:
------
Dockerfile:3

--------------------

   2 |     WORKDIR /app

   3 | >>> COPY package.json package-lock.json ./

--------------------

failed to solve: failed to compute cache key: failed to calculate checksum of ref fd896c9c-bca6::jmqw49qts: \
"/package.json": not found

"""
INSTRUCTION_IS_UNKNOWN = """\
#2 [internal] load build definition from Dockerfile
#2 DONE 0.0s
Dockerfile:2

--------------------

   2 | >>> RUNN x

--------------------

failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)
"""
REGISTRY_IS_AWAY = """\
#3 [internal] load metadata for registry.invalid/none:1
#3 ERROR: failed to do request: Head "https://registry.invalid/v2/none/manifests/1": dial tcp: no such host
------
 > [internal] load metadata for registry.invalid/none:1:
------
failed to solve: registry.invalid/none:1: failed to resolve source metadata for registry.invalid/none:1: \
failed to do request: Head "https://registry.invalid/v2/none/manifests/1": dial tcp: no such host
"""
COMPILER_OBJECTS = """\
#14 [builder 6/7] RUN node_modules/.bin/payload migrate && npm run build
#14 9.103    Linting and checking validity of types ...
#14 12.37 Failed to compile.
#14 12.37
#14 12.37 ./src/app/(site)/page.tsx:3:7
#14 12.37 Type error: Type 'string' is not assignable to type 'number'.
#14 12.37
#14 12.37 > 3 | const x: number = 'x'
#14 12.41 Next.js build worker exited with code: 1 and signal: null
#14 ERROR: process "/bin/sh -c node_modules/.bin/payload migrate && npm run build" did not complete \
successfully: exit code: 1
------
 > [builder 6/7] RUN node_modules/.bin/payload migrate && npm run build:
12.37 ./src/app/(site)/page.tsx:3:7
12.37 Type error: Type 'string' is not assignable to type 'number'.
12.41 Next.js build worker exited with code: 1 and signal: null
------
failed to solve: process "/bin/sh -c node_modules/.bin/payload migrate && npm run build" did not complete \
successfully: exit code: 1
"""
MODULE_DOES_NOT_LOAD = """\
#6 [runner 4/5] RUN node -e "require('libsql')"
#6 0.168 node:internal/errors:542
#6 0.168       throw error;
#6 0.168
#6 0.168 Error: Cannot find module '@libsql/linux-x64-musl'
#6 0.168     at Module.require (node:internal/modules/cjs/loader:1610:3)
#6 0.168   code: 'MODULE_NOT_FOUND'
#6 ERROR: process "/bin/sh -c node -e \\"require('libsql')\\"" did not complete successfully: exit code: 1
------
failed to solve: process "/bin/sh -c node -e \\"require('libsql')\\"" did not complete \
successfully: exit code: 1
"""


# --- builds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (FILE_IS_MISSING, '"/package.json": not found'),
        (INSTRUCTION_IS_UNKNOWN, "unknown instruction: RUNN (did you mean RUN?)"),
        (REGISTRY_IS_AWAY, "dial tcp: no such host"),
        ("#1 0.2 quiet\n#1 0.4 last words\n\n", "last words"),
        ("", "docker compose build failed"),
    ],
    ids=["file", "instruction", "registry", "no-error-in-it", "silence"],
)
def test_a_build_that_failed_is_explained_in_one_line(output: str, reason: str) -> None:
    line = report.reason_of_build(output)
    assert line.endswith(reason)
    assert "\n" not in line
    assert not re.match(r"#\d", line)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (COMPILER_OBJECTS, "Type error: Type 'string' is not assignable to type 'number'."),
        (MODULE_DOES_NOT_LOAD, "Error: Cannot find module '@libsql/linux-x64-musl'"),
    ],
    ids=["compiler", "module"],
)
def test_a_command_that_failed_in_a_build_is_explained_by_what_it_said(output: str, reason: str) -> None:
    assert report.reason_of_build(output) == reason


# --- containers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({}, None),
        ({"Health": {"Status": "unhealthy", "Log": []}}, None),
        ({"Status": "restarting", "ExitCode": 3, "restarts": 1}, None),
        ({"Status": "created"}, None),
        ({"Status": "exited", "ExitCode": 3}, "app exits by itself with code 3"),
        ({"Status": "dead", "ExitCode": 137}, "app exits by itself with code 137"),
        ({"Status": "restarting", "ExitCode": 1, "restarts": 2}, "app exits by itself with code 1"),
        ({"restarts": 7}, "app exits by itself with code 0"),
        (
            {"Status": "exited", "ExitCode": 137, "OOMKilled": True},
            "app was killed: it needs more than its memory limit of 768 MiB",
        ),
    ],
    ids=["well", "unhealthy", "first-restart", "created", "exited", "dead", "loop", "flapping", "memory"],
)
def test_waiting_is_given_up_for_a_container_that_will_not_come_back(
    state: dict[str, Any], reason: str | None
) -> None:
    assert report.death(_seen(engine.container(**state))) == reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(None, "Connection refused"), "Connection refused"),
        (Answer(503, '{"database": "locked"}\n'), 'its health route answers 503: {"database": "locked"}'),
    ],
)
def test_a_health_route_that_is_not_well_is_quoted(answer: Answer, reason: str) -> None:
    assert report.reason_of_answer(answer) == reason


def test_the_report_of_an_application_has_state_checks_and_log_without_secrets(site: Settings) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    checks = [{"ExitCode": 1, "Output": f"check {n}\n"} for n in range(5)] + [{"ExitCode": 1, "Output": ""}]
    failed = engine.container(
        Status="exited", ExitCode=3, Health={"Status": "unhealthy", "Log": [*checks[:4], checks[5]]}
    )
    with engine.running() as docker, engine.client_of(docker) as client:
        docker.has_containers(failed)
        docker.answers[f"GET /containers/{failed['Id']}/logs"] = engine.log("starting\n", f"key {secret}\n")
        told = report.of_app(client, site, {"PAYLOAD_SECRET": secret})
    assert told.splitlines() == [
        "--- app: exited, health unhealthy, exit code 3",
        "    health check: check 2",
        "    health check: check 3",
        "--- its last log lines",
        "starting",
        "key [PAYLOAD_SECRET]",
    ]


def test_a_container_that_goes_away_meanwhile_does_not_hide_what_is_known(site: Settings) -> None:
    with engine.running() as docker, engine.client_of(docker) as client:
        docker.has_containers(engine.container(Status="exited", ExitCode=3))
        assert "exit code 3" in report.of_app(client, site, {})


# --- Compose -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (" Container shop-app-1  Creating\nError response from daemon: no such image\n\n", "no such image"),
        ("\n", "exit code 17"),
    ],
)
def test_what_compose_says_last_is_the_reason(said: str, reason: str) -> None:
    refusal = report.compose_refused(Result(("docker",), 17, "", said), "it failed")
    assert refusal.code == 11
    assert refusal.why.endswith(reason)


# --- reports in files --------------------------------------------------------------------------


def test_what_a_person_looks_at_first_is_collected(shop: Shop) -> None:
    told = report.collected(shop.client, shop.site).splitlines()
    assert told[0] == "--- app: running, health healthy, exit code 0"
    assert "cannot open database" in told
    disks = [line for line in told if re.fullmatch(r"--- disk of /\S*: \d+ of \d+ MiB free", line)]
    assert len(disks) == 2  # of the checkout, and of the engine
    assert told[-1].startswith("--- variables of .env.production: DATABASE_URI, DATABASE_URL, ")
    assert "PAYLOAD_SECRET" in told[-1]


def test_no_value_of_the_environment_file_is_collected(shop: Shop) -> None:
    values = envfile.read(shop.site.env_production)
    secrets = [values[key] for key in ("PAYLOAD_SECRET", "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY")]
    said = engine.log(*(f"{secret}\n" for secret in secrets))
    shop.world.docker.answers["GET /containers/app0ff27c883dfb/logs"] = said
    told = report.collected(shop.client, shop.site)
    assert [secret for secret in secrets if secret in told] == []
    assert "[PAYLOAD_SECRET]" in told


def test_no_secret_of_a_release_that_served_once_is_told(shop: Shop) -> None:
    once = "the secret of an earlier release"
    envfile.write(shop.site.env_production, {"GONE": once})
    shop.site.state.mkdir(exist_ok=True)
    kept.saved(shop.site, Entry("1", "deploy", "2026-11-23T05:15:58Z", 4711))
    app = _seen(engine.container(env=[f"GONE={once}", "NODE_ENV=production"]))
    now = {"PAYLOAD_SECRET": "0123456789abcdef0123456789abcdef"}
    assert report.redacted(shop.site, f"{once}, in production", now, app) == "[GONE], in production"


@pytest.mark.parametrize("gone", ["/containers/json", "/info", "/containers/app0ff27c883dfb/logs"])
def test_what_the_engine_does_not_tell_leaves_the_rest(gone: str, shop: Shop) -> None:
    shop.world.docker.answers[f"GET {gone}"] = Reply(500, '{"message": "the engine is unwell"}')
    told = report.collected(shop.client, shop.site)
    assert "the engine is unwell" in told
    assert "--- disk of" in told
    assert "--- variables of .env.production: " in told


def test_without_an_environment_file_the_rest_is_collected(shop: Shop) -> None:
    shop.site.env_production.unlink()
    assert "--- app: running" in report.collected(shop.client, shop.site)


def test_a_report_says_what_failed_where_and_what_to_do(shop: Shop) -> None:
    shop.site.state.mkdir()
    failure = Undone("it broke", why="it was old", fix="buy a new one", detail="--- last words")
    entry = Entry("20261123T051558Z-0a1b2c", "restore", "2026-11-23T05:15:58Z", 1, "Switch", done=False)
    file = report.write(shop.site, entry, failure, "--- app: running")
    assert file == shop.site.state / "reports" / "20261123T051558Z-0a1b2c-restore.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().splitlines() == [
        "restore 20261123T051558Z-0a1b2c, begun 2026-11-23T05:15:58Z, failed at 'Switch' with exit code 20.",
        "",
        "--- last words",
        "",
        "error: it broke",
        "  why: it was old",
        "  fix: buy a new one",
        "",
        "--- app: running",
    ]
