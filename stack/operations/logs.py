"""Show what the containers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import compose, run, settings

if TYPE_CHECKING:
    from pathlib import Path
    from typing import NoReturn


def logs(root: Path, *, follow: bool, since: str, lines: int) -> NoReturn:
    """Hand over to `docker compose logs`: its paging and Ctrl-C are the terminal's own."""
    site = settings.load(root)
    argv = compose.logs(["app", "gate"], follow=follow, since=since, lines=lines)
    run.become(argv, cwd=site.root, env=compose.environment(site))
