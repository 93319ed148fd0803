"""Every message that the tool can print, read from its source."""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stack import errors, problems

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(errors.__file__).resolve().parents[1]
HOLE = "…"
WARNING = "warning"
FAILURES: list[type[errors.Failure]] = [*errors.Failure.__subclasses__(), errors.Newer, errors.Unfit]
KINDS = {kind.__name__: str(kind.exit_code) for kind in FAILURES}
INVALID = KINDS["Invalid"]
LEVELS = {"ERROR": INVALID, "WARNING": WARNING}
Function = ast.FunctionDef


@dataclass(frozen=True)
class Message:
    """``text`` has ``…`` where values stand; ``code`` is the exit code it comes with, or ``warning``."""

    text: str
    code: str


def all_messages() -> set[Message]:
    """Return what errors, warnings and the checks of environment files say."""
    files = [ROOT / "tasks.py", *sorted((ROOT / "stack").rglob("*.py"))]
    modules = [ast.parse(path.read_text()) for path in files]
    functions = [node for tree in modules for node in ast.walk(tree) if isinstance(node, Function)]
    calls = [node for tree in modules for node in ast.walk(tree) if isinstance(node, ast.Call)]
    source = _Source(functions, calls)
    found = {Message(text, INVALID) for _, text, _ in problems.OF_THE_STACK.values()}
    for function in functions:
        for code, expression in _said_by(function):
            found |= {Message(text, code) for text in source.texts(expression, function)}
    # a value that is all there is, is text of another message handed on
    return {message for message in found if message.text not in ("", HOLE)} | _of_the_shell()


def _said_by(function: Function) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a function raises, warns of, or finds wrong with a file, with the exit code."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func)
            if name in KINDS:
                yield KINDS[name], node.args[0]
            elif name in ("console.warn", "warn"):
                yield WARNING, node.args[0]
            elif name == "Problem" and len(node.args) > 3:
                yield _level(node.args[0]), node.args[3]
        elif isinstance(node, ast.Tuple) and len(node.elts) == 4 and ast.unparse(node.elts[0]) in LEVELS:
            yield _level(node.elts[0]), node.elts[2]


def _choices(expression: ast.expr) -> list[ast.expr]:
    if isinstance(expression, ast.IfExp):
        return [expression.body, expression.orelse]
    return expression.values if isinstance(expression, ast.BoolOp) else []


def _level(level: ast.expr) -> str:
    return LEVELS.get(ast.unparse(level), INVALID)


def _of_the_shell() -> set[Message]:
    said = re.findall(r'fail "([^"]+)" ', (ROOT / "bin" / "inv").read_text())
    return {Message(re.sub(r"\$\w+", HOLE, text), KINDS["Refused"]) for text in said}


@dataclass(frozen=True)
class _Source:
    functions: list[Function]
    calls: list[ast.Call]

    def texts(self, expression: ast.expr, function: Function) -> set[str]:
        """Return what an expression can be, each value that is not text as a hole."""
        if isinstance(expression, ast.Constant):
            return {str(expression.value)}
        if isinstance(expression, ast.Name):
            return set(self._handed_on(expression.id, function)) or {HOLE}
        if joined := self._joined(expression, function):
            return {"".join(choice) for choice in itertools.product(*joined)}
        choices = _choices(expression)
        return {text for choice in choices for text in self.texts(choice, function)} or {HOLE}

    def _joined(self, expression: ast.expr, function: Function) -> list[set[str]]:
        if isinstance(expression, ast.JoinedStr):
            return [self._part(part, function) for part in expression.values]
        if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
            return [self.texts(side, function) for side in (expression.left, expression.right)]
        return []

    def _part(self, part: ast.expr, function: Function) -> set[str]:
        if isinstance(part, ast.FormattedValue):
            value = part.value
            known = isinstance(value, ast.Name) and value.id in ("what", "failed", "message", "new")
            return self.texts(value, function) if known else {HOLE}
        return self.texts(part, function)

    def _handed_on(self, name: str, function: Function) -> Iterator[str]:
        """Follow a name to what was assigned to it, or to what callers gave."""
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                yield from self.texts(node.value, function)
        parameters = [argument.arg for argument in function.args.args]
        for call in self.calls:
            if ast.unparse(call.func).split(".")[-1] == function.name:
                given = dict(zip(parameters, call.args, strict=False))
                given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
                if name in given:
                    yield from self.texts(given[name], self._around(call))

    def _around(self, call: ast.Call) -> Function:
        return next(f for f in self.functions if any(node is call for node in ast.walk(f)))
