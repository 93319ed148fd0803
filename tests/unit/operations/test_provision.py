"""Making a machine ready: what is missing is added, what is there is left alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from stack import envfile
from stack.errors import Refused
from stack.host import daemon, packages, standins
from stack.operations.provision import provision
from tests.unit.support import engine
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.support.engine import Engine
    from tests.unit.support.programs import Programs

NAMES = standins.Names()
DOCKER = """
case "$*" in
"compose version --short") echo "{compose}" ;;
"buildx version") [ -z "{buildx}" ] || echo "github.com/docker/buildx {buildx}" ;;
esac
"""


@dataclass
class Machine:
    """A machine; ``done`` remembers what was done to it."""

    root: Path
    docker: Engine
    programs: Programs
    running: str | None = "28.5.2"
    done: list[str] = field(default_factory=list)

    def has(self, *, dockerd: str = "28.5.2", compose: str = "2.40.3", buildx: str = "0.21") -> None:
        self.programs.add("docker", DOCKER.format(compose=compose, buildx=buildx))
        self.programs.add("dockerd", says=f"Docker version {dockerd}, build x\n" if dockerd else "")

    def install(self) -> None:
        self.done.append("install")
        self.has()

    def start(self) -> None:
        self.done.append("start")
        self.running = "28.5.2"

    def restart(self) -> None:
        self.done.append("restart")
        self.running = "28.5.2"


@pytest.fixture
def machine(checkout: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Give a machine that has everything but the base images, and no registry."""
    with engine.running() as docker:
        made = Machine(checkout, docker, programs)
        made.has()
        monkeypatch.setenv("DOCKER_HOST", docker.host)
        monkeypatch.setattr(packages, "install_docker", made.install)
        monkeypatch.setattr(daemon, "start", made.start)
        monkeypatch.setattr(daemon, "restart", made.restart)
        monkeypatch.setattr("stack.engine.client.running_version", lambda: made.running)
        docker.answers["POST /images/create"] = Reply(500, '{"message": "dial tcp: no such host"}')
        docker.answers["GET /info"] = {"DockerRootDir": str(checkout)}
        docker.has_image(NAMES.node)
        docker.has_image(NAMES.caddy)
        yield made


def has_base_images(machine: Machine) -> None:
    machine.docker.has_image("node:24-alpine")
    machine.docker.has_image("caddy:2-alpine")


def test_a_machine_that_has_it_all_is_left_alone(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    has_base_images(machine)
    provision(machine.root)
    assert machine.done == []
    assert not (machine.root / ".env").exists()
    err = capsys.readouterr().err
    assert "Engine 28.5.2, Compose 2.40.3" in err
    assert "present" in err


@pytest.mark.parametrize(
    "missing",
    [{"compose": ""}, {"compose": "2.20.0"}, {"buildx": ""}],
    ids=["no-compose", "old-compose", "no-buildx"],
)
def test_a_client_that_lacks_something_is_completed_and_the_engine_goes_on(
    missing: dict[str, str], machine: Machine
) -> None:
    has_base_images(machine)
    machine.has(**missing)
    provision(machine.root)
    assert machine.done == ["install"]


def test_a_bare_machine_gets_an_engine_that_is_then_started(machine: Machine) -> None:
    has_base_images(machine)
    machine.running = None
    for name in ("docker", "dockerd"):
        machine.programs.add(name, code=127)
    provision(machine.root)
    assert machine.done == ["install", "start"]


def test_an_engine_that_is_installed_but_down_is_only_started(machine: Machine) -> None:
    has_base_images(machine)
    machine.running = None
    provision(machine.root)
    assert machine.done == ["start"]


def test_an_engine_that_is_too_old_is_replaced(machine: Machine) -> None:
    has_base_images(machine)
    machine.running = "20.10.24"
    provision(machine.root)
    assert machine.done == ["install", "restart"]


def test_base_images_that_a_registry_gives_are_pulled_and_nothing_is_set(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    def pull() -> Reply:
        has_base_images(machine)
        return Reply(200, "{}")

    machine.docker.answers["POST /images/create"] = pull
    provision(machine.root)
    assert not (machine.root / ".env").exists()
    assert "pulled" in capsys.readouterr().err


def test_without_a_registry_stand_ins_are_named_in_dotenv_and_announced(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine.root / ".env").write_text("# mine\nHOST_PORT=3100\n")
    provision(machine.root)
    assert envfile.read(machine.root / ".env") == {
        "HOST_PORT": "3100",
        "NODE_IMAGE": NAMES.node,
        "GATE_IMAGE": NAMES.caddy,
    }
    err = capsys.readouterr().err
    assert "warning: no image registry answers: dial tcp: no such host" in err
    assert NAMES.node in err


def test_only_the_image_that_cannot_be_had_gets_a_stand_in(machine: Machine) -> None:
    machine.docker.has_image("caddy:2-alpine")
    provision(machine.root)
    assert envfile.read(machine.root / ".env") == {"NODE_IMAGE": NAMES.node}


def test_an_image_that_somebody_chose_is_never_replaced(machine: Machine) -> None:
    (machine.root / ".env").write_text("NODE_IMAGE=registry.example.com/node:22\n")
    with pytest.raises(Refused, match=r"NODE_IMAGE=registry\.example\.com/node:22 is not on") as refusal:
        provision(machine.root)
    assert refusal.value.why == "dial tcp: no such host"
    assert "log in to its registry" in refusal.value.fix
    assert envfile.read(machine.root / ".env") == {"NODE_IMAGE": "registry.example.com/node:22"}
