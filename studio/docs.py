"""`python -m studio.docs`: writes the generated parts of docs/. A test says when they are stale."""

from __future__ import annotations

import inspect
from pathlib import Path

from studio.hooks import CHAIN, COLLECT, HOOK_API, NOTIFY, HookSpecs
from studio.plugins import read_manifest
from studio.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
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
Each call is timed and attributed in the Extensions tab; three errors switch an extension off. A failing transform fails that job
and names the extension. `--safe` starts without community extensions. Requirements are checked, not installed: one that would
change a package of the studio is refused.

Transforms (chain) and observers (notify) of a community extension run in a process of their own, which is ended when a call
takes longer than five seconds (a setting): a hanging extension can't hang the page. What gives objects (pipelines, tabs, routes,
models) runs in the page's process, pipelines in the worker. The module is imported in each of them; they share no variables, so keep
what must be shared in a file. They get and return plain data: text, numbers, lists, tables, `Artifact`.

## A model for the simulation gallery

One declaration is enough: sliders, live view, plots, experiments, learning from data, restoring and API come from it. This is all of an extension:

```python
# extension.py
import math

import numpy as np
from pydantic import Field

from studio.api import Params, Preset, Series, Simulation, Source, hookimpl, ui

class PendulumParams(Params):
    length: float = Field(1.0, ge=0.1, le=10, title="Length", description="Of the string.", json_schema_extra=ui(unit="m", live=True))
    damping: float = Field(0.1, ge=0, le=2, title="Damping", description="What the air takes.", json_schema_extra=ui(unit="1/s", live=True))
    angle: float = Field(2.5, ge=-3.1, le=3.1, title="Angle at the start", description="0 hangs down.", json_schema_extra=ui(unit="rad"))

class Pendulum(Simulation):
    "θ'' = −g/l sin θ − c θ', by the semi-implicit Euler method."
    id, title, domain, Params = "pendulum", "Pendulum", "Mechanics", PendulumParams
    about = "A weight on a string. Small swings all take the same time, wide ones take longer. With no damping it never rests."
    series = (Series("angle", "Angle", "rad"), Series("speed", "Angular speed", "rad/s"))
    presets = (Preset("Small swings", {"angle": 0.1, "damping": 0.0}), Preset("Nearly upright", {"angle": 3.1}))
    sources = (Source("C. Huygens, Horologium oscillatorium (1673)"),)
    duration = 20.0

    def time_step(self, params):
        return 0.005

    def init(self, params, rng):
        return np.array([params.angle, 0.0])

    def step(self, state, params, rng):
        speed = state[1] - 0.005 * (9.81 / params.length * math.sin(state[0]) + params.damping * state[1])
        return np.array([state[0] + 0.005 * speed, speed])

    def observe(self, state, params):
        return {"angle": state[0], "speed": state[1]}

@hookimpl
def register_simulations():
    return [Pendulum()]
```

`render(state, params)` adds a picture ((height, width, 3) bytes), `poke(state, params, x, y, rng)` and `pokes = True` what a click in it does, `changed(…)` what the state must follow
when a live field changes, `advance(…)` a faster loop. All chance comes from `rng`, so that a seed repeats a run. `pipelines/simulation/models/` has many to copy.

## A tab of one's own

`extensions/hello_tab` is the example to copy: a Markov chain makes new names from a list of names.

- `extension.py` registers; `names.py` computes; `tab.py` draws, in a file of its own as the worker has no use for Gradio.
- `NameParams` declares the fields. They make the controls (`ui.controls`), the REST route, the metadata inside each output and its restoring.
- `Names.run(params, ctx)` computes, in the worker. `ctx.progress` reports and is where Stop takes effect; `ctx.text` streams; the `Result` is saved to the gallery.
- `NamesTab.build(studio)` draws with Gradio. `studio.submit(…)` starts the job; `.wait()` or `job.events()` follows it;
  `ui.Problem` says what was refused at the control of its field, with a button where one click mends it; `ui.toast` shows any other error in the page's language.
- `ui.on_choice(…)` calls a handler when somebody chose in a list. Gradio's own `input` event comes whenever a list is left, too.
- `ui.on_restore(…)` fills the controls when a dropped file or “Use its settings” asks for it; what a page takes in besides (a piece
  on a desk) does a function in `studio.takers[pipeline_id]`; `ui.last_results("hello.")` shows the strip of last results.
- `register_settings` adds fields to other methods' forms: an `ExtensionParams` class (see `extensions/wildcards`). They are drawn, validated, kept in
  the metadata and restored; hooks get them as `extras["your_extension"]`.
- `[words.ja]` in `extension.toml` brings its own Japanese: lines `"English" = "日本語"`. `{0}` in a key stands for a value inside an error's sentence.

"""


def hooks_page() -> str:
    rows = []
    for verb, names in (("collect", COLLECT), ("chain", CHAIN), ("notify", NOTIFY)):
        for name in names:
            spec = getattr(HookSpecs, name)
            arguments = ", ".join(argument for argument in inspect.signature(spec).parameters if argument != "self")
            text = " ".join((inspect.getdoc(spec) or "").split()).replace("|", "\\|")
            rows.append(f"| `{name}` | {verb} | {arguments} | {text} |")
    hooks = f"## Hooks (HOOK_API = {HOOK_API})\n\n| hook | verb | arguments | what |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    return GUIDE + bundled() + hooks


def bundled() -> str:
    """The extensions that come along, from their own manifests."""
    rows = []
    for folder in sorted(path.parent for path in (ROOT / "extensions").glob("*/extension.toml")):
        about = read_manifest(folder)
        text = about.description.replace("|", "\\|")
        rows.append(f"| `extensions/{folder.name}` | {about.title} | {text} |")
    return "## Bundled\n\n| folder | title | what |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"


def settings_page() -> str:
    rows = [
        f"| `{name}` | `SEISEI_{name.upper()}` | `{field.get_default()!r}` | {field.description} |" for name, field in Settings.model_fields.items()
    ]
    return "# Settings\n\n| name | environment | default | what |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


PAGES = {"extensions.md": hooks_page, "settings.md": settings_page}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
