"""What a backup says about itself: read strictly, because a restore believes nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from stack.errors import Newer, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
DATABASE = "database/payload.db"
MEDIA = "media/"
NAME = "manifest.json"

MIGRATIONS = "payload_migrations"
JOURNAL_MODES = ("wal", "delete")
LONGEST_PART, LONGEST_NAME = 255, 4096  # bytes in UTF-8, as Linux takes them
INT32, INT64 = 2**31, 2**63
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SUM = re.compile(r"[0-9a-f]{64}")
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Member:
    """A file in the archive; ``size`` in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Where a backup comes from, and every file in it, in the order of the archive: first the database.

    ``image`` is an image's id, ``created`` is UTC, ``journal_mode`` and ``foreign_key_violations`` are those
    of the live database. ``media`` is False for a backup of the database only. What upload rows name and the
    volume did not have is ``missing_media``; ``skipped`` is what was there and cannot be restored: what is
    no regular file, could not be read, or has a name that is not :func:`acceptable`.
    """

    site: str
    release: str
    image: str
    created: str
    journal_mode: str
    user_version: int
    migrations: tuple[str, ...]
    rows: Mapping[str, int]
    media: bool
    members: tuple[Member, ...]
    missing_media: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    foreign_key_violations: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Return how many bytes all members take when they are unpacked."""
        return sum(member.size for member in self.members)

    def dump(self) -> bytes:
        """Return it as JSON; what is no Unicode in a skipped name is escaped as JSON has it."""
        members = [vars(member) for member in self.members]
        counts = {"rows": dict(self.rows), "foreign_key_violations": dict(self.foreign_key_violations)}
        told = {"format": FORMAT, **vars(self), **counts, "members": members}
        return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "backslashreplace")


def parse(raw: bytes, *, of: str = "the archive") -> Manifest:
    """Return the manifest in ``raw``, or raise :class:`Rejected`. Keys that are not known are passed over.

    ``of`` is what the error calls the archive.
    """
    try:
        told = _object(json.loads(raw.decode(), object_pairs_hook=_once), "it")
        version = _number(told.get("format"), "format", least=1)
        if version <= FORMAT:
            return _manifest(told)
    except (ValueError, RecursionError) as flaw:
        raise Rejected(
            f"{of} has no valid manifest", why=f"{NAME}: {flaw}", fix="take another backup of this site"
        ) from flaw
    raise Newer(
        f"{of} was made by a newer version of this tool",
        why=f"its format is {version}, and formats up to {FORMAT} are known here",
        fix="update this checkout (`git pull`), then run this again",
    )


def acceptable(name: str) -> bool:
    """Tell whether a restore takes ``name`` as the path of a file below :data:`MEDIA`."""
    try:
        lengths = [len(part.encode()) for part in name.split("/")]
    except UnicodeEncodeError:
        return False
    if sum(lengths) + len(lengths) - 1 > LONGEST_NAME or max(lengths) > LONGEST_PART:
        return False
    return not CONTROL.search(name) and "\\" not in name and not {"", ".", ".."} & set(name.split("/"))


def shown(name: str) -> str:
    """Return a name that somebody else chose so that no terminal obeys it, and not all of a long one."""
    return repr(name if len(name) <= 200 else name[:200] + "...")


def _manifest(told: Mapping[str, object]) -> Manifest:
    manifest = Manifest(
        site=_line(told, "site"),
        release=_line(told, "release"),
        image=_line(told, "image"),
        created=_time(told, "created"),
        journal_mode=_line(told, "journal_mode"),
        user_version=_number(told.get("user_version"), "user_version", least=-INT32, below=INT32),
        migrations=_texts(told, "migrations"),
        rows=_counts(told, "rows"),
        media=_flag(told, "media"),
        members=tuple(_member(one) for one in _list(told, "members")),
        missing_media=_texts(told, "missing_media"),
        skipped=_texts(told, "skipped"),
        foreign_key_violations=_counts(told, "foreign_key_violations"),
    )
    _check_database(manifest)
    _check_names(manifest)
    return manifest


def _check_database(manifest: Manifest) -> None:
    if manifest.journal_mode not in JOURNAL_MODES:
        raise ValueError(f"journal_mode is neither {' nor '.join(JOURNAL_MODES)}")
    if MIGRATIONS not in manifest.rows:
        raise ValueError(f"rows names no table {MIGRATIONS}")


def _check_names(manifest: Manifest) -> None:
    names = [member.name for member in manifest.members]
    if names[:1] != [DATABASE]:
        raise ValueError(f"the first member is not {DATABASE}")
    if not manifest.media and names[1:]:
        raise ValueError("media is false, and there are members besides the database")
    for name in names[1:]:
        if not name.startswith(MEDIA) or not acceptable(name.removeprefix(MEDIA)):
            raise ValueError(f"no restore takes a member called {shown(name)}")
    _check_that_no_two_collide(names)


def _check_that_no_two_collide(names: list[str]) -> None:
    for name, following in pairwise(sorted(names, key=lambda name: name.replace("/", "\0"))):
        if name == following:
            raise ValueError(f"two members are called {shown(name)}")
        if following.startswith(f"{name}/"):  # sorted so, what is below a name comes right after it
            raise ValueError(f"{shown(name)} is a file, and the directory of another")


def _member(told: object) -> Member:
    member = _object(told, "a member")
    name, total = member.get("name"), member.get("sha256")
    if not isinstance(name, str):
        raise ValueError("a member has no name")  # noqa: TRY004 - what is read is at fault, not who calls
    if not isinstance(total, str) or not SUM.fullmatch(total):
        raise ValueError(f"sha256 of {shown(name)} is not 64 lower-case hexadecimal digits")
    return Member(name, _number(member.get("size"), f"size of {shown(name)}"), total)


def _line(told: Mapping[str, object], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not value or CONTROL.search(value):
        raise ValueError(f"{key} is not a line of text")
    value.encode()
    return value


def _time(told: Mapping[str, object], key: str) -> str:
    value = _line(told, key)
    if datetime.strptime(value, TIME).strftime(TIME) != value:  # noqa: DTZ007 - Z is part of the form
        raise ValueError(f"{key} is not a time like 2026-11-23T05:15:58Z")
    return value


def _flag(told: Mapping[str, object], key: str) -> bool:
    value = told.get(key)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is neither true nor false")  # noqa: TRY004 - see _member
    return value


def _number(value: object, what: str, *, least: int = 0, below: int = INT64) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < below:
        raise ValueError(f"{what} is not a number from {least} to {below - 1}")
    return value


def _counts(told: Mapping[str, object], key: str) -> Mapping[str, int]:
    counts = _object(told.get(key), key)
    return {table: _number(count, f"{key} of {shown(table)}") for table, count in counts.items()}


def _texts(told: Mapping[str, object], key: str) -> tuple[str, ...]:
    texts = _list(told, key)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{key} has something that is not text")
    return tuple(str(text) for text in texts)


def _list(told: Mapping[str, object], key: str) -> list[object]:
    value = told.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} is not a list")  # noqa: TRY004 - see _member
    return value


def _object(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")  # noqa: TRY004 - see _member
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found
