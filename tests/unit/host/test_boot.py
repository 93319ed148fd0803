"""What runs at boot: one unit for each checkout, written once, gone when its checkout is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack.errors import Refused
from stack.host import boot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.programs import Programs


@pytest.fixture
def units(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory of units of a machine with systemd, on which we are root."""
    units = tmp_path / "units"
    units.mkdir()
    monkeypatch.setattr(boot, "UNITS", units)
    monkeypatch.setattr(boot, "BOOTED", units)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    programs.add("systemctl", _enabling(programs))
    return units


def _enabling(programs: Programs) -> str:
    mark = programs.directory / "enabled"
    return f"""
case "$1" in
is-enabled) [ -e '{mark}' ] || exit 1 ;;
enable) touch '{mark}' ;;
esac
"""


def checkout(directory: Path, name: str) -> Path:
    root = directory / name
    (root / "bin").mkdir(parents=True)
    (root / "bin/inv").touch()
    return root


def test_a_machine_that_starts_makes_good_what_was_broken_off(
    units: Path, tmp_path: Path, programs: Programs
) -> None:
    root = checkout(tmp_path, "my shop")
    assert boot.ensure(root) == f"{boot.name(root)} written"
    text = (units / boot.name(root)).read_text()
    assert f'ExecStart="{root}/bin/inv" resume' in text
    assert "After=docker.service" in text
    assert programs.calls("systemctl")[-2:] == [["daemon-reload"], ["enable", boot.name(root)]]


def test_what_is_there_already_stays(units: Path, tmp_path: Path, programs: Programs) -> None:
    root = checkout(tmp_path, "shop")
    boot.ensure(root)
    before = len(programs.calls("systemctl"))
    assert boot.ensure(root) == "present"
    assert programs.calls("systemctl")[before:] == [["is-enabled", boot.name(root)]]
    assert len(list(units.iterdir())) == 1


def test_two_checkouts_of_one_name_have_units_of_their_own(units: Path, tmp_path: Path) -> None:
    first, second = checkout(tmp_path / "a", "shop"), checkout(tmp_path / "b", "shop")
    boot.ensure(first)
    boot.ensure(second)
    assert {each.name for each in units.iterdir()} == {boot.name(first), boot.name(second)}


def test_the_unit_of_a_checkout_that_has_gone_goes_too(
    units: Path, tmp_path: Path, programs: Programs
) -> None:
    gone, here = checkout(tmp_path, "gone 100%"), checkout(tmp_path, "here")
    boot.ensure(gone)
    (gone / "bin/inv").unlink()
    boot.ensure(here)
    assert [each.name for each in units.iterdir()] == [boot.name(here)]
    assert ["disable", boot.name(gone)] in programs.calls("systemctl")


def test_who_is_not_root_is_told_how(units: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert boot.ensure(checkout(tmp_path, "shop")) == "not yet: `sudo bin/inv provision`"
    assert list(units.iterdir()) == []


def test_without_systemd_the_next_command_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "BOOTED", tmp_path / "none")
    assert "the next command" in boot.ensure(tmp_path)


def test_a_unit_that_systemd_does_not_take_is_told(units: Path, tmp_path: Path, programs: Programs) -> None:
    programs.add("systemctl", complains="Failed to connect to bus", code=1)
    with pytest.raises(Refused, match="systemd does not take the unit") as refusal:
        boot.ensure(checkout(tmp_path, "shop"))
    assert refusal.value.why == "Failed to connect to bus"
