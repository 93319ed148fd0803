"""`.env.production`: make it, check it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from stack import console, envfile, environment, settings

if TYPE_CHECKING:
    from pathlib import Path


def init(root: Path, *, server_url: str) -> None:
    site = settings.load(root)
    environment.create(site, server_url=server_url)
    console.result(str(site.env_production))


def check(root: Path, *, as_json: bool) -> None:
    """Say whether `.env.production` will do; its values are never shown."""
    site = settings.load(root)
    if as_json:
        found = environment.problems(envfile.read(site.env_production))
        console.result_json({"file": str(site.env_production), "problems": [asdict(p) for p in found]})
    environment.checked(site)
    if not as_json:
        console.result(f"{site.env_production} is fine")
