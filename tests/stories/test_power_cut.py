"""The engine is killed, or the whole machine, in the middle of an update: what comes back by itself.

A server with systemd at work, where `provision` has written the unit that resumes at boot. Three moments;
with `--full` each phase of the hold, both ways.
"""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support import datacentre, scribe, stage, variants, visitor
from tests.support.site import Site
from tests.support.stage import NEW, OLD
from tests.support.variants import GOOD, REWRITES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Deployed
    from tests.support.datacentre import System
    from tests.support.scribe import Scribe
    from tests.support.variants import Variant
    from tests.support.vps import Vps

SHOP = "/root/shop"
NEEDED = "apt-get update --quiet && apt-get install --yes --quiet git python3-venv"
APPS = "docker ps --quiet --filter label=com.docker.compose.service=app"
ENGINE, MACHINE = "the engine", "the machine"
HALTED = "/root/halted"
UNIT = "systemctl list-units --all --plain --no-legend 'payload-stack-*'"


@dataclass(frozen=True)
class Phase:
    """A part of the hold, how the shell sees that it has come, and the side that the data is on then.

    ``codes`` are those that an update may end with whose engine has died.
    """

    name: str
    has_come: str
    side: str = OLD
    codes: tuple[int, ...] = (20, 21)


def at(step: str) -> str:
    return f"""grep --quiet '"step": "{step}"' .stack/journal 2>/dev/null"""


def noted(fact: str) -> str:
    return f"""grep --quiet '"{fact}"' .stack/journal 2>/dev/null"""


HALF_WAY = Phase(
    "half-way through a migration",
    f"{noted('unproven')} && docker logs $({APPS} --latest) 2>/dev/null | grep --quiet 'half migrated'",
)
PROVEN = Phase("proven", noted("proven"), NEW)
PHASES = (
    Phase("visitors wait", at("Visitors wait, requests end"), codes=(11,)),
    Phase("the old release stops", at("Stop the old release")),
    Phase("the database is kept", at("Keep its database")),
    Phase("the new release is to start", at("Start the new release")),
    HALF_WAY,
    PROVEN,
    Phase("watched", at("Watch, through the gate"), NEW),
)
FULL = tuple((what, phase) for phase in PHASES for what in (ENGINE, MACHINE))
SHORT = ((ENGINE, HALF_WAY), (MACHINE, HALF_WAY), (MACHINE, PROVEN))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "phase" in metafunc.fixturenames:
        chosen = FULL if metafunc.config.getoption("--full") else SHORT
        ids = [f"{what} dies: {phase.name}" for what, phase in chosen]
        metafunc.parametrize(("what", "phase"), chosen, ids=ids)


@dataclass(frozen=True)
class Shop:
    """A server with a site; ``desk`` is where its Dockerfile is written, ``base`` what that builds on."""

    vps: Vps
    desk: Site
    base: str

    def says(self, script: str) -> str:
        return self.vps.says(script, directory=SHOP)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        return self.vps.run(script, directory=SHOP)

    def check_out(self, variant: Variant) -> None:
        variants.check_out(self.desk, self.base, variant)
        self.vps.put(self.desk.root, SHOP)

    def journal(self) -> dict[str, object]:
        """Return the facts of what is unfinished, nothing where that is nothing."""
        told = self.run("cat .stack/journal")
        facts: dict[str, object] = json.loads(told.stdout)["facts"] if told.returncode == 0 else {}
        return facts


@pytest.fixture(scope="module")
def shop(
    rent: Callable[[System], Vps],
    first_deploy: Deployed,
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Shop:
    """Give a server on which a site serves that knows the image of the tests' first deploy."""
    vps, desk = rent(datacentre.BOOTING), tmp_path_factory.mktemp("desk")
    vps.put(template, SHOP)
    shop = Shop(vps, Site(desk, "shop", 3000, "proxy"), first_deploy.image)
    shop.says(f"{NEEDED} && bin/inv provision")
    _carry(first_deploy.image, vps)
    vps.run(f"umask 077\ncat > {SHOP}/.env.production", stdin=first_deploy.env)
    values = "\n".join(f"{name}={value}" for name, value in stage.SETTINGS.items())
    shop.says(f"printf '{values}\n' >> .env")
    shop.check_out(GOOD)
    shop.says("./deploy.sh")
    with vps.visited("shop") as site:
        visitor.editor(site).upload("picture.png", visitor.picture())
    return shop


def _carry(image: str, vps: Vps) -> None:
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
        subprocess.run([*vps.door.ssh("root"), "docker load"], stdin=saving.stdout, check=True)
    assert saving.returncode == 0


def test_what_dies_in_the_middle_of_an_update_leaves_the_site_wholly_old_or_wholly_new(
    what: str, phase: Phase, shop: Shop
) -> None:
    shop.check_out(REWRITES)
    with shop.vps.visited("shop") as site:
        editor = visitor.editor(site)
        before = _captions(site)
        with scribe.writing(editor) as written:
            (_kill_the_engine if what is ENGINE else _cut_the_power)(shop, phase)
    with shop.vps.visited("shop") as site:
        assert (OLD if _captions(site) == before else NEW) == phase.side
        assert phase.side == OLD or _all_migrated(site)
        _assert_kept(written, site)
        visitor.editor(site).publish("written afterwards")
    files = "sha256sum .env .env.production; docker ps --all --no-trunc --format '{{.ID}} {{.State}}'"
    state = shop.says(files)
    assert "nothing is unfinished" in shop.run("bin/inv resume").stderr
    assert shop.says(files) == state
    assert len(shop.says(APPS).split()) == 1


def _kill_the_engine(shop: Shop, phase: Phase) -> None:
    """Kill -9 the engine; systemd starts another, which does what it does. Then resume."""
    done = shop.run(f"(until {phase.has_come}; do sleep 0.01; done; kill -9 $(pidof dockerd)) &\n./deploy.sh")
    assert done.returncode in phase.codes, done.stderr
    assert "Traceback" not in done.stderr
    shop.vps.wait_for("docker version")
    facts = shop.journal()
    if "unproven" in facts and "proven" not in facts:
        assert shop.says(APPS) == "", "something started by itself on half a migration"
    resumed = shop.run("bin/inv resume")
    assert resumed.returncode == 0, resumed.stderr


def _cut_the_power(shop: Shop, phase: Phase) -> None:
    """Halt the operation where it is, cut the power, and type nothing any more."""
    halt = """kill -STOP $(sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p' .stack/journal)"""
    lines = f"(until {phase.has_come}; do sleep 0.01; done; {halt}; touch {HALTED}) &\n./deploy.sh"
    with ThreadPoolExecutor() as pool:
        deploy = pool.submit(shop.run, lines)
        shop.vps.wait_for(f"test -e {HALTED}")
        assert not deploy.done(), deploy.result().stderr
        shop.vps.lose_power()
        assert deploy.result().returncode == 255
    shop.says(f"rm {HALTED}")
    shop.vps.wait_for(f"test ! -e {SHOP}/.stack/journal")
    assert "failed" not in shop.says(UNIT)


def _captions(site: Site) -> list[str]:
    return [picture["alt"] for picture in site.get("/api/media?limit=1000").json()["docs"]]


def _all_migrated(site: Site) -> bool:
    captions = set(_captions(site))
    return len(captions) == 1 and captions.pop().startswith("migrated by ")


def _assert_kept(written: Scribe, site: Site) -> None:
    posts = site.get("/api/posts?limit=100000&depth=0").json()["docs"]
    titles = [post["title"] for post in posts]
    assert written.acknowledged
    assert [title for title in written.acknowledged if titles.count(title) != 1] == []
