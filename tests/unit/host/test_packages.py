"""Packages of Debian and Ubuntu. `apt-get` and its kin are stand-ins here: nothing is installed."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from stack.errors import Refused
from stack.host import packages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.programs import Programs

BOOKWORM = {"docker.io": "20.10.24+dfsg1-1+deb12u1", "docker-compose": "1.29.2-3"}
TRIXIE = {
    "docker.io": "26.1.5+dfsg1-9+b9",
    "docker-cli": "26.1.5+dfsg1-9+b9",
    "docker-compose": "2.26.1-4",
    "docker-buildx": "0.13.1+ds1-3",
}
NOBLE = {
    "docker.io": "28.2.2-0ubuntu1~24.04.1",
    "docker-compose-v2": "2.37.1+ds1-0ubuntu2~24.04.1",
    "docker-buildx": "0.21.3-0ubuntu1~24.04.1",
}
JAMMY_OLD = {"docker.io": "20.10.12-0ubuntu4"}

POLICY = """
case " $* " in
{cases}
*) echo "N: Unable to locate package" >&2; exit 0 ;;
esac
"""


class Host:
    """A machine: its release, and what its package lists offer."""

    def __init__(self, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs = programs
        self.release = tmp_path / "os-release"
        self.sources = tmp_path / "payload-stack.list"
        self.preferences = tmp_path / "payload-stack.pref"
        monkeypatch.setattr(packages, "SOURCES", self.sources)
        monkeypatch.setattr(packages, "PREFERENCES", self.preferences)
        monkeypatch.setattr(packages, "Path", {"/etc/os-release": self.release}.__getitem__)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        programs.add("apt-get", '[ "$1" != indextargets ] || echo "http://deb.example.com/debian-security/ '
                     'http://deb.example.com/debian"')  # fmt: skip
        programs.add("dpkg-query", complains="dpkg-query: no packages found matching docker-ce\n", code=1)

    def is_(self, release: str, offers: dict[str, str]) -> None:
        self.release.write_text(f'PRETTY_NAME="Some Linux"\nID={release}\nVERSION_ID="1"\n\n')
        cases = [
            f"*' {name} '*) printf '%s:\\n  Installed: (none)\\n  Candidate: %s\\n' {name} '{version}' ;;"
            for name, version in offers.items()
        ]
        self.programs.add("apt-cache", POLICY.format(cases="\n".join(cases)))

    def installed(self) -> list[str]:
        """Return the names that were given to `apt-get install`."""
        (call,) = [call for call in self.programs.calls("apt-get") if "install" in call]
        return [name for name in call[call.index("install") + 1 :] if not name.startswith("-")]

    def asked(self) -> list[str]:
        """Return what apt-get was asked to do."""
        calls = [
            [word for word in call if not word.startswith("-")] for call in self.programs.calls("apt-get")
        ]
        return [call[0] for call in calls]


@pytest.fixture
def host(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Give a machine where everything is a stand-in."""
    return Host(tmp_path, programs, monkeypatch)


def test_debian_13_takes_its_own_packages(host: Host) -> None:
    host.is_("debian", TRIXIE)
    packages.install_docker()
    assert host.installed() == [
        "docker.io",
        "docker-cli",
        "docker-compose",
        "docker-buildx",
        "iptables",
        "ca-certificates",
    ]
    assert host.asked() == ["update", "install"]
    assert not host.sources.exists()


def test_debian_12_takes_docker_alone_from_a_newer_release(host: Host) -> None:
    host.is_("debian", BOOKWORM)
    packages.install_docker()
    assert host.installed() == [
        "docker.io/forky",
        "docker-cli/forky",
        "docker-compose/forky",
        "docker-buildx/forky",
        "iptables",
        "ca-certificates",
    ]
    assert host.asked() == ["update", "indextargets", "update", "install"]
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    source = f"deb [signed-by={keyring}] http://deb.example.com/debian forky main\n"
    assert host.sources.read_text() == source


def test_the_newer_release_changes_nothing_else_on_the_machine(host: Host) -> None:
    host.is_("debian", BOOKWORM)
    packages.install_docker()
    assert "Package: *\nPin: release n=forky\nPin-Priority: 100\n" in host.preferences.read_text()


def test_the_usual_mirror_is_taken_where_the_machine_names_none(host: Host) -> None:
    host.is_("debian", BOOKWORM)
    host.programs.add("apt-get")
    packages.install_docker()
    assert " http://deb.debian.org/debian forky " in host.sources.read_text()


def test_ubuntu_takes_its_own_packages_under_its_own_names(host: Host) -> None:
    host.is_("ubuntu", NOBLE)
    packages.install_docker()
    assert host.installed()[:3] == ["docker.io", "docker-compose-v2", "docker-buildx"]


@pytest.mark.parametrize(("release", "offers"), [("ubuntu", JAMMY_OLD), ("linuxmint", BOOKWORM)])
def test_a_release_whose_docker_is_too_old_is_left_alone_and_told_the_way(
    release: str, offers: dict[str, str], host: Host
) -> None:
    host.is_(release, offers)
    with pytest.raises(Refused, match="too old") as refusal:
        packages.install_docker()
    assert refusal.value.code == 11
    assert "25.0" in refusal.value.why
    assert "docs.docker.com" in refusal.value.fix
    assert host.asked() == ["update"]
    assert not host.sources.exists()


def test_a_user_who_is_not_root_is_told_before_anything_is_done(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match="needs root") as refusal:
        packages.install_docker()
    assert "sudo ./deploy.sh --provision" in refusal.value.fix
    assert host.programs.calls("apt-get") == []


def test_docker_from_docker_com_is_not_mixed_with_the_distributions(host: Host) -> None:
    host.programs.add("dpkg-query", says="installed")
    with pytest.raises(Refused, match=r"docker\.com") as refusal:
        packages.install_docker()
    assert "docker-compose-plugin" in refusal.value.fix
    assert host.programs.calls("apt-get") == []


def test_docker_from_docker_com_that_was_removed_is_no_obstacle(host: Host) -> None:
    host.is_("debian", TRIXIE)
    host.programs.add("dpkg-query", says="config-files")
    packages.install_docker()
    assert "docker.io" in host.installed()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("W: old key\nE: Could not get lock /var/lib/dpkg/lock-frontend.\n", "E: Could not get lock"),
        ("", "exit code 100"),
    ],
)
def test_an_apt_that_fails_is_quoted(said: str, why: str, host: Host) -> None:
    host.is_("debian", TRIXIE)
    host.programs.add("apt-get", complains=said, code=100)
    with pytest.raises(Refused, match="`apt-get update` failed") as refusal:
        packages.install_docker()
    assert refusal.value.why.startswith(why)
    assert refusal.value.detail == said


def test_nothing_is_asked_of_the_operator_and_nothing_is_translated(host: Host) -> None:
    host.is_("debian", TRIXIE)
    host.programs.add("apt-get", '[ "$DEBIAN_FRONTEND $LC_ALL" = "noninteractive C" ] || exit 1')
    packages.install_docker()


def test_a_download_leaves_the_package_lists_of_the_machine_alone(host: Host, tmp_path: Path) -> None:
    into = tmp_path / "scratch"
    into.mkdir()
    packages.download(("musl", "busybox-static"), into=into)
    update, download = [call for call in host.programs.calls("apt-get") if "indextargets" not in call]
    for call in (update, download):
        assert f"-oDir::State::lists={into}/lists" in call
        assert f"-oDir::Etc::sourcelist={into}/sources.list" in call
        assert "-oDir::Etc::sourceparts=-" in call
        assert f"-oDir::Cache={into}" in call
    assert download[-3:] == ["download", "musl", "busybox-static"]
    assert " forky main" in (into / "sources.list").read_text()
    assert not host.sources.exists()


def test_one_file_is_read_out_of_a_real_package(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name, content in {
        "DEBIAN/control": "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.com>\n"
        "Description: x\n",
        "bin/busybox": "the program",
        "usr/share/doc/busybox": "not the program",
        "bin/busybox-other": "nor this",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content)
    build = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(tmp_path / "x.deb")]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    assert packages.file_of(tmp_path / "x.deb", "busybox") == b"the program"
