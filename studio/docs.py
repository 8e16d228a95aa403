"""`python -m studio.docs`: writes the generated parts of docs/. A test says when they are stale."""

from __future__ import annotations

import inspect
from pathlib import Path

from studio.hooks import CHAIN, COLLECT, HOOK_API, NOTIFY, HookSpecs
from studio.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
GUIDE = """# Extensions

An extension is a folder with `extension.toml` and a Python module, in `user_data/extensions/`:

```toml
name = "shout"            # the folder's name
version = "1.0.0"
title = "Shout"
description = "Answers in capitals."
hook_api = 1
```

```python
# extension.py
from studio.api import hookimpl

@hookimpl
def on_text_output(text: str) -> str:
    return text.upper()
```

It imports `studio.api` only (and `studio.ui` and gradio if it draws). Take just the arguments you need: they are passed by name.
Each call is timed and attributed in ⚙ Extensions; three errors switch an extension off. A failing transform fails that job
and names the extension. `--safe` starts without community extensions. Requirements are checked, not installed: one that would
change a package of the studio is refused.

"""


def hooks_page() -> str:
    rows = []
    for verb, names in (("collect", COLLECT), ("chain", CHAIN), ("notify", NOTIFY)):
        for name in names:
            spec = getattr(HookSpecs, name)
            arguments = ", ".join(argument for argument in inspect.signature(spec).parameters if argument != "self")
            text = " ".join((inspect.getdoc(spec) or "").split()).replace("|", "\\|")
            rows.append(f"| `{name}` | {verb} | {arguments} | {text} |")
    return GUIDE + f"## Hooks (HOOK_API = {HOOK_API})\n\n| hook | verb | arguments | what |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def settings_page() -> str:
    rows = [
        f"| `{name}` | `SEISEI_{name.upper()}` | `{field.get_default()!r}` | {field.description} |" for name, field in Settings.model_fields.items()
    ]
    return "# Settings\n\n| name | environment | default | what |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


PAGES = {"extensions.md": hooks_page, "settings.md": settings_page}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
