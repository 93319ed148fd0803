"""Releases that do not work, and a machine that gives out under way: what is told, and what is back."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from stack import envfile
from tests.support import visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.site import Site

BROKEN = 'CMD ["node", "-e", "console.log(process.env.PAYLOAD_SECRET); process.exit(3)"]'
NEVER_HEALTHY = 'CMD ["node", "-e", "setInterval(() => {}, 1000)"]'
GREEDY = 'CMD ["node", "-e", "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))"]'
FORK = "setInterval(() => require('child_process').spawn('sleep', ['60']).on('error', String))"
FORKING = f'CMD ["node", "-e", "{FORK}"]'
IN_THE_TRIAL = "[ $(ls /sys/class/net | wc -l) = 1 ]"  # nothing leads out of it
BROKEN_ON_A_NETWORK = f'CMD ["sh", "-c", "{IN_THE_TRIAL} || exit 3; exec node server.js"]'
NODE = "$(cat /proc/1/task/1/children)"
LEAK = "process.on('SIGUSR2', () => { for (const all = [];;) all.push(Buffer.alloc(1 << 20, 1)) })"
LEAKING = (
    f'RUN echo "{LEAK}" > /home/node/leak.mjs',
    "ENV NODE_OPTIONS=--import=/home/node/leak.mjs",
)


@pytest.fixture(scope="module")
def live(sibling: Callable[..., Site], image: str) -> Site:
    site = sibling("luck", START_LIMIT="60", APP_PIDS="64")
    site.build_on(image)
    site.deploy()
    return site


@pytest.fixture
def site(live: Site, image: str) -> Iterator[Site]:
    """Give a healthy site; afterwards its release, its settings and its data are as before."""
    before, settings = live.status()["release"], (live.root / ".env").read_text()
    post = visitor.editor(live).publish("kept")
    yield live
    live.build_on(image)
    assert live.get(f"/api/posts/{post}").json()["title"] == "kept"
    assert live.status()["release"] == before
    assert (live.root / ".env").read_text() == settings


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        (BROKEN, "trial exits by itself with code 3"),
        (NEVER_HEALTHY, "nothing answers there: ECONNREFUSED"),
        (GREEDY, "trial was killed: it needs more than its memory limit of 768 MiB"),
        (FORKING, "trial is at its limit of 64 processes and threads"),
    ],
    ids=["exits at once", "never healthy", "out of memory", "out of processes"],
)
def test_a_release_that_does_not_work_is_refused_before_any_visitor_meets_it(
    flaw: str, reason: str, site: Site, image: str
) -> None:
    site.build_on(image, flaw)
    site.set(START_LIMIT="9" if flaw in (NEVER_HEALTHY, FORKING) else "60")
    before = site.state()
    done = site.run("./deploy.sh")
    assert site.state() == before
    site.set(START_LIMIT="60")
    assert done.returncode == 11, done.stderr
    assert "error: the trial failed: the release does not work on this data" in done.stderr
    assert f"why: {reason}" in done.stderr
    assert "the trial's last log lines" in done.stderr
    assert envfile.read(site.root / ".env.production")["PAYLOAD_SECRET"] not in done.stderr


def test_a_setting_with_which_the_live_release_does_not_answer_is_refused(site: Site) -> None:
    dotenv = site.root / ".env"
    whole = dotenv.read_text()
    site.set(HEALTH_PATH="/api/nowhere", START_LIMIT="9")
    before = site.state()
    done = site.run("./deploy.sh")
    assert site.state() == before
    dotenv.write_text(whole)
    assert done.returncode == 11, done.stderr
    assert "its health route answers 404" in done.stderr
    assert "is HEALTH_PATH in .env right?" in done.stderr


def test_a_live_release_that_answers_no_more_is_told_by_a_deploy_that_changes_nothing(site: Site) -> None:
    site.set(START_LIMIT="3")
    before = site.state()
    site.inside("app", "sh", "-c", f"kill -STOP {NODE}")
    try:
        done = site.run("./deploy.sh")
    finally:
        site.inside("app", "sh", "-c", f"kill -CONT {NODE}")
    assert site.state() == before
    site.set(START_LIMIT="60")
    assert done.returncode == 21, done.stderr
    assert "is live already, and does not answer" in done.stderr
    assert "why: nothing answered within 3 s" in done.stderr
    assert "its last log lines" in done.stderr


def test_a_previous_release_whose_name_was_taken_away_comes_back_all_the_same(site: Site, image: str) -> None:
    live = envfile.read(site.root / ".env")["APP_IMAGE"]
    subprocess.run(["docker", "rmi", "--force", live], check=True, capture_output=True)
    site.build_on(image, BROKEN_ON_A_NETWORK)
    done = site.run("./deploy.sh")
    assert done.returncode == 20, done.stderr
    assert "the site is up and healthy, its data as before" in done.stderr
    assert "why: app exits by itself with code 3" in done.stderr
    site.compose("down")
    site.compose("up", "--detach", "--no-build", "--wait")
    assert site.is_healthy()


@pytest.fixture
def on_small_disk(
    sibling: Callable[..., Site], image: str, small_disk: Callable[[str], Path]
) -> Iterator[Site]:
    """Give a running site that is removed while its disk is still there."""
    site = sibling("filled", directory=small_disk("size=64m"))
    site.build_on(image)
    site.deploy()
    yield site
    (site.root / "full").unlink(missing_ok=True)
    site.destroy()


def test_a_disk_that_is_full_when_a_release_is_recorded_leads_back(on_small_disk: Site, image: str) -> None:
    site = on_small_disk
    before = envfile.read(site.root / ".env")["APP_IMAGE"]
    site.build_on(image, "LABEL another=release")
    with site.starting("./deploy.sh") as process:
        assert process.stderr
        next(line for line in iter(process.stderr.readline, "") if line.startswith("  Keep its database "))
        filling = ["dd", "if=/dev/zero", f"of={site.root}/full", "bs=64k"]
        subprocess.run(filling, check=False, capture_output=True)
        told = process.stderr.read()
    assert process.returncode == 20, told
    assert "the site is up and healthy, its data as before" in told
    assert "No space left on device" in told
    assert envfile.read(site.root / ".env")["APP_IMAGE"] == before
    assert site.status()["release"] == before.rpartition(":")[2]


def test_a_live_image_that_was_pruned_is_built_anew_for_the_same_data(live: Site) -> None:
    post = visitor.editor(live).publish("before the prune")
    before = envfile.read(live.root / ".env")["APP_IMAGE"]
    assert live.run("./stop.sh").returncode == 0
    subprocess.run(["docker", "rmi", "--force", before], check=True, capture_output=True)
    done = live.run("./deploy.sh")
    assert done.returncode == 0, done.stderr
    assert "the live release's image is gone: build anew" in done.stderr
    assert live.get(f"/api/posts/{post}").json()["title"] == "before the prune"
    live.compose("down")
    subprocess.run(["docker", "rmi", "--force", *live.images()], check=True, capture_output=True)
    live.compose("up", "--detach", "--wait")
    assert live.status()["release"] == "unreleased"  # what plain Compose built under the old name
    assert live.get(f"/api/posts/{post}").json()["title"] == "before the prune"
    live.deploy()


def test_a_site_over_its_memory_limit_is_reported_by_status(sibling: Callable[..., Site], image: str) -> None:
    site = sibling("greedy", APP_MEMORY="256m")
    site.build_on(image, *LEAKING)
    site.deploy()
    assert site.status()["oom_killed"] is False
    site.inside("app", "sh", "-c", f"kill -USR2 {NODE}")
    deadline = time.monotonic() + 60
    while not (told := site.status())["restarts"] and time.monotonic() < deadline:
        time.sleep(0.5)
    assert (told["restarts"], told["oom_killed"]) == (1, True)
    assert "1, killed for its memory" in site.inv("status").stdout


def test_two_deploys_at_once_the_second_is_told_at_once_who_is_at_work(site: Site, image: str) -> None:
    site.build_on(image, "RUN sleep 4 && false")
    with site.starting("./deploy.sh") as first:
        assert first.stderr
        next(line for line in iter(first.stderr.readline, "") if "What changed" in line)
        took = []
        for _ in range(3):  # other things run on a machine too: the quickest counts
            began = time.monotonic()
            second = site.run("./deploy.sh")
            took.append(time.monotonic() - began)
            assert second.returncode == 12, second.stderr
            assert f"deploy, process {first.pid}, since " in second.stderr
        assert first.poll() is None
        first.communicate()
        assert first.returncode == 11
    assert min(took) < 1.0
