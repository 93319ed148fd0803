"""A clone that was never used: the Python environment makes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.site import Site


def test_the_first_command_makes_the_environment_for_the_next(
    new_site: Callable[..., Site],
) -> None:
    site = new_site("fresh")
    (site.root / ".venv").unlink()
    first = site.run(str(site.root / "stop.sh"), cwd=site.root.parent)
    assert (first.returncode, "making .venv" in first.stderr) == (0, True), first.stderr
    second = site.run("./stop.sh")
    assert (second.returncode, "making .venv" in second.stderr) == (0, False), second.stderr
    assert site.inv("status", "--json").returncode == 0
