"""What is in the image, what is not, and what a change of the application costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import pytest

from stack import envfile, settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from docker import DockerClient
    from docker.models.containers import Container

    from tests.support.site import Site

LIMIT = 300_000_000  # bytes, unpacked


def test_the_image_is_smaller_than_300_mb(engine: DockerClient, image: str) -> None:
    assert engine.images.get(image).attrs["Size"] < LIMIT


def test_the_image_says_what_it_was_made_of(engine: DockerClient, image: str) -> None:
    labels = engine.images.get(image).labels
    release = image.rpartition(":")[2]
    assert re.fullmatch(r"[0-9a-f]{64}", labels["inputs"])
    assert labels["org.opencontainers.image.version"] == release
    assert release.endswith(labels["org.opencontainers.image.revision"])
    assert labels["org.opencontainers.image.created"].startswith("20")


def test_no_secret_is_in_the_image_or_its_history(engine: DockerClient, shop: Site, image: str) -> None:
    env = envfile.read(shop.root / ".env.production")
    secrets = [env["PAYLOAD_SECRET"], env["NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"]]
    container = engine.containers.create(image)
    try:
        assert _found(_content(container), ["Payload"]), "the search finds nothing at all"
        assert not _found(_content(container), secrets)
    finally:
        container.remove()
    history = str(engine.images.get(image).history())
    assert not [secret for secret in secrets if secret in history]


def test_the_application_owns_its_data_and_nothing_else(shop: Site) -> None:
    assert shop.inside("app", "id", "-u").strip() == "1000"
    modes = shop.inside("app", "stat", "-c", "%U %a", "/data", "/app/public/media", "/app/.next/cache")
    assert set(modes.splitlines()) == {"node 700"}
    with pytest.raises(AssertionError, match="Read-only file system"):
        shop.inside("app", "touch", "/app/server.js")


def test_a_one_line_change_reuses_the_dependency_layer(engine: DockerClient, shop: Site) -> None:
    """And a changed ``NEXT_PUBLIC_`` value reaches the browser's code by itself."""
    before = _layers(engine, shop)
    page = next((shop.root / "app" / "src").rglob("page.tsx"))
    page.write_text(f"{page.read_text()}\n// one more line\n")
    address = {"NEXT_PUBLIC_SERVER_URL": "http://changed.example"}
    envfile.write(shop.root / ".env.production", address)

    built = shop.run("docker", "compose", "--progress", "plain", "build", "app", env=_arguments(shop))
    assert built.returncode == 0, built.stderr
    told = built.stdout + built.stderr
    steps = re.findall(r"#(\d+) \[deps .*npm ci", told)
    assert steps, told
    assert all(f"#{step} CACHED" in told for step in steps), told

    release = shop.deploy()
    after = _layers(engine, shop)
    assert len(set(before) & set(after)) >= len(before) - 1, "more than the site's own layer changed"
    assert shop.status()["release"] == release
    files = shop.inside("app", "grep", "-rl", "http://changed.example", "/app/.next")
    assert files.strip()


def _layers(engine: DockerClient, site: Site) -> list[str]:
    name = settings.load(site.root).app_image
    layers: list[str] = engine.images.get(name).attrs["RootFS"]["Layers"]
    return layers


def _arguments(site: Site) -> dict[str, str]:
    from stack import inputs  # noqa: PLC0415 - imports the Docker SDK

    env = envfile.read(site.root / ".env.production")
    return {"APP_IMAGE": f"{site.name}:trial", "ENV_FINGERPRINT": inputs.env_fingerprint(env)}


def _content(container: Container) -> Iterable[bytes]:
    return cast("Iterable[bytes]", container.export())  # the SDK's types say text


def _found(chunks: Iterable[bytes], words: list[str]) -> bool:
    tail = b""
    for chunk in chunks:
        window = tail + chunk
        if any(word.encode() in window for word in words):
            return True
        tail = window[-200:]
    return False
