"""Controls made from a Params class, and who is asking. Tabs and extensions that draw import this."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import unquote

import gradio as gr
from pydantic.fields import FieldInfo

from studio.errors import BadInput, NotAllowed, StudioError
from studio.host import Studio
from studio.i18n import language
from studio.params import Params

RESTORE = "seisei-restore"  # the unseen button that the page's script presses
PROBLEM = (Path(__file__).parent / "problem.js").read_text(encoding="utf-8")
CHOSEN = "() => window.seisei.chosen({id})"
GIVE = """(file) => {
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(new Blob([file.text], { type: 'text/plain;charset=utf-8' })), download: file.name });
  link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  return [null];
}"""
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}  # for what streams or takes long
QUICK = QUIET | {"queue": False}  # for what answers at once: no place in Gradio's queue, one request there and back
EACH = QUICK | {"trigger_mode": "multiple"}  # for a choice that a script tells with its value: Gradio leaves out those made while an earlier one is being answered, so that the last of several quick clicks would be lost
Bounds = tuple[float | None, float | None]


def as_it_is(count: int) -> list[Any]:
    """So many outputs stay what they are. For streams that have nothing to tell: one that yields nothing at all has its outputs emptied by Gradio."""
    return [gr.skip()] * count


def owner(request: gr.Request | None) -> str:
    """Whose history and jobs these are: set by the gate, never by the client."""
    return unquote(request.headers["x-seisei-owner"]) if request else "local"


def arrived(request: gr.Request | None) -> float:
    """When the gate let this request in, in seconds of a steady clock; what waits in Gradio's queue came when it was sent."""
    return float(request.headers["x-seisei-arrived"]) if request else 0.0


def pace(studio: Studio, request: gr.Request | None, least: float = 0.0) -> Callable[[], float]:
    """Seconds to wait between updates of this page, now and again: as long as it needs to draw them, `least` at least."""
    who, page = owner(request), str(request.session_hash) if request else ""
    return lambda: max(least, studio.paces.of(who, page))


def is_host(request: gr.Request | None) -> bool:
    """Whether this is the studio's owner, who may install extensions and add models."""
    return request is None or request.headers["x-seisei-host"] == "1"


def only_host(request: gr.Request | None) -> None:
    """Raises NotAllowed for anybody but the studio's owner."""
    if not is_host(request):
        raise NotAllowed("Only the studio's owner may do that.", hint="Ask the person who started the studio.")


def lang(request: gr.Request | None) -> Literal["en", "ja"]:
    """The page's language: the header's switch, else the browser's first language."""
    return "en" if request is None else language(request.headers, request.cookies)


def error_text(studio: Studio, error: StudioError, language: str) -> str:
    """The sentence and its hint, in the page's language where the catalogue has them."""
    return " ".join(studio.words.say(language, part) for part in (error.message, error.hint) if part)


def toast(studio: Studio, error: StudioError, request: gr.Request | None) -> gr.Error:
    """For `raise toast(...)`: an escaped message at the top of the page."""
    return gr.Error(html.escape(error_text(studio, error, lang(request))), duration=12, print_exception=False)


class Problem:
    """Where a page says what was refused: at the control of the field, else here. Put it above the button that was pressed; an event's output is what `told` makes."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._places: dict[str, dict[str, str]] = {}
        self._filled: list[str] = []

    def build(self, elem_id: str = "") -> None:
        self.view = gr.HTML("", js_on_load=PROBLEM, padding=False, elem_id=elem_id or None, elem_classes="studio-problems")

    def listen(self, fields: dict[str, Any]) -> None:
        """The components by field. Call it when the page is drawn: the folds around a control are opened when it is refused."""
        fields = {name: component for name, component in fields.items() if not isinstance(component, gr.State)}
        named = {name.rpartition(":")[2]: component for name, component in fields.items()} | fields
        self._places = {name: _place(component) for name, component in named.items()}
        self._tabs = [tab.id for tab in around(self.view, gr.Tab)]
        self._filled = list({id(component): name for name, component in reversed(fields.items())}.values())[::-1]  # each component once
        self.view.apply(self.on_fix, [], [fields[name] for name in self._filled], **QUICK)

    def on_fix(self, event: gr.EventData) -> Any:
        """The controls with the fix's values."""
        values = dict(event._data["value"])
        shown = {name: None if value == [] else show_value(value) for name, value in values.items()}  # nothing, for a control of any kind
        updates = [shown[name] if name in shown else gr.skip() for name in self._filled]
        return updates if len(updates) > 1 else updates[0]

    def told(self, error: StudioError, language: str, more: str = "") -> str:
        """HTML: the sentence, `more` below it, and a button where one click mends it."""
        parts = [f"<p>{html.escape(error_text(self.studio, error, language))}</p>", more]
        if error.fix and {*error.fix.values, *error.fix.swaps} <= set(self._filled):
            parts.append(f"<button type='button' data-fix='{html.escape(json.dumps([error.fix.values, error.fix.swaps]))}'>{html.escape(self.studio.words.say(language, error.fix.label))}</button>")
        place = self._places.get(error.field) or self._places.get(error.field.partition(".")[0], {})  # "values.r0": one of what a control holds
        if place and json.loads(place["tabs"]) != self._tabs:
            parts.append(f"<button type='button' data-go>{html.escape(self.studio.words.say(language, 'Go to the setting'))}</button>")
        at = "".join(f" data-{name}='{html.escape(value)}'" for name, value in place.items())
        return f"<div class='studio-problem studio-error' data-field='{html.escape(error.field)}' data-told='{time.time_ns()}'{at}>{''.join(parts)}</div>"


def _place(component: Any) -> dict[str, str]:
    """Where the page's script finds a control: its id, the folds around it and the tabs, outermost first. Gradio forgets the containers once events run."""
    folds = around(component, gr.Accordion)
    for part in (component, *folds):
        part.elem_id = part.elem_id or f"seisei-{part._id}"
    return {"at": component.elem_id, "folds": json.dumps([fold.elem_id for fold in folds]), "tabs": json.dumps([tab.id for tab in around(component, gr.Tab)])}


def gives_file(button: Any, make: Any, inputs: list[Any]) -> None:
    """A click makes a text file, by a handler that returns its {name, text}, and downloads it out of the page: nothing of it lies on the disk."""
    held = gr.JSON(visible="hidden")
    button.click(make, inputs, [held], **QUICK).success(None, [held], [held], js=GIVE)


def on_choice(box: gr.Dropdown, chosen: Callable[..., Any], inputs: list[Any], outputs: list[Any], **more: Any) -> None:
    """`chosen(*inputs)` when somebody chose in the list, also the same once more. Gradio's own event comes whenever a list is left as well, by Tab on the way
    through a form: what follows on a choice would take back what was changed since."""
    box.elem_id = box.elem_id or f"seisei-{box._id}"
    told = gr.Textbox(visible="hidden")
    box.input(None, [told], [told], js=CHOSEN.format(id=json.dumps(box.elem_id)))
    told.change(chosen, inputs, outputs, **(QUICK | more))


def around(component: Any, kind: type) -> list[Any]:
    """The containers of a kind around a component, outermost first."""
    found = []
    while (component := component.parent) is not None:
        found += [component] if isinstance(component, kind) else []
    return found[::-1]


def on_restore(studio: Studio, pipeline_id: str, place: list[str], fill: Callable[[gr.Request], list[Any]], outputs: list[Any], *, method: str = "", tells: bool = False) -> None:
    """Fill a tab's controls when a file or an output gives its settings back; `place` names the tabs to open, outermost first. With a `method` only for jobs that use it.
    One that `tells` by gr.Warning or gr.Info waits its turn in Gradio's queue: elsewhere these are never shown.

    `fill(request)` finds the settings in `studio.store.recall(owner, "restore:" + pipeline_id)` and takes them from there.
    """
    studio.places[f"{pipeline_id} {method}".strip()] = place

    def wanted(request: gr.Request) -> list[Any]:
        values = studio.store.recall(owner(request), f"restore:{pipeline_id}")
        return fill(request) if values and studio.place(pipeline_id, values) == place else as_it_is(len(outputs))

    page = gr.context.Context.root_block
    assert isinstance(page, gr.Blocks)
    button = next(item for item in page.blocks.values() if getattr(item, "elem_id", "") == RESTORE)
    assert isinstance(button, gr.Button)
    button.click(wanted, [], outputs, **(QUIET if tells else QUICK))


def last_results(pipeline: str) -> None:
    """The last results of a pipeline, or of a family ("text."), small; a click shows one large. It follows by itself."""
    gr.HTML(f'<div class="seisei-strip" data-pipeline="{html.escape(pipeline)}"></div>', padding=False)


def controls(kind: type[Params], studio: Studio, *, only: Iterable[str] = (), values: dict[str, Any] | None = None) -> dict[str, Any]:
    """One component for each field (or those named in `only`, in that order), inside the current Gradio context."""
    names = list(only) or [name for name in kind.model_fields if hint(kind.model_fields[name], "widget") != "hidden"]
    given = values or {}
    return {name: control(kind.model_fields[name], studio, value=given.get(name)) for name in names}


def extras(studio: Studio, pipeline_id: str) -> dict[str, Any]:
    """Controls of what extensions add to a method, folded under their titles; each is named "extension:field"."""
    found: dict[str, Any] = {}
    for name, kind in studio.jobs.extension_fields(pipeline_id).items():
        if all(hint(field, "widget") == "hidden" for field in kind.model_fields.values()):
            continue  # a page of its own draws them
        with gr.Accordion(studio.words(kind.title or name), open=False):
            found |= {f"{name}:{field}": component for field, component in controls(kind, studio).items()}
    return found


def read_extras(studio: Studio, pipeline_id: str, given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What those controls hold, as `Studio.submit(extras=…)` wants it; other names in `given` are left alone. Raises BadInput."""
    return {
        name: read_values(kind, {field: given[f"{name}:{field}"] for field in kind.model_fields if f"{name}:{field}" in given})
        for name, kind in studio.jobs.extension_fields(pipeline_id).items()
    }


def show_extras(studio: Studio, pipeline_id: str, extras: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The reverse of `read_extras`."""
    kinds = studio.jobs.extension_fields(pipeline_id)
    return {f"{name}:{field}": value for name, values in extras.items() if name in kinds for field, value in show_values(kinds[name], values).items()}


def hint(field: FieldInfo, name: str) -> Any:
    extra = field.json_schema_extra
    hints: Any = extra.get("ui", {}) if isinstance(extra, dict) else {}
    return hints.get(name, "") if isinstance(hints, dict) else ""


def control(field: FieldInfo, studio: Studio, *, value: Any = None) -> Any:
    """The component for one field: bounds, title and description from the schema."""
    words = studio.words
    value = field.get_default(call_default_factory=True) if value is None else value
    about = {"label": words(field.title or ""), "info": words(field.description) if field.description else None}
    if hint(field, "model_kind"):
        return gr.Dropdown(model_choices(field, studio), value=value, allow_custom_value=True, **about)
    if named := hint(field, "choices"):
        return gr.Dropdown([(words(name), name) for name in named], value=value, allow_custom_value=True, **about)
    if get_origin(field.annotation) is Literal:
        choices = [(words(str(choice)), choice) for choice in get_args(field.annotation)]
        return gr.Dropdown(choices, value=value, **about)
    if field.annotation is bool:
        return gr.Checkbox(value=value, **about)
    if field.annotation in (int, float):
        return _number(field, value, about)
    if field.annotation is str:
        lines = hint(field, "lines") if hint(field, "widget") == "textarea" else 1
        return gr.Textbox(value=value, lines=lines or 1, **about)
    return gr.Textbox(value=show_value(value), lines=2, **about)


def model_choices(field: FieldInfo, studio: Studio) -> list[tuple[str, str]]:
    """(title, key) of the models that such a field can name, as they are now: one that was added later is there too."""
    named = hint(field, "choices") or []
    found = [entry for entry in studio.catalog.entries(hint(field, "model_kind")) if not entry.problem and entry.key not in named]
    return [(studio.words(name), name) for name in named] + [(entry.title, entry.key) for entry in found]


def bounds(field: FieldInfo) -> Bounds:
    """(lowest, highest) as the field declares them; None where open."""
    low = next((getattr(item, name) for item in field.metadata for name in ("ge", "gt") if hasattr(item, name)), None)
    high = next((getattr(item, name) for item in field.metadata for name in ("le", "lt") if hasattr(item, name)), None)
    return low, high


def _number(field: FieldInfo, value: Any, about: dict[str, Any]) -> Any:
    low, high = bounds(field)
    whole = field.annotation is int
    step = hint(field, "step") or (1 if whole else 0.01)
    if low is None or high is None or high - low > 10_000 or hint(field, "widget") == "number":
        return gr.Number(value=value, precision=0 if whole else None, **about)  # the Params refuse what is out of bounds, in our words
    return gr.Slider(low, high, value=value, step=step, **about)


def read_values(kind: type[Params], given: dict[str, Any]) -> dict[str, Any]:
    """What the controls hold, as the Params class wants it: lines to lists, JSON text to objects. Raises BadInput."""
    return {name: read_value(name, kind.model_fields[name], value) for name, value in given.items() if name in kind.model_fields}


def read_value(name: str, field: FieldInfo, value: Any) -> Any:
    """One control's value as its field wants it. Raises BadInput."""
    origin = get_origin(field.annotation)
    if origin in (list, tuple) and isinstance(value, str):
        return [line.replace("\\n", "\n") for line in value.splitlines() if line]
    if origin is dict and isinstance(value, str):
        try:
            return json.loads(value or "{}")
        except json.JSONDecodeError as error:
            raise BadInput(f"{field.title}: this is not JSON ({error.msg}).", hint='Write it as {"word": 5}.', field=name) from error
    if value is None:
        raise BadInput(f"{field.title} is empty.", hint="Give it a value.", field=name)
    return value


def show_values(kind: type[Params], values: dict[str, Any]) -> dict[str, Any]:
    """The reverse of `read_values`: Params values as their controls show them."""
    return {name: show_value(value) for name, value in values.items() if name in kind.model_fields}


def show_value(value: Any) -> Any:
    """One value as its control shows it."""
    if isinstance(value, (list, tuple)):
        return "\n".join(str(item).replace("\n", "\\n") for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
