"""A visitor who types the site's own address, wherever it is served in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from urllib3.connectionpool import HTTPConnectionPool

TIMEOUT = 60  # seconds, for a client that forgets to say


def session(address: str, *, believing: Path, ports: Mapping[int, int] | None = None) -> requests.Session:
    """Resolve every name to ``address``, and believe the certificates of one authority only."""
    visitor = requests.Session()
    visitor.trust_env = False
    visitor.verify = str(believing)
    for scheme in ("http://", "https://"):
        visitor.mount(scheme, _Resolved(address, ports or {}))
    return visitor


def place(visitor: requests.Session, url: str) -> tuple[str, int]:
    """Return the address and port that a session really connects to."""
    adapter = visitor.get_adapter(url)
    assert isinstance(adapter, _Resolved)
    return adapter.address, adapter.port(urlsplit(url).scheme)


class _Resolved(HTTPAdapter):
    """Connects to one address; TLS and the Host header keep the name in the URL."""

    def __init__(self, address: str, ports: Mapping[int, int]) -> None:
        super().__init__()
        self.address = address
        self.ports = ports

    def port(self, scheme: str) -> int:
        usual = {"http": 80, "https": 443}[scheme]
        return self.ports.get(usual, usual)

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Any = None,  # noqa: ARG002 - requests names it so
        cert: Any = None,
    ) -> HTTPConnectionPool:
        place, tls = self.build_connection_pool_key_attributes(request, verify or False, cert)
        name, scheme = place["host"], place["scheme"]
        named = {"server_hostname": name, "assert_hostname": name} if scheme == "https" else {}
        pool: HTTPConnectionPool = self.poolmanager.connection_from_host(
            self.address,
            self.port(scheme),
            scheme,
            pool_kwargs={**tls, **named},
        )
        return pool

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.headers["Host"] = urlsplit(str(request.url)).netloc
        if options.get("timeout") is None:
            options["timeout"] = TIMEOUT
        return super().send(request, *args, **options)
