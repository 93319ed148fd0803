"""The reasons that are shown when something failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from stack import report
from stack.engine.containers import _seen
from stack.health import Answer
from stack.run import Result
from tests.unit.support import engine

if TYPE_CHECKING:
    from stack.settings import Settings

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
