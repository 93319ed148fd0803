"""The contents of a base image, built up file by file and written as one tar."""

from __future__ import annotations

import fnmatch
import io
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self


class Rootfs:
    """A tar of regular files, directories and links, all root's, that grows until it is closed."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by `with`

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, trouble: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def file(
        self, name: str, content: bytes, *, mode: int = 0o644, xattrs: dict[str, str] | None = None
    ) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), mode
        member.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in (xattrs or {}).items()}
        self._tar.addfile(member, io.BytesIO(content))

    def directory(self, name: str, *, mode: int = 0o755, owner: int = 0) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, mode, owner, owner
        self._tar.addfile(member)

    def link(self, name: str, target: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(member)

    def links(self, names: Iterable[str], target: str) -> None:
        for name in names:
            self.link(name, target)

    def wheel(self, wheel: Path, *, below: str, without: tuple[str, ...]) -> None:
        """Unpack a wheel below a directory, but for some prefixes, with the permissions that it records."""
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                if not entry.is_dir() and not entry.filename.startswith(without):
                    mode = stat.S_IMODE(entry.external_attr >> 16) or 0o644
                    self.file(f"{below}/{entry.filename}", archive.read(entry), mode=mode)


def name_in_wheel(wheel: Path, pattern: str) -> str:
    """Return the one name in ``wheel`` whose end matches a shell ``pattern``."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = fnmatch.filter(archive.namelist(), f"*{pattern}")
        return name


def read_wheel(wheel: Path, pattern: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name_in_wheel(wheel, pattern))
