"""A VPS as one rents it, the README followed word for word on it, and VPSs on which something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack.engine.containers import PROJECT
from stack.versions import COMPOSE_MINIMUM, ENGINE_MINIMUM, at_least
from tests.support import contents, datacentre, readme, scribe, visitor
from tests.support.site import copy_of_checkout
from tests.support.vps import ENGINE_DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.contents import Contents
    from tests.support.datacentre import System
    from tests.support.vps import Vps

CLONE = f"git clone --quiet {datacentre.ADDRESS} shop"
SHOP = "/root/shop"
BACKUP, MOVING = "backup-and-restore.md", "volume-migration.md"
ELSEWHERE = "To another server"
IMAGE = "sed -n s/^APP_IMAGE=//p .env"
BUILT_IN_A_SECOND = """git clone --quiet {address} /tmp/quick && cd /tmp/quick
echo 'FROM {image}
ARG RELEASE INPUTS
ENV RELEASE=$RELEASE
LABEL inputs="$INPUTS"' > Dockerfile
git -c user.name=test -c user.email=test@example.com commit --quiet --all --message=Quick
git push --quiet"""
SHORT = "printf 'TRIAL_SECONDS=1\\nWATCH_SECONDS=1\\n' >> .env"
VISITED = """rm -f /tmp/done
trap 'touch /tmp/done' EXIT
(until [ -e /tmp/done ]; do
curl -s -o /dev/null --write-out '%{{http_code}}\\n' --max-time 60 127.0.0.1:3000/api/health || true
sleep 0.1
done) > /tmp/visits &
{command}
touch /tmp/done
wait
sort -u /tmp/visits"""
NEW_SETTINGS = "echo APP_MEMORY={memory} >> .env\n./deploy.sh"
INSTALLED = "dpkg-query --show"
FILES = (
    "find . -path ./.venv -prune -o -type f ! -path './.git/*' ! -name .venv.lock ! -name '*.pyc' -print0"
    " | sort -z | xargs -0 sha256sum"
)
CONTAINERS = "docker ps --all --quiet --no-trunc | sort; docker volume ls --quiet | sort"
EVERYTHING = f"{CONTAINERS}; docker images --quiet | sort; docker network ls --format '{{{{.Name}}}}' | sort"


@dataclass(frozen=True)
class Followed:
    """A server on which the README was followed, and what was published before its last blocks."""

    vps: Vps
    title: str
    file: str
    picture: bytes


@pytest.fixture(scope="module")
def followed(rent: Callable[[System], Vps]) -> Followed:
    """Type every block of the README; before the last two, publish and upload something."""
    *until_it_runs, down_and_up, backup = readme.runnable("vps")
    assert [*down_and_up.split(), backup.split()[0]] == ["./stop.sh", "./deploy.sh", "./backup.sh"]
    vps, where, picture = rent(datacentre.FRESH), ".", visitor.picture()
    for block in until_it_runs:
        where = _type(vps, block, where)
    assert where == SHOP
    with vps.visited("shop") as site:
        editor = visitor.editor(site, email="you@example.com")
        editor.publish("Written on a VPS")
        file = editor.upload("red.png", picture)
    _type(vps, down_and_up + backup, where)
    vps.says(SHORT, directory=where)
    return Followed(vps, "Written on a VPS", file, picture)


@pytest.fixture
def shop(followed: Followed) -> Iterator[Vps]:
    """Give the server with its site up, and see that the site was left so, as it was."""
    vps = followed.vps
    before = vps.says(CONTAINERS)
    yield vps
    assert vps.says(CONTAINERS) == before
    _is_healthy(vps)


@pytest.fixture
def ann(shop: Vps) -> Iterator[str]:
    """Make an ordinary user with a clone of her own, set up for what root's site was built of."""
    shop.add_user("ann")
    shop.says(CLONE, user="ann")
    values = "COMPOSE_PROJECT_NAME=ann\nHOST_PORT=3001\nPROXY_NETWORK=ann"
    shop.says(f"printf '{values}\n' | cat {SHOP}/.env - | sed /_VOLUME=/d > /home/ann/shop/.env")
    shop.says(f"install -o ann -m 600 {SHOP}/.env.production /home/ann/shop")
    yield "ann"
    shop.says("cd /home/ann/shop && docker compose down --volumes && (docker network rm ann || true)")
    shop.says(
        f"docker volume ls --quiet --filter label={PROJECT}=ann | xargs --no-run-if-empty docker volume rm"
    )
    shop.says("userdel --remove ann")


@pytest.fixture
def small_disk(shop: Vps) -> Iterator[Vps]:
    """Leave 300 MB to the engine, and give it its disk back."""
    shop.stop_engine()
    shop.says(f"mount -t tmpfs -o size=300m none {ENGINE_DATA}")
    yield shop
    shop.stop_engine()
    shop.says(f"umount {ENGINE_DATA}")
    shop.start_engine()


@pytest.fixture(scope="module")
def old(rent: Callable[[System], Vps]) -> Vps:
    """Give a Debian 12 with its own engine running, and a clone."""
    vps = rent(datacentre.OLD_ENGINE)
    vps.start_engine()
    vps.says(CLONE)
    return vps


@pytest.fixture(scope="module")
def new_server(followed: Followed, old: Vps) -> Vps:
    """Give another server, that reaches the one with the site, and need not build its image for a minute."""
    there, image = followed.vps, followed.vps.says(IMAGE, directory=SHOP).strip()
    old.learn_of(there, "your-server", "old-server")
    old.says(f"ssh root@old-server docker save {image} | docker load")
    old.says(BUILT_IN_A_SECOND.format(address=datacentre.ADDRESS, image=image))
    old.says(f"rm -rf {SHOP}")
    return old


def test_without_python3_venv_a_deploy_is_refused_and_leaves_nothing_behind(
    rent: Callable[[System], Vps], tmp_path: Path
) -> None:
    bare = rent(datacentre.FRESH)
    bare.put(copy_of_checkout(tmp_path), SHOP)
    before = bare.says(f"{FILES}; {INSTALLED}", directory=SHOP)
    done = bare.run("./deploy.sh", directory=SHOP)
    assert done.returncode == 11, done.stderr
    assert done.stderr.startswith("error: python3 cannot make a virtual environment")
    assert "fix: apt-get install python3-venv" in done.stderr
    assert bare.says(f"{FILES}; {INSTALLED}", directory=SHOP) == before
    assert bare.run("ls .venv", directory=SHOP).returncode != 0


def test_whoever_follows_the_readme_on_a_bare_vps_has_a_site_whose_data_outlives_a_stop(
    followed: Followed,
) -> None:
    with followed.vps.visited("shop") as site:
        posts = site.get("/api/posts").json()["docs"]
        assert [post["title"] for post in posts] == [followed.title]
        assert site.get(followed.file).content == followed.picture
    followed.vps.says("curl --fail --silent 127.0.0.1:3000/admin/login")
    env = followed.vps.says("cat .env.production", directory=SHOP)
    assert "\nNEXT_PUBLIC_SERVER_URL=https://shop.example.com\n" in env


def test_a_backup_brings_everything_back_after_the_volumes_were_deleted(followed: Followed) -> None:
    vps, before = followed.vps, _contents(followed.vps)
    archive = vps.says("./backup.sh", directory=SHOP).splitlines()[-1]
    told = vps.says("docker compose down --volumes && ./restore.sh --yes", directory=SHOP)
    assert told.splitlines()[-1] == archive
    assert _contents(vps) == before
    assert followed.title in before.posts.values()


def test_an_archive_is_read_by_hand_with_tar_python_and_sha256sum(followed: Followed) -> None:
    vps = followed.vps
    vps.says("apt-get install --yes zstd")
    (by_hand,) = readme.runnable("vps", readme.sections(BACKUP)["Look into an archive by hand"])
    told = vps.says(by_hand, directory=SHOP).splitlines()
    assert told == ["database/payload.db: OK", f"media/{followed.file.split('/')[-1]}: OK", "(1,)"]


def test_a_deploy_of_new_settings_fails_no_visitor_and_keeps_the_gate(followed: Followed) -> None:
    _assert_updated_unnoticed(followed.vps, "700m")


def test_an_engine_that_is_stopped_is_named_and_brings_the_site_back_by_itself(shop: Vps) -> None:
    shop.stop_engine()
    done = {command: shop.run(command, directory=SHOP) for command in ("./deploy.sh", "bin/inv status")}
    shop.start_engine()
    for command, told in done.items():
        assert told.returncode == 11, f"{command}: {told.stderr}"
        assert "error: no Docker engine is running here" in told.stderr


def test_a_user_outside_group_docker_is_refused_and_told_of_the_group(shop: Vps, ann: str) -> None:
    done = shop.run("./deploy.sh", user=ann, directory="shop")
    assert done.returncode == 11, done.stderr
    assert "error: no permission to talk to the Docker engine" in done.stderr
    assert "fix: `sudo usermod -aG docker $USER`" in done.stderr


def test_a_user_in_group_docker_deploys_backs_up_restores_and_stops_without_root(shop: Vps, ann: str) -> None:
    shop.says(f"usermod -aG docker {ann}")
    deployed = shop.run("./deploy.sh", user=ann, directory="shop")
    assert deployed.returncode == 0, deployed.stderr
    assert "nothing: no build" in deployed.stderr
    shop.says("curl --fail --silent http://127.0.0.1:3001/api/health")
    updated = shop.run(NEW_SETTINGS.format(memory="690m"), user=ann, directory="shop")
    assert updated.returncode == 0, updated.stderr
    assert "Start the new release" in updated.stderr
    shop.says("curl --fail --silent http://127.0.0.1:3001/api/health")
    backed_up = shop.run("./backup.sh --drill", user=ann, directory="shop")
    assert backed_up.returncode == 0, backed_up.stderr
    archive = backed_up.stdout.strip()
    assert shop.says(f"stat --format '%U %a' {archive} $(dirname {archive})") == "ann 600\nann 700\n"
    restored = shop.run("./restore.sh --yes", user=ann, directory="shop")
    assert (restored.returncode, restored.stdout.strip()) == (0, archive), restored.stderr
    shop.says("curl --fail --silent http://127.0.0.1:3001/api/health")
    stopped = shop.run("./stop.sh", user=ann, directory="shop")
    assert stopped.returncode == 0, stopped.stderr
    assert shop.says("find /home/ann ! -user ann") == ""


def test_with_300_mb_of_disk_one_error_says_how_much_is_free_and_nothing_is_made(small_disk: Vps) -> None:
    before = small_disk.says(FILES, directory=SHOP)
    done = small_disk.run("./deploy.sh --provision", directory=SHOP)
    assert done.returncode == 11, done.stderr
    assert done.stderr.count("error: ") == 1
    assert "free" in done.stderr
    assert small_disk.says(EVERYTHING).split() == ["bridge", "host", "none"]
    assert small_disk.says(FILES, directory=SHOP) == before


@pytest.mark.parametrize(
    ("command", "step"),
    [
        ("./restore.sh --yes", "Fill new volumes"),
        ("./restore.sh --yes", "Health, from inside"),
        (NEW_SETTINGS.format(memory="680m"), "Start the new release"),
    ],
    ids=["restore, before the hold", "restore, in the hold", "update, in the hold"],
)
def test_an_engine_that_stops_in_the_middle_leaves_what_resume_makes_good(
    command: str, step: str, followed: Followed
) -> None:
    vps = followed.vps
    vps.says("./backup.sh\ncp .env aside", directory=SHOP)
    with vps.visited("shop") as site:
        visitor.editor(site, email="you@example.com").publish("Written after the backup")
        before = contents.of(site)
    volumes = vps.says("docker volume ls --quiet | sort")
    done = vps.run(f"{_stopping_at(step)} &\n{command}", directory=SHOP)
    assert done.returncode in (11, 21), done.stderr
    assert "Traceback" not in done.stderr
    vps.start_engine()
    assert f'was broken off at "{step}"' in vps.run("bin/inv status", directory=SHOP).stderr
    vps.says("bin/inv resume\nmv aside .env", directory=SHOP)
    _is_healthy(vps)
    with vps.visited("shop") as site:
        assert contents.of(site) == before
    assert vps.says("docker volume ls --quiet | sort") == volumes
    assert "nothing is unfinished" in vps.run("bin/inv resume", directory=SHOP).stderr


def test_an_engine_that_is_too_old_is_refused_and_nothing_is_touched(old: Vps) -> None:
    look = f"{FILES}; {INSTALLED}; {EVERYTHING}"
    before = old.says(look, directory=SHOP)
    done = old.run("./deploy.sh", directory=SHOP)
    assert done.returncode == 11, done.stderr
    assert "error: the Docker engine is too old: 20.10" in done.stderr
    assert "needs 25" in done.stderr
    assert old.says(look, directory=SHOP) == before


def test_provision_replaces_an_engine_that_is_too_old(old: Vps) -> None:
    assert old.says("docker version --format '{{.Server.Version}}'").startswith("20.10")
    done = old.run("bin/inv provision", directory=SHOP)
    assert done.returncode == 0, done.stderr
    engine = old.says("docker version --format '{{.Server.Version}}'")
    assert at_least(engine, ENGINE_MINIMUM)
    assert at_least(old.says("docker compose version --short"), COMPOSE_MINIMUM)
    assert old.says("bin/inv status", directory=SHOP).startswith("site       shop\n")


def test_archives_are_copied_away_closed_to_others(new_server: Vps) -> None:
    (copying,) = readme.runnable("elsewhere", readme.sections(BACKUP)["Away from the server"])
    _type(new_server, copying, ".")
    modes = new_server.says("find shop-backups -printf '%m %y\\n' | sort -u").splitlines()
    assert modes == ["600 f", "700 d"]


def test_whoever_follows_the_document_moves_the_site_to_another_server(
    followed: Followed, new_server: Vps
) -> None:
    there, section = followed.vps, readme.sections(MOVING)[ELSEWHERE]
    before = _contents(there)
    getting_ready, moving = readme.runnable("new_server", section)
    where = _type(new_server, getting_ready, ".")
    assert where == SHOP
    new_server.says(SHORT, directory=where)
    for block in readme.runnable("old_server", section):
        _type(there, block, SHOP)
    _type(new_server, moving, where)
    assert _contents(new_server) == before
    there.says("./deploy.sh", directory=SHOP)  # the way back


def test_a_deploy_fails_no_visitor_on_the_older_debian_either(new_server: Vps) -> None:
    _assert_updated_unnoticed(new_server, "700m")


def _assert_updated_unnoticed(vps: Vps, memory: str) -> None:
    """Deploy another limit while somebody reads and somebody writes: none of both fails, nothing is lost."""
    gate = "docker compose ps --quiet gate"
    before = vps.says(gate, directory=SHOP)
    command = VISITED.format(command=NEW_SETTINGS.format(memory=memory))
    with vps.visited("shop") as site:
        with scribe.writing(visitor.editor(site, email="you@example.com")) as written:
            told = vps.says(command, directory=SHOP)
        titles = [*contents.of(site).posts.values()]
    assert told.splitlines()[1:] == ["200"]
    assert written.failed == []
    assert written.acknowledged
    assert [title for title in written.acknowledged if titles.count(title) != 1] == []
    limit = "docker inspect --format '{{.HostConfig.Memory}}' $(docker compose ps --quiet app)"
    assert vps.says(limit, directory=SHOP) == f"{int(memory[:-1]) << 20}\n"
    assert vps.says(gate, directory=SHOP) == before


def _contents(vps: Vps) -> Contents:
    with vps.visited("shop") as site:
        return contents.of(site)


def _type(vps: Vps, block: str, where: str) -> str:
    """Type a block as it stands, with a password for what asks; return where one is afterwards."""
    done = vps.run(f"{block}\npwd", directory=where, stdin=f"{visitor.PASSWORD}\n")
    assert done.returncode == 0, f"{block}\n{done.stderr}"
    return done.stdout.splitlines()[-1]


def _stopping_at(step: str) -> str:
    """Build lines that stop the engine when an operation has come to a step."""
    reached = f"""grep --quiet '"step": "{step}"' .stack/journal 2>/dev/null"""
    engine = "$(cat /var/run/docker.pid)"
    return (
        f"(until {reached}; do sleep 0.01; done; kill {engine}; while kill -0 {engine}; do sleep 0.1; done)"
    )


def _is_healthy(vps: Vps) -> None:
    vps.wait_for("curl --fail --silent http://127.0.0.1:3000/api/health")
