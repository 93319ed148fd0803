"""The three things that can be wrong with an archive, said in the same words wherever they come to light."""

from __future__ import annotations

from stack.errors import Rejected


def damaged(archive: str, why: str) -> Rejected:
    """Make the error for bytes that are not those that were written."""
    return Rejected(
        f"{archive} is damaged", why=why, fix="copy it anew if it was copied, or take another backup"
    )


def foreign(archive: str, why: str) -> Rejected:
    """Make the error for a file that was never an archive."""
    return Rejected(f"{archive} is not a backup archive", why=why, fix="name a file that ./backup.sh made")


def changed(archive: str, why: str) -> Rejected:
    """Make the error for an archive that is sound, and has other content than its manifest says."""
    return Rejected(
        f"{archive} was changed after it was made",
        why=why,
        fix="take another backup; one packed by hand holds database, media and manifest.json, nothing else",
    )
