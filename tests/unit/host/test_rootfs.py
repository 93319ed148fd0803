"""The tar of a base image, read back."""

from __future__ import annotations

import stat
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from stack.host import rootfs, standins
from stack.host.rootfs import Rootfs

if TYPE_CHECKING:
    from pathlib import Path


def member(path: Path, name: str) -> tarfile.TarInfo:
    with tarfile.open(path) as tar:
        return tar.getmember(name)


def content(path: Path, name: str) -> bytes:
    with tarfile.open(path) as tar:
        file = tar.extractfile(name)
        assert file
        return file.read()


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    """Give the place of a tar."""
    return tmp_path / "root.tar"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Give a wheel of four files; one may be run, one says nothing of its permissions."""
    path = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in (
            ("thing/bin/node", 0o755),
            ("thing/lib/a.so", 0o644),
            ("thing/include/a.h", 0o644),
        ):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, name.encode())
        unsaid = zipfile.ZipInfo("thing.libs/libgcc_s-0cd532bd.so.1")
        unsaid.external_attr = 0x20  # DOS: an ordinary file
        archive.writestr(unsaid, b"gcc")
        archive.writestr("thing/empty/", b"")
    return path


def test_files_belong_to_root_and_have_the_mode_that_was_asked_for(tar: Path) -> None:
    with Rootfs(tar) as root:
        root.file("etc/passwd", b"root\n")
        root.file("bin/busybox", b"\x7fELF", mode=0o755)
    plain, program = member(tar, "etc/passwd"), member(tar, "bin/busybox")
    assert (plain.mode, plain.uid, plain.gid) == (0o644, 0, 0)
    assert (program.mode, program.uid, program.gid) == (0o755, 0, 0)
    assert content(tar, "bin/busybox") == b"\x7fELF"


def test_directories_have_modes_and_owners(tar: Path) -> None:
    with Rootfs(tar) as root:
        root.directory("tmp", mode=0o1777)
        root.directory("home/node", owner=1000)
    assert member(tar, "tmp").mode == 0o1777
    home = member(tar, "home/node")
    assert (home.isdir(), home.uid, home.gid, home.mode) == (True, 1000, 1000, 0o755)


def test_links_point_where_they_were_told(tar: Path) -> None:
    with Rootfs(tar) as root:
        root.link("usr/bin/env", "/bin/busybox")
        root.links((f"bin/{name}" for name in ("sh", "ls")), "busybox")
    found = {name: member(tar, name) for name in ("usr/bin/env", "bin/sh", "bin/ls")}
    assert all(link.issym() for link in found.values())
    assert [link.linkname for link in found.values()] == ["/bin/busybox", "busybox", "busybox"]


def test_capabilities_of_a_program_travel_as_an_extended_attribute(tar: Path) -> None:
    with Rootfs(tar) as root:
        root.file("caddy", b"x", mode=0o755, xattrs={"security.capability": standins.BIND_PRIVILEGED_PORTS})
    headers = member(tar, "caddy").pax_headers
    assert headers["SCHILY.xattr.security.capability"] == standins.BIND_PRIVILEGED_PORTS


def test_the_capability_is_the_one_to_bind_privileged_ports() -> None:
    revision_2_effective, net_bind_service = 0x02000001, 1 << 10  # linux/capability.h
    packed = struct.pack("<5I", revision_2_effective, net_bind_service, 0, 0, 0)
    assert standins.BIND_PRIVILEGED_PORTS.encode() == packed


def test_a_wheel_is_unpacked_with_its_permissions_and_without_what_is_not_wanted(
    tar: Path, wheel: Path
) -> None:
    with Rootfs(tar) as root:
        root.wheel(wheel, below="usr/local", without=("thing/include/",))
    with tarfile.open(tar) as archive:
        modes = {entry.name: entry.mode for entry in archive}
    assert modes == {
        "usr/local/thing/bin/node": 0o755,
        "usr/local/thing/lib/a.so": 0o644,
        "usr/local/thing.libs/libgcc_s-0cd532bd.so.1": 0o644,
    }
    assert content(tar, "usr/local/thing/bin/node") == b"thing/bin/node"


def test_one_file_is_read_out_of_a_wheel(wheel: Path) -> None:
    assert rootfs.name_in_wheel(wheel, ".libs/libgcc_s-*") == "thing.libs/libgcc_s-0cd532bd.so.1"
    assert rootfs.read_wheel(wheel, "/bin/node") == b"thing/bin/node"


@pytest.mark.parametrize("pattern", ["/nothing", "/*"])
def test_a_pattern_that_does_not_mean_exactly_one_file_is_an_error(pattern: str, wheel: Path) -> None:
    with pytest.raises(ValueError, match="values to unpack"):
        rootfs.name_in_wheel(wheel, pattern)
