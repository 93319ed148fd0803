"""An engine that answers as told, and a client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.support import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

    from tests.unit.support.engine import Engine


@pytest.fixture
def docker() -> Iterator[Engine]:
    """Give an engine."""
    with engine.running() as made:
        yield made


@pytest.fixture
def client(docker: Engine) -> Iterator[DockerClient]:
    """Give a client of the engine."""
    with engine.client_of(docker) as made:
        yield made
