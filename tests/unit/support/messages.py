"""Every message that the tool can print, read from its source."""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stack import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(errors.__file__).resolve().parents[1]
HOLE = "…"
WARNING = "warning"
KINDS = {kind.__name__: str(kind.exit_code) for kind in errors.Failure.__subclasses__()}
Function = ast.FunctionDef


@dataclass(frozen=True)
class Message:
    """``text`` has ``…`` where values stand; ``code`` is the exit code it comes with, or ``warning``."""

    text: str
    code: str


def all_messages() -> set[Message]:
    files = [ROOT / "tasks.py", *sorted((ROOT / "stack").rglob("*.py"))]
    modules = [ast.parse(path.read_text()) for path in files]
    functions = {node.name: node for tree in modules for node in ast.walk(tree) if isinstance(node, Function)}
    calls = [node for tree in modules for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = set()
    for tree in modules:
        for function in (node for node in ast.walk(tree) if isinstance(node, Function)):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                if call.args and (code := _code(call)):
                    source = _Source(functions, calls)
                    found |= {Message(text, code) for text in source.texts(call.args[0], function)}
    return found | _of_the_shell()


def _code(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "console.warn":
        return WARNING
    return KINDS.get(call.func.id) if isinstance(call.func, ast.Name) else None


def _of_the_shell() -> set[Message]:
    said = re.findall(r'fail "([^"]+)" ', (ROOT / "bin" / "inv").read_text())
    return {Message(re.sub(r"\$\w+", HOLE, text), KINDS["Refused"]) for text in said}


@dataclass(frozen=True)
class _Source:
    functions: dict[str, Function]
    calls: list[ast.Call]

    def texts(self, expression: ast.expr, function: Function) -> set[str]:
        """Return what an expression can be, each value that is not text as a hole."""
        if isinstance(expression, ast.Constant):
            return {str(expression.value)}
        if isinstance(expression, ast.JoinedStr):
            parts = [self._part(part, function) for part in expression.values]
            return {"".join(choice) for choice in itertools.product(*parts)}
        if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
            sides = self.texts(expression.left, function), self.texts(expression.right, function)
            return {"".join(choice) for choice in itertools.product(*sides)}
        if isinstance(expression, ast.IfExp):
            return self.texts(expression.body, function) | self.texts(expression.orelse, function)
        if isinstance(expression, ast.Name):
            return set(self._handed_on(expression.id, function)) or {HOLE}
        return {HOLE}

    def _part(self, part: ast.expr, function: Function) -> set[str]:
        if isinstance(part, ast.FormattedValue):
            value = part.value
            known = isinstance(value, ast.Name) and value.id in ("what", "failed")
            return self.texts(value, function) if known else {HOLE}
        return self.texts(part, function)

    def _handed_on(self, name: str, function: Function) -> Iterator[str]:
        """Follow a name to what was assigned to it, or to what callers gave."""
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                yield from self.texts(node.value, function)
        parameters = [argument.arg for argument in function.args.args]
        if name in parameters:
            place = parameters.index(name)
            for call in self.calls:
                if ast.unparse(call.func).split(".")[-1] == function.name and len(call.args) > place:
                    caller = self._around(call)
                    yield from self.texts(call.args[place], caller)

    def _around(self, call: ast.Call) -> Function:
        return next(f for f in self.functions.values() if any(node is call for node in ast.walk(f)))
