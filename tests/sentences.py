"""Finds, in the source, every sentence that an error can tell a user: as a template whose values are {0}, {1} …"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from studio import errors
from studio.i18n import NUMBERED
from studio.params import REFUSALS

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("studio", "tabs", "pipelines", "extensions")


def after_the_title(text: str) -> str:
    """A validator's words as they are told: “Word bias: each value must …”. Its own values move up by one."""
    moved = NUMBERED.sub(lambda mark: f"{{{int(mark[1]) + 1}}}", text)
    return f"{{0}}: {moved[0].lower()}{moved[1:]}."


ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.StudioError)} | {"PromptError", "Diverged", "refused"}
# Reasons that are told inside another sentence
REASONS: dict[str, Callable[[str], str]] = {"scan.py": str, "params.py": after_the_title}


def templates(node: ast.AST) -> Iterator[str]:
    """The texts that an expression can be: both arms of a choice, f-strings with numbered values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        number, text = 0, ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                text += f"{{{number}}}"
                number += 1
        if any(letter.isalpha() for letter in text.replace("{0}", "")):
            yield text
    elif isinstance(node, ast.IfExp):
        yield from templates(node.body)
        yield from templates(node.orelse)


# Notes beside a running job: which argument
NOTES = {"progress": 2, "loading": 0, "report": 0, "_say": 0}


def told_by(node: ast.AST, name: str) -> Iterator[tuple[ast.AST, Callable[[str], str]]]:
    """Expressions that this piece of code tells a user, and how each is put."""
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "problem":
        yield node.value, str
    if isinstance(node, ast.BoolOp) and getattr(node.values[0], "id", "") == "problem":
        yield from ((value, str) for value in node.values[1:])
    if isinstance(node, ast.Call):
        called = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
        if called in NOTES:
            yield from ((value, str) for value in node.args[NOTES[called] : NOTES[called] + 1])
        if called in ERRORS:
            yield from ((value, str) for value in node.args[:1])
        if called == "refused":  # (sentence, token, hint)
            yield from ((value, str) for value in node.args[2:3])
        if called == "ValueError" and name in REASONS:
            yield from ((value, REASONS[name]) for value in node.args[:1])
        if called == "Fix":
            yield from ((value, str) for value in node.args[1:2])
        yield from ((keyword.value, str) for keyword in node.keywords if keyword.arg in ("hint", "missing", "problem"))


def sentences() -> dict[str, str]:
    """Each template, and where it is raised."""
    found = dict.fromkeys(REFUSALS.values(), "studio/params.py")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for expression, put in told_by(node, path.name):
                    for text in templates(expression):
                        found.setdefault(put(text), f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    return found
