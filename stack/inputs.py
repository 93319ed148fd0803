"""What goes into an image, as one hash: the same inputs need no new build."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from stack.engine import context
from stack.problems import ACTIONS_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stack.settings import Settings

# In no image, whatever the application's own .dockerignore says: the Dockerfile ships nothing of them.
NEVER_BUILT = (".env*", ".git", ".next", "*.db", "*.db-*", "node_modules")


def digest(settings: Settings, arguments: Mapping[str, str]) -> str:
    """Return the sha256 over the stack's build context, the application's files and the build's arguments."""
    total = hashlib.sha256()
    for name in ["Dockerfile", *context.files(settings.root)]:
        _add(total, "stack", settings.root, name)
    for name in context.files(settings.app_dir, without=NEVER_BUILT):
        _add(total, "app", settings.app_dir, name)
    for key, value in sorted(arguments.items()):
        total.update(f"argument\0{key}\0{value}\0".encode())
    return total.hexdigest()


def env_fingerprint(env: Mapping[str, str]) -> str:
    """Return a hash of what a build takes from `.env.production`; a change of one of these builds again.

    The same variables as in ``stack/inside/public-env.mjs``.
    """
    taken = {key: env[key] for key in env if is_built_in(key)}
    return hashlib.sha256(repr(sorted(taken.items())).encode()).hexdigest()[:16]


def is_built_in(key: str) -> bool:
    return key.startswith("NEXT_PUBLIC_") or key == ACTIONS_KEY


def _add(total: hashlib._Hash, part: str, directory: Path, name: str) -> None:
    path = directory / name
    total.update(os.fsencode(f"{part}\0{name}\0{path.lstat().st_mode & 0o111}\0"))
    total.update(os.fsencode(path.readlink()) if path.is_symlink() else _content(path))


def _content(path: Path) -> bytes:
    content = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            content.update(chunk)
    return content.digest()
