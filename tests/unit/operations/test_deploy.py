"""What a deploy decides: gate and engine answer as told, `docker` is a program that remembers."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from stack import envfile, environment, journal, lock, settings
from stack.errors import Broken, Failure, Invalid, Locked, Refused, Undone
from stack.operations.deploy import deploy
from stack.operations.restart import restart
from stack.operations.stop import stop
from tests.unit.support import engine
from tests.unit.support.servers import Reply
from tests.unit.support.world import NEW, OLD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.support.world import World


RELEASE = re.compile(r"\d{8}T\d{6}Z-(nogit|[0-9a-f]{12}(-dirty)?)")


def failing(kind: type[Failure], world: World) -> Failure:
    with pytest.raises(kind) as failure:
        deploy(world.root)
    return failure.value


def test_the_first_deploy_makes_secrets_builds_starts_and_remembers(world: World) -> None:
    release = deploy(world.root)
    assert RELEASE.fullmatch(release)
    assert world.live == f"shop:{release}"
    assert world.ran() == ["build", "up"]
    assert world.dotenv["APP_IMAGE"] == f"shop:{release}"
    assert world.dotenv["COMPOSE_PROJECT_NAME"] == "shop"
    assert stat.S_IMODE((world.root / ".env.production").stat().st_mode) == 0o600


def test_a_build_gets_name_release_and_inputs_but_no_secret(world: World) -> None:
    release = deploy(world.root)
    given = dict(
        line.split("=", 1) for line in (world.here / "build").read_text().splitlines() if "=" in line
    )
    assert given["APP_IMAGE"] == f"shop:{release}"
    assert given["RELEASE"] == release
    assert given["REVISION"] == release.partition("-")[2]
    assert re.fullmatch(r"[0-9a-f]{64}", given["INPUTS"])
    secret = envfile.read(world.root / ".env.production")["PAYLOAD_SECRET"]
    assert secret not in (world.here / "build").read_text()


def has_built(world: World) -> str:
    """Deploy, and let the image be there with what it was made of; return the release."""
    release = deploy(world.root)
    given = re.search(r"^INPUTS=(\w+)", (world.here / "build").read_text(), re.MULTILINE)
    assert given
    world.docker.has_image(f"shop:{release}", labels={"inputs": given.group(1)})
    return release


def test_a_deploy_with_nothing_new_builds_nothing_and_starts_the_same(world: World) -> None:
    first = has_built(world)
    assert deploy(world.root) == first
    assert world.ran() == ["build", "up", "create", "up"]
    assert world.live == f"shop:{first}"
    assert f"DELETE /containers/{NEW}" in world.docker.asked
    assert not [line for line in world.docker.asked if line.endswith("/stop")]


def test_a_new_container_that_cannot_be_made_leaves_the_site_as_it_was(world: World) -> None:
    world.has_deployed(OLD)
    (world.here / "volumes").touch()
    environment.create(settings.load(world.root))
    before = (world.root / ".env").read_text()
    (world.here / "create-breaks").write_text("Error response from daemon: no space left on device\n")
    failure = failing(Refused, world)
    assert failure.what == "the new container could not be made"
    assert failure.why == "Error response from daemon: no space left on device"
    assert world.ran() == ["build", "create"]
    assert world.live == OLD
    assert (world.root / ".env").read_text() == before
    assert journal.read(settings.load(world.root)) is None


@pytest.mark.parametrize("change", ["application", "base image", "public value", "image is gone"])
def test_what_changed_is_built_again(change: str, world: World) -> None:
    first = has_built(world)
    (world.here / "create-breaks").touch()  # what follows is for an engine that is real
    if change == "application":
        (world.root / "app" / "page.tsx").write_text("export default () => 'new'\n")
    elif change == "base image":
        world.docker.has_image("node:24-alpine", id_="sha256:newer-node")
    elif change == "public value":
        envfile.write(world.root / ".env.production", {"NEXT_PUBLIC_SERVER_URL": "https://new.example"})
    else:
        del world.docker.answers[f"GET /images/shop:{first}/json"]
    failing(Refused, world)
    assert world.ran() == ["build", "up", "build", "create"]


def test_a_build_that_fails_leaves_the_site_as_it_was(world: World) -> None:
    world.has_deployed(OLD)
    before = (world.root / ".env").read_text()
    (world.here / "build-breaks").write_text("#9 1.2 step\nfailed to solve: no such file\n")
    failure = failing(Refused, world)
    assert failure.code == 11
    assert failure.why == "failed to solve: no such file"
    assert "#9 1.2 step" in failure.detail
    assert world.ran() == ["build"]
    assert world.live == OLD
    assert (world.root / ".env").read_text() == before


def test_a_build_that_fails_shows_no_secret(world: World) -> None:
    deploy(world.root)
    secret = envfile.read(world.root / ".env.production")["PAYLOAD_SECRET"]
    (world.root / "app" / "page.tsx").write_text("new\n")
    (world.here / "build-breaks").write_text(f"log {secret}\nError: cannot use {secret}\n")
    assert secret not in str(failing(Refused, world))


def test_a_start_that_fails_shows_no_secret(world: World) -> None:
    deploy(world.root)
    secret = envfile.read(world.root / ".env.production")["PAYLOAD_SECRET"]
    world.programs.add(
        "docker", f'case " $* " in *" version "*) echo 2.40.3 ;; *) echo "bad line: {secret}"; exit 1 ;; esac'
    )
    with pytest.raises(Failure) as failure:
        deploy(world.root)
    assert secret not in str(failure.value)


def test_a_first_deploy_that_does_not_start_leaves_nothing_running(world: World) -> None:
    world.all_new_ones_are_bad = True
    failure = failing(Undone, world)
    assert failure.code == 20
    assert "nothing is left running" in failure.what
    assert failure.why == "app exits by itself with code 3"
    assert "cannot open database" in failure.detail
    assert world.ran() == ["build", "up", "down"]
    assert world.live is None
    assert "APP_IMAGE" not in world.dotenv


def test_a_live_release_that_answers_no_more_is_not_taken_down(world: World) -> None:
    first = has_built(world)
    envfile.write(world.root / ".env", {"START_LIMIT": "1"})
    world.docker.answers["GET /containers/app0ff27c883dfb/stats"] = engine.IDLE
    world.unwell = True
    failure = failing(Broken, world)
    assert failure.code == 21
    assert failure.what == f"release {first} is live already, and does not answer"
    assert "its health route answers 503" in failure.why
    assert "cannot open database" in failure.detail
    assert world.ran() == ["build", "up", "create", "up"]


def test_new_secrets_are_not_made_for_a_database_that_exists(world: World) -> None:
    world.docker.answers["GET /volumes/shop_payload-db"] = {"Name": "shop_payload-db"}
    failure = failing(Invalid, world)
    assert "PAYLOAD_SECRET" in failure.why
    assert not (world.root / ".env.production").exists()
    assert world.ran() == []


def test_a_bad_environment_file_ends_a_deploy_before_anything_is_touched(world: World) -> None:
    (world.root / ".env.production").write_text("PAYLOAD_SECRET=short\n")
    assert failing(Invalid, world).code == 10
    assert world.ran() == []


def test_a_value_that_compose_would_cut_ends_a_deploy_before_anything_is_touched(world: World) -> None:
    deploy(world.root)
    before = world.ran()
    with (world.root / ".env.production").open("a") as file:
        file.write("SMTP_PASSWORD=hunter2$abc\n")
    failure = failing(Invalid, world)
    assert "SMTP_PASSWORD: would not arrive as written" in failure.why
    assert "hunter2" not in str(failure)
    assert [verb for verb in world.ran()[len(before) :] if verb != "version"] == []


def test_what_is_doubtful_in_the_environment_file_is_a_warning_and_the_deploy_goes_on(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.create(settings.load(world.root))
    with (world.root / ".env.production").open("a") as file:
        file.write("HOST_PORT=3100\n")
    deploy(world.root)
    told = "HOST_PORT: is a setting of the stack and does nothing here (set it in .env instead)"
    assert re.search(
        rf"^warning: \.env\.production: line \d+: {re.escape(told)}$", capsys.readouterr().err, re.MULTILINE
    )


def test_a_site_of_the_same_name_elsewhere_is_not_touched(world: World) -> None:
    (world.here / "live").write_text(OLD)
    world.docker.answers["GET /containers/app0ff27c883dfb/json"] = lambda: world.container("/srv")
    for verb in (deploy, stop, restart):
        with pytest.raises(Refused, match="already runs from /srv") as failure:
            verb(world.root)
        assert "COMPOSE_PROJECT_NAME" in failure.value.fix
    assert world.ran() == []
    assert not (world.root / ".env.production").exists()


def test_a_site_whose_checkout_was_moved_is_told_how_to_go_on(world: World) -> None:
    (world.here / "live").write_text(OLD)
    world.docker.answers["GET /containers/app0ff27c883dfb/json"] = lambda: world.container("/srv/gone")
    failure = failing(Refused, world)
    assert "still runs from /srv/gone, which is gone" in failure.what
    assert "keeps the data" in failure.fix


def test_a_checkout_reached_through_a_link_is_the_same_site(world: World, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(world.root)
    (world.here / "live").write_text(OLD)
    world.docker.answers["GET /containers/app0ff27c883dfb/json"] = lambda: world.container(
        str(tmp_path / "link")
    )
    deploy(world.root)


@pytest.mark.parametrize(
    ("says", "complaint"),
    [("2.20.0", "too old: 2.20.0"), ("1.29.2", "too old: 1.29.2"), ("", "Docker has no Compose here")],
)
def test_a_compose_that_is_too_old_or_missing_is_refused(
    says: str, complaint: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGIN_SAYS", says)
    failure = failing(Refused, world)
    assert complaint in failure.what
    assert "2.24" in failure.why


def test_a_base_image_that_cannot_be_had_is_refused_with_the_registrys_reason(world: World) -> None:
    del world.docker.answers["GET /images/node:24-alpine/json"]
    world.docker.answers["POST /images/create"] = Reply(500, '{"message": "dial tcp: no such host"}')
    failure = failing(Refused, world)
    assert "node:24-alpine" in failure.what
    assert failure.why == "dial tcp: no such host"
    assert "--provision" in failure.fix
    assert "build" not in world.ran()


def test_a_base_image_that_is_not_here_is_pulled(world: World) -> None:
    attrs = world.docker.answers.pop("GET /images/node:24-alpine/json")

    def pull() -> Reply:
        world.docker.answers["GET /images/node:24-alpine/json"] = attrs
        return Reply(200, "{}")

    world.docker.answers["POST /images/create"] = pull
    deploy(world.root)
    assert world.ran() == ["build", "up"]


def test_a_second_deploy_at_once_is_refused(world: World) -> None:
    with lock.held(settings.load(world.root), "deploy"):
        assert failing(Locked, world).code == 12
    assert world.ran() == []


@pytest.mark.parametrize("users", [True, False])
def test_a_site_without_a_user_is_warned_about_as_long_as_it_has_none(
    users: bool, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.users = users
    deploy(world.root)
    assert ("warning: no user exists yet" in capsys.readouterr().err) is not users


def test_each_step_is_told_on_stderr(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    deploy(world.root)
    out, err = capsys.readouterr()
    steps = [
        "Environment file",
        "Network proxy",
        "Data",
        "What changed",
        "Room for the build",
        "Build ",
        "Start",
        "Health, through the gate",
    ]
    assert all(line.startswith(f"  {step}") for line, step in zip(err.splitlines(), steps, strict=False))
    assert out == ""
