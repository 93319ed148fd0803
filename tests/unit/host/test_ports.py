"""Ports of this machine, taken by real listeners."""

from __future__ import annotations

import socket

import pytest

from stack.host import ports


@pytest.mark.parametrize("address", ["127.0.0.1", ""], ids=["loopback", "everywhere"])
def test_a_port_that_somebody_listens_on_is_taken(address: str) -> None:
    with socket.create_server((address, 0)) as server:
        port = server.getsockname()[1]
        assert ports.taken(port)
        assert ports.free_after(port - 1) != port
    assert not ports.taken(port)


def test_there_is_no_free_port_after_the_last_one() -> None:
    assert ports.free_after(ports.HIGHEST) is None


def test_only_ports_that_everybody_may_have_are_offered() -> None:
    offered = ports.free_after(80)
    assert offered is not None
    assert offered >= ports.OF_ANYBODY
