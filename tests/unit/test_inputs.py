"""What an image is made of, as one hash: equal means that no build is needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import inputs, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARGUMENTS = {"MEDIA_DIR": "/app/public/media", "NODE_IMAGE": "sha256:1"}
PUBLIC = {"NEXT_PUBLIC_SERVER_URL": "https://shop.example.com", "PAYLOAD_SECRET": "s"}


@pytest.fixture
def shop(checkout: Path) -> Path:
    """Give a checkout with some of what an application has, and what stays out of its image."""
    app = checkout / "app"
    (checkout / ".dockerignore").write_text("*\n!stack/inside/public-env.mjs\n")
    (checkout / "stack" / "inside").mkdir(parents=True)
    (checkout / "stack" / "inside" / "public-env.mjs").write_text("// one\n")
    (checkout / "stack" / "cli.py").write_text("# one\n")
    (app / ".dockerignore").write_text("# what stays here\nnotes\n")
    (app / "notes").write_text("one\n")
    (app / "public").mkdir()
    (app / "public" / "logo.svg").write_text("<svg/>\n")
    (app / "link").symlink_to("page.tsx")
    (app / "run").write_text("#!/bin/sh\n")
    for left_out in (
        ".env",
        ".env.local",
        ".next/build",
        "node_modules/next/index.js",
        "payload.db",
        "payload.db-wal",
    ):
        (app / left_out).parent.mkdir(parents=True, exist_ok=True)
        (app / left_out).write_text("one\n")
    return checkout


def digest(shop: Path, **arguments: str) -> str:
    return inputs.digest(settings.load(shop), {**ARGUMENTS, **arguments})


def relink(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda app: (app / "page.tsx").write_text("two\n"), id="content"),
        pytest.param(lambda app: (app / "page.tsx").rename(app / "other.tsx"), id="name"),
        pytest.param(lambda app: (app / "page.tsx").rename(app / "public" / "page.tsx"), id="place"),
        pytest.param(lambda app: (app / "new.tsx").touch(), id="new file"),
        pytest.param(lambda app: (app / "public" / "logo.svg").unlink(), id="removed file"),
        pytest.param(lambda app: (app / "run").chmod(0o755), id="executable"),
        pytest.param(lambda app: relink(app / "link", "run"), id="target of a link"),
        pytest.param(lambda app: (app / ".dockerignore").write_text(""), id="no longer ignored"),
        pytest.param(lambda app: (app.parent / "Dockerfile").write_text("FROM x\n"), id="Dockerfile"),
        pytest.param(
            lambda app: (app.parent / "stack/inside/public-env.mjs").write_text("// two\n"), id="build script"
        ),
    ],
)
def test_a_change_needs_a_new_build(change: Callable[[Path], object], shop: Path) -> None:
    before = digest(shop)
    change(shop / "app")
    assert digest(shop) != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda app: os.utime(app / "page.tsx", (1, 1)), id="time"),
        pytest.param(lambda app: (app / "page.tsx").chmod(0o600), id="read permission"),
        pytest.param(lambda app: (app / "empty").mkdir(), id="empty directory"),
        pytest.param(lambda app: (app / "notes").write_text("two\n"), id="ignored by .dockerignore"),
        pytest.param(lambda app: (app / ".env").write_text("two\n"), id=".env"),
        pytest.param(lambda app: (app / ".env.local").write_text("two\n"), id=".env.local"),
        pytest.param(lambda app: (app / ".next/build").write_text("two\n"), id=".next"),
        pytest.param(lambda app: (app / "node_modules/next/index.js").write_text("two\n"), id="node_modules"),
        pytest.param(lambda app: (app / "payload.db").write_text("two\n"), id="database"),
        pytest.param(lambda app: (app / "payload.db-wal").write_text("two\n"), id="write-ahead log"),
        pytest.param(lambda app: (app.parent / "stack/cli.py").write_text("# two\n"), id="tasks"),
        pytest.param(lambda app: (app.parent / ".env").write_text("HOST_PORT=3100\n"), id="settings"),
    ],
)
def test_a_change_needs_no_new_build(change: Callable[[Path], object], shop: Path) -> None:
    before = digest(shop)
    change(shop / "app")
    assert digest(shop) == before


def test_each_argument_of_the_build_counts(shop: Path) -> None:
    plain = digest(shop)
    assert (
        len({plain, digest(shop, NODE_IMAGE="sha256:2"), digest(shop, MORE=""), digest(shop, MORE="x")}) == 4
    )
    assert digest(shop) == plain


def test_an_application_that_ignores_nothing_itself_gives_no_secret_to_the_hash(shop: Path) -> None:
    (shop / "app" / ".dockerignore").write_text("!.env\n!node_modules\n")
    before = digest(shop)
    (shop / "app" / ".env").write_text("two\n")
    assert digest(shop) == before


def test_a_copy_elsewhere_has_the_same_hash(shop: Path) -> None:
    before = digest(shop)
    moved = shop.rename(shop.with_name("moved"))
    assert digest(moved) == before


def test_a_link_to_nothing_is_no_obstacle(shop: Path) -> None:
    relink(shop / "app" / "link", "nowhere")
    assert digest(shop)


def test_a_name_that_is_not_text_is_no_obstacle(shop: Path) -> None:
    (shop / "app" / os.fsdecode(b"caf\xe9.txt")).touch()
    assert digest(shop)


def test_a_database_that_gets_into_the_image_counts(shop: Path) -> None:
    (shop / "app" / "fixtures").mkdir()
    (shop / "app" / "fixtures" / "seed.db").write_text("one\n")
    before = digest(shop)
    (shop / "app" / "fixtures" / "seed.db").write_text("two\n")
    assert digest(shop) != before


# --- public fingerprint ------------------------------------------------------------------------


def test_a_public_value_changes_the_fingerprint_and_a_secret_does_not() -> None:
    plain = inputs.env_fingerprint(PUBLIC)
    assert inputs.env_fingerprint({**PUBLIC, "PAYLOAD_SECRET": "other", "PORT": "3000"}) == plain
    assert inputs.env_fingerprint({**PUBLIC, "NEXT_PUBLIC_SERVER_URL": "https://b.example"}) != plain
    assert inputs.env_fingerprint({**PUBLIC, "NEXT_PUBLIC_NEW": ""}) != plain


names = st.sampled_from(["NEXT_PUBLIC_A", "NEXT_PUBLIC_B", "SECRET"])


@given(env=st.dictionaries(names, st.text(max_size=3)), other=st.dictionaries(names, st.text(max_size=3)))
def test_equal_fingerprints_mean_equal_public_values(env: dict[str, str], other: dict[str, str]) -> None:
    def public(values: dict[str, str]) -> dict[str, str]:
        return {key: value for key, value in values.items() if key.startswith("NEXT_PUBLIC_")}

    same = inputs.env_fingerprint(env) == inputs.env_fingerprint(dict(reversed(other.items())))
    assert same == (public(env) == public(other))
