"""Finds, in the source, every sentence that an error can tell a user: as a template whose values are {0}, {1} …"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from studio import errors

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("studio", "tabs", "pipelines", "extensions")
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.StudioError)}


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


def sentences() -> dict[str, str]:
    """Each template, and where it is raised."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in ERRORS:
                    continue
                told = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "hint")]
                for text in (text for expression in told for text in templates(expression)):
                    found.setdefault(text, f"{path.relative_to(ROOT)}:{node.lineno}")
    return found
