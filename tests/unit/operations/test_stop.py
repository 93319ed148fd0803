"""What stopping and restarting decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack.errors import Broken, Refused
from stack.operations.restart import restart
from stack.operations.stop import stop
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from tests.unit.support.world import World


def test_a_stop_takes_the_containers_and_no_data(world: World) -> None:
    world.has_deployed(OLD)
    stop(world.root)
    assert world.ran() == ["stop", "down"]
    assert "--volumes" not in world.programs.calls("docker")[0]


@pytest.mark.parametrize("content", [b"PAYLOAD_SECRET='half\n", b"\xff\n"], ids=["line", "bytes"])
def test_a_site_whose_environment_file_was_broken_can_be_stopped(content: bytes, world: World) -> None:
    world.has_deployed(OLD)
    (world.root / ".env.production").write_bytes(content)
    stop(world.root)
    assert world.ran() == ["stop", "down"]


def test_a_stop_of_a_site_that_does_not_run_does_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    stop(world.root)
    assert world.ran() == []
    assert capsys.readouterr().err == "shop is not running\n"


def test_a_restart_waits_until_visitors_are_served(world: World) -> None:
    world.has_deployed(OLD)
    restart(world.root)
    assert world.ran() == ["restart"]
    world.bad.append(OLD)
    with pytest.raises(Broken, match="was restarted and is down"):
        restart(world.root)


def test_a_restart_of_a_site_that_does_not_run_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="is not running"):
        restart(world.root)
    assert world.ran() == []
