"""What people do on the starter site, through REST."""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.site import Site

EMAIL, PASSWORD = "editor@example.com", "a long password for tests"


@dataclass(frozen=True)
class Editor:
    """Somebody logged in, by token."""

    site: Site
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"JWT {self.token}"}

    def publish(self, title: str, **more: str) -> int:
        answer = self.site.post("/api/posts", json={"title": title, **more}, headers=self.headers)
        assert answer.status_code == 201, answer.text
        identity: int = answer.json()["doc"]["id"]
        return identity

    def upload(self, name: str, content: bytes) -> str:
        """Upload a picture and return the path under which it is addressed."""
        files = {"file": (name, io.BytesIO(content), "image/png")}
        answer = self.site.post(
            "/api/media", files=files, data={"_payload": '{"alt":"test"}'}, headers=self.headers
        )
        assert answer.status_code == 201, answer.text
        path: str = answer.json()["doc"]["url"]
        return path[path.index("/api/media/file/") :]


def editor(site: Site, *, email: str = EMAIL) -> Editor:
    """Log in; on a new site, be the first to register."""
    credentials = {"email": email, "password": PASSWORD}
    if not site.get("/api/users/init").json()["initialized"]:
        registered = site.post("/api/users/first-register", json=credentials)
        assert registered.status_code == 200, registered.text
    answer = site.post("/api/users/login", json=credentials)
    assert answer.status_code == 200, answer.text
    return Editor(site, answer.json()["token"])


def picture(colour: tuple[int, int, int] = (200, 40, 40), side: int = 32) -> bytes:
    """Return a small PNG of one colour."""
    return _png(side, (b"\0" + bytes(colour) * side) * side)


def noise(side: int = 1200) -> bytes:
    """Return a PNG that cannot be compressed: three bytes a pixel."""
    return _png(side, b"".join(b"\0" + os.urandom(3 * side) for _ in range(side)))


def _png(side: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
