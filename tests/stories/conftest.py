"""What stands outside a site: the street that strangers come from, and who vouches for certificates."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import authority as authorities
from tests.support import documented, proxies
from tests.support.documented import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient
    from docker.models.networks import Network

    from tests.support.authority import Authority
    from tests.support.documented import Document
    from tests.support.site import Site


@pytest.fixture(scope="session")
def street(engine: DockerClient) -> Iterator[Network]:
    """Give a network of public addresses; on it this process is a visitor."""
    with proxies.street(engine) as network:
        network.reload()
        yield network


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authorities.create(tmp_path_factory.mktemp("authority"), documented.NAME)


@pytest.fixture(scope="session")
def document() -> Document:
    return documented.read()


@pytest.fixture(scope="session")
def traefik(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return proxies.traefik_binary(tmp_path_factory.mktemp("traefik"))


@pytest.fixture(scope="session")
def scene(
    engine: DockerClient, street: Network, authority: Authority, document: Document, traefik: Path
) -> Callable[[Site], Scene]:
    """Place a site where the proxies of the document can be put between it and the street."""
    return lambda site: Scene(engine, site, street, authority, document, traefik)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Give a directory where root and others may go; it goes after the site in it."""
    with tempfile.TemporaryDirectory(prefix="payload-stack-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        yield place
