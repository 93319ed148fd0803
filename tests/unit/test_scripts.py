"""`./deploy.sh`, its siblings and `bin/inv`: from anywhere, with any argument, on a bare machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.support.programs import Programs

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("deploy", "stop", "update", "backup", "restore")
AWKWARD = [
    "two words",
    "it's",
    'a "quote"',
    "two\nlines",
    "--flag=x y",
    "-n",
    "",
    "$HOME",
    "*",
    "\\",
    "é",
    "--",
]

# A `python3` whose `-m venv` makes an environment with a Python that remembers; see `machine`.
PYTHON3 = """
case "$1" in
-c) [ -e '{here}/venv-works' ] || exit 1 ;;
-m)
    [ -e '{here}/venv-breaks' ] && exit 1
    sleep {pause}
    mkdir -p "$3/bin" && cp '{here}/python' "$3/bin/python" ;;
esac
"""
PYTHON = """
[ "$1 $2" = "-m pip" ] || exit 0
[ -e '{here}/pip-breaks' ] && exit 1
[ -e '{here}/pip-is-killed' ] && kill -9 $PPID
exit 0
"""


@dataclass
class Machine:
    """A checkout and what its machine can do."""

    root: Path
    programs: Programs

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def is_(self, state: str, *, true: bool = True) -> None:
        """Set one of: venv-works, venv-breaks, pip-breaks, pip-is-killed."""
        place = self.programs.directory / state
        place.touch() if true else place.unlink()

    def start(self, *argv: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            argv, cwd=cwd or self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *argv: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        with self.start(*argv, cwd=cwd) as process:
            out, err = process.communicate(timeout=20)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def inv(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.root / "bin" / "inv", *arguments)

    def tasks(self) -> list[list[str]]:
        """Return what `tasks.py` was run with, each time."""
        runs = [call for call in self.programs.calls("python") if call[0] == f"{self.root}/tasks.py"]
        return [call[1:] for call in runs]

    def environments_made(self) -> int:
        return sum(call[:2] == ["-m", "venv"] for call in self.programs.calls("python3"))


@pytest.fixture
def machine(tmp_path: Path, programs: Programs) -> Machine:
    """Give a checkout whose directory has an awkward name, and no `.venv` yet."""
    root = tmp_path / 'it\'s my $HOME, "shop"'
    (root / "bin").mkdir(parents=True)
    shutil.copy2(ROOT / "bin" / "inv", root / "bin")
    for name in SCRIPTS:
        shutil.copy2(ROOT / f"{name}.sh", root)
    (root / "requirements.txt").write_text("invoke==2.2.1\n")
    here = programs.directory
    programs.add("python", PYTHON.format(here=here))
    programs.add("python3", PYTHON3.format(here=here, pause=0))
    made = Machine(root, programs)
    made.is_("venv-works")
    return made


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """Give a checkout whose `.venv` is made."""
    (machine.venv / "bin").mkdir(parents=True)
    shutil.copy(machine.programs.directory / "python", machine.venv / "bin")
    shutil.copy(machine.root / "requirements.txt", machine.venv / "pins")
    (machine.venv / "made-with").write_text(f"{(machine.venv / 'bin/python').resolve()}\n")
    return machine


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_the_task_of_its_name_from_any_directory(ready: Machine, name: str) -> None:
    done = ready.run(ready.root / f"{name}.sh", "--flag", cwd=Path("/"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ready.tasks() == [[name, "--flag"]]


def test_a_script_works_through_symbolic_links(ready: Machine, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "deploy-shop").symlink_to(ready.root / "deploy.sh")
    (elsewhere / "again").symlink_to("deploy-shop")
    (elsewhere / "shop").symlink_to(ready.root)
    (elsewhere / "inv").symlink_to("shop/bin/inv")
    for command in ("deploy-shop", "again", "shop/deploy.sh"):
        assert ready.run(elsewhere / command, cwd=elsewhere).returncode == 0
    assert ready.run("./inv", "stop", cwd=elsewhere).returncode == 0
    assert ready.tasks() == [["deploy"], ["deploy"], ["deploy"], ["stop"]]


def test_a_script_works_when_it_is_found_on_path(ready: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{ready.root}{os.pathsep}{os.environ['PATH']}")
    assert ready.run("stop.sh", cwd=Path("/")).returncode == 0
    assert ready.tasks() == [["stop"]]


def test_every_argument_arrives_as_it_was_given(ready: Machine) -> None:
    assert ready.run(ready.root / "deploy.sh", *AWKWARD).returncode == 0
    assert ready.inv(*AWKWARD).returncode == 0
    assert ready.tasks() == [["deploy", *AWKWARD], AWKWARD]


def test_the_exit_code_of_the_task_is_that_of_the_script(ready: Machine) -> None:
    (ready.venv / "bin" / "python").write_text("#!/bin/sh\nexit 42\n")
    assert ready.run(ready.root / "deploy.sh").returncode == 42


def test_the_first_use_makes_the_environment_from_pinned_hashes(machine: Machine) -> None:
    done = machine.inv("--list")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert machine.environments_made() == 1
    (pip,) = [call for call in machine.programs.calls("python") if call[:2] == ["-m", "pip"]]
    assert "--require-hashes" in pip
    assert pip[-1] == str(machine.root / "requirements.txt")
    assert machine.tasks() == [["--list"]]


def test_the_second_use_makes_nothing(machine: Machine) -> None:
    machine.inv("--list")
    done = machine.inv("--list")
    assert done.stderr == ""
    assert machine.environments_made() == 1


def test_the_environment_is_made_anew_when_the_pins_change(ready: Machine) -> None:
    (ready.root / "requirements.txt").write_text("invoke==2.2.2\n")
    (ready.venv / "of-the-old-one").touch()
    assert ready.inv("--list").returncode == 0
    assert ready.environments_made() == 1
    assert not (ready.venv / "of-the-old-one").exists()
    assert (ready.venv / "pins").read_text() == "invoke==2.2.2\n"


def test_the_environment_is_made_anew_when_the_systems_python_was_upgraded(ready: Machine) -> None:
    (ready.venv / "made-with").write_text("/usr/bin/python3.11\n")
    assert ready.inv("--list").returncode == 0
    assert ready.environments_made() == 1


def test_the_environment_is_made_anew_when_its_python_is_gone(ready: Machine) -> None:
    python = ready.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/usr/bin/python-that-was-upgraded-away")
    assert ready.inv("--list").returncode == 0
    assert ready.environments_made() == 1


def test_an_environment_that_was_left_half_way_is_made_anew(machine: Machine) -> None:
    machine.is_("pip-is-killed")
    assert machine.inv("--list").returncode == -9
    assert (machine.venv / "bin" / "python").exists()
    assert machine.tasks() == []
    (machine.venv / "half").touch()

    machine.is_("pip-is-killed", true=False)
    assert machine.inv("--list").returncode == 0
    assert machine.environments_made() == 2
    assert not (machine.venv / "half").exists()
    assert machine.tasks() == [["--list"]]


def test_packages_that_cannot_be_had_end_with_11_and_are_tried_again(machine: Machine) -> None:
    machine.is_("pip-breaks")
    done = machine.inv("deploy")
    assert done.returncode == 11
    assert "error: the Python packages could not be installed\n  why: " in done.stderr
    assert "fix: check that this machine reaches PyPI" in done.stderr
    assert done.stdout == ""
    assert machine.tasks() == []

    machine.is_("pip-breaks", true=False)
    assert machine.inv("deploy").returncode == 0
    assert machine.tasks() == [["deploy"]]


def test_two_first_uses_at_once_make_it_once(machine: Machine) -> None:
    machine.programs.add("python3", PYTHON3.format(here=machine.programs.directory, pause=0.15))
    both = [machine.start(machine.root / "bin" / "inv", name) for name in ("deploy", "status")]
    for process in both:
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
    assert machine.environments_made() == 1
    assert sorted(machine.tasks()) == [["deploy"], ["status"]]


def test_the_lock_of_the_first_use_is_not_handed_to_the_task(machine: Machine) -> None:
    held = machine.programs.directory / "held"
    machine.programs.add("python", f"[ ! -e /proc/$$/fd/9 ] || echo \"$1\" >>'{held}'")
    assert machine.inv("deploy").returncode == 0
    assert machine.tasks() == [["deploy"]]
    assert held.read_text() == "-m\n"  # pip's alone


def test_a_machine_without_venv_is_told_what_to_install(machine: Machine) -> None:
    machine.is_("venv-works", true=False)
    done = machine.inv("deploy")
    assert done.returncode == 11
    what, why, fix = done.stderr.splitlines()
    assert what == "error: python3 cannot make a virtual environment"
    assert "Python 3.10 or newer with venv" in why
    assert "apt-get install python3-venv" in fix
    assert "--provision" in fix
    assert not machine.venv.exists()


def test_a_machine_without_python_is_told_what_to_install(machine: Machine) -> None:
    for name in ("dirname", "readlink", "cmp", "flock", "id"):
        (machine.programs.directory / name).symlink_to(shutil.which(name) or name)
    (machine.programs.directory / "python3").unlink()
    machine.programs.alone()
    done = machine.inv("deploy")
    assert done.returncode == 11
    assert "apt-get install python3-venv" in done.stderr


def _bare(machine: Machine, *, user: int) -> None:
    machine.is_("venv-works", true=False)
    machine.programs.add("id", says=str(user))
    machine.programs.add("apt-get", f'[ "$2" = update ] || touch "{machine.programs.directory}/venv-works"')


def test_provisioning_as_root_installs_what_is_missing(machine: Machine) -> None:
    _bare(machine, user=0)
    done = machine.run(machine.root / "deploy.sh", "--provision")
    assert done.returncode == 0, done.stderr
    update, install = machine.programs.calls("apt-get")
    assert "update" in update
    assert install[-1] == "python3-venv"
    assert machine.tasks() == [["deploy", "--provision"]]
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("user", "arguments"), [(1000, ["--provision"]), (0, []), (0, ["--provisioned"])], ids=str
)
def test_nothing_is_installed_without_being_root_and_asked(
    machine: Machine, user: int, arguments: list[str]
) -> None:
    _bare(machine, user=user)
    assert machine.inv("deploy", *arguments).returncode == 11
    assert machine.programs.calls("apt-get") == []


def test_provisioning_installs_nothing_on_a_machine_that_has_it(machine: Machine) -> None:
    _bare(machine, user=0)
    machine.is_("venv-works")
    assert machine.inv("deploy", "--provision").returncode == 0
    assert machine.programs.calls("apt-get") == []


def test_what_root_makes_in_a_checkout_is_its_owners(machine: Machine) -> None:
    machine.programs.add("id", says="0")
    machine.programs.add("chown")
    assert machine.inv("--list").returncode == 0
    calls = machine.programs.calls("chown")
    assert all(f"--reference={machine.root}" in call for call in calls)
    handed_over = {word for call in calls for word in call if not word.startswith("-")}
    assert handed_over == {str(machine.venv), f"{machine.venv}.lock"}


def test_an_environment_that_cannot_be_made_ends_with_11(machine: Machine) -> None:
    machine.is_("venv-breaks")
    done = machine.inv("deploy")
    assert done.returncode == 11
    assert "  fix: " in done.stderr


def test_a_python_that_cannot_be_installed_ends_with_11(machine: Machine) -> None:
    _bare(machine, user=0)
    machine.programs.add("apt-get", complains="E: Unable to locate package python3-venv\n", code=100)
    done = machine.inv("deploy", "--provision")
    assert done.returncode == 11
    assert "  fix: " in done.stderr
