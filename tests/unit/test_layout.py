"""The rules of the house: who may import what, who may start processes, who may print."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(tasks.__file__).resolve().parent
LINES_AT_MOST = 320
TASKS_AT_MOST = 450  # a list, with a line or two for each flag
SCRIPTS = ("deploy", "stop", "update", "backup", "restore")
PROCESS_MODULES = {"subprocess", "pty", "multiprocessing", "popen2", "pexpect"}
PROCESS_CALLS = re.compile(r"os\.(system|popen|fork|forkpty|exec\w+|spawn\w+|posix_spawn\w*)")


def sources() -> dict[str, str]:
    files = [*(ROOT / "stack").rglob("*.py"), ROOT / "tasks.py"]
    return {str(file.relative_to(ROOT)): file.read_text() for file in sorted(files)}


def running_code(source: str) -> Iterator[ast.AST]:
    """Give every node but those that only a type checker reads."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting += node.orelse
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def imported(source: str) -> set[str]:
    """Return the dotted names that a module imports: `from a import b` gives `a` and `a.b`."""
    names: set[str] = set()
    for node in running_code(source):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imports(*wanted: str) -> Callable[[str], bool]:
    """Make a check for an import of one of these modules or of anything below them."""
    return lambda source: any(
        name == module or name.startswith(f"{module}.") for name in imported(source) for module in wanted
    )


def starts_processes(source: str) -> bool:
    calls = {ast.unparse(node) for node in running_code(source) if isinstance(node, ast.Attribute)}
    names = imported(source)
    roots = {name.partition(".")[0] for name in names}
    return bool(roots & PROCESS_MODULES) or any(PROCESS_CALLS.fullmatch(name) for name in calls | names)


def prints(source: str) -> bool:
    written = [ast.unparse(node.func) for node in running_code(source) if isinstance(node, ast.Call)]
    return any(
        re.fullmatch(r"print|pprint|sys\.(__)?std(out|err)(__)?\.write(lines)?", name) for name in written
    )


def offenders(breaks: Callable[[str], bool], *, but: tuple[str, ...]) -> list[str]:
    """Return the modules that break a rule, except those below the named ones."""
    return [name for name, source in sources().items() if not name.startswith(but) and breaks(source)]


def test_only_the_engine_package_imports_the_docker_sdk() -> None:
    assert offenders(imports("docker"), but=("stack/engine/",)) == []


def test_nobody_imports_fabric_before_there_is_a_remote() -> None:
    assert offenders(imports("fabric", "paramiko"), but=("stack/remote",)) == []


def test_only_run_starts_processes() -> None:
    assert offenders(starts_processes, but=("stack/run.py",)) == []


def test_only_the_console_prints_but_for_the_last_words_of_the_command_line() -> None:
    assert offenders(prints, but=("stack/console.py", "stack/cli.py")) == []
    (allowed,) = [line for line in sources()["stack/cli.py"].splitlines() if "print(" in line]
    assert "noqa: T201" in allowed


def test_only_the_console_knows_rich() -> None:
    assert offenders(imports("rich"), but=("stack/console.py",)) == []


def test_only_compression_knows_zstd_and_gzip() -> None:
    libraries = imports("backports", "compression", "zlib", "gzip", "zstandard")
    assert offenders(libraries, but=("stack/compression.py",)) == []


def test_only_the_table_of_contents_imports_operations() -> None:
    assert offenders(imports("stack.operations"), but=("stack/operations/", "tasks.py")) == []


def test_only_the_command_line_knows_invoke() -> None:
    assert offenders(imports("invoke"), but=("tasks.py", "stack/cli.py", "stack/errors.py")) == []


def test_no_module_is_long() -> None:
    lengths = {name: len(source.splitlines()) for name, source in sources().items()}
    assert lengths.pop("tasks.py") <= TASKS_AT_MOST
    assert {name: lines for name, lines in lengths.items() if lines > LINES_AT_MOST} == {}


@pytest.mark.parametrize(
    ("breaks", "source"),
    [
        (imports("docker"), "import docker"),
        (imports("docker"), "from docker.errors import NotFound"),
        (imports("docker"), "def late():\n    import docker.utils"),
        (imports("docker"), "if TYPE_CHECKING:\n    pass\nelse:\n    import docker"),
        (imports("stack.operations"), "from stack import operations"),
        (imports("stack.operations"), "from stack.operations.deploy import deploy"),
        (starts_processes, "import subprocess as sp"),
        (starts_processes, "from os import execvp"),
        (starts_processes, "import os\nos.system('ls')"),
        (starts_processes, "import os\nrun = os.posix_spawn"),
        (prints, "print('x')"),
        (prints, "import sys\nsys.stderr.write('x')"),
    ],
)
def test_a_module_that_breaks_a_rule_is_found(breaks: Callable[[str], bool], source: str) -> None:
    assert breaks(source)


@pytest.mark.parametrize(
    ("breaks", "source"),
    [
        (imports("docker"), "if TYPE_CHECKING:\n    from docker import DockerClient"),
        (imports("docker"), "import dockerfile"),
        (imports("stack.operations"), "from stack import run"),
        (starts_processes, "import os\nos.path.exists('x')"),
        (prints, "console.print('x')"),
    ],
)
def test_a_module_that_keeps_a_rule_is_left_alone(breaks: Callable[[str], bool], source: str) -> None:
    assert not breaks(source)


def test_listing_the_tasks_loads_nothing_heavy() -> None:
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", ROOT / "tasks.py", "--list"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in listed.stderr.splitlines()}
    assert "invoke" in loaded
    assert (
        loaded & {"docker", "fabric", "paramiko", "rich", "requests", "urllib3", "dotenv", "backports"}
        == set()
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_is_one_line_for_a_task_of_its_name(name: str) -> None:
    script = ROOT / f"{name}.sh"
    shebang, line = script.read_text().splitlines()
    assert shebang == "#!/bin/sh"
    assert line == f'exec "$(dirname "$(readlink -f "$0")")/bin/inv" {name} "$@"'
    assert script.stat().st_mode & 0o111 == 0o111
    assert name in tasks.ns.task_names


@pytest.mark.parametrize("name", sorted(tasks.ns.task_names))
def test_each_task_says_in_one_line_what_it_does(name: str) -> None:
    said = (tasks.ns[name].__doc__ or "").strip()
    assert re.fullmatch(r"[A-Z].{10,95}\.", said)


@pytest.mark.parametrize("pins", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned_by_hash(pins: str) -> None:
    text = (ROOT / pins).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    assert [line for line in lines if not re.match(r"[\w.-]+(\[\w,]+)?==\S+ .*--hash=sha256:", line)] == []


def task_functions() -> list[ast.FunctionDef]:
    functions = [node for node in ast.parse(sources()["tasks.py"]).body if isinstance(node, ast.FunctionDef)]
    return [function for function in functions if function.decorator_list]


@pytest.mark.parametrize("function", task_functions(), ids=lambda function: function.name)
def test_each_flag_of_a_task_is_explained(function: ast.FunctionDef) -> None:
    flags = {argument.arg.replace("_", "-") for argument in function.args.args[1:]}
    explained = re.findall(r"'([a-z-]+)': '\S", ast.unparse(function.decorator_list[0]))
    assert set(explained) == flags


def test_no_task_runs_shell_text_through_the_context_of_invoke() -> None:
    assert {function.args.args[0].arg for function in task_functions()} == {"_"}
