"""The form of the Compose page: moods as cards, length and instruments in sight, the rest folded in the schema's own groups."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, cast

import gradio as gr

from studio import ui
from studio.api import Params, Studio
from tabs.music_desk import COMPOSE, FOLDER

SEEN = ("bars", "instruments")
CARDS = """
element.addEventListener('click', (event) => { const card = event.target.closest('[data-mood]'); if (card) trigger('select', { value: card.dataset.mood }); });
element.addEventListener('keydown', (event) => {
  const all = [...element.querySelectorAll('[data-mood]')], at = all.indexOf(event.target.closest('[data-mood]')), step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (at < 0 || !step || !all[at + step]) return;
  event.preventDefault(); all[at + step].focus();
});
"""
AS_MOOD = "As the mood"
LENGTHS = (4, 8, 12, 16, 24, 32, 64)


class MusicForm:
    """`given` are the components by parameter, for events; `values` reads them, `shown` fills them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.pipeline = cast(Any, studio.pipelines[COMPOSE])  # with helpers besides the protocol
        self.Params: type[Params] = self.pipeline.Params
        self.fields = self.Params.model_fields
        self.moods: dict[str, dict[str, Any]] = {one["name"]: one for one in self.pipeline.presets()}
        self.controls: dict[str, Any] = {}

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        words = self.studio.words
        self.preset = gr.State(self.fields["preset"].default)
        self.cards = gr.HTML(self.drawn(self.fields["preset"].default, "en"), js_on_load=CARDS, padding=False, elem_id="music-moods")
        with gr.Row():
            lengths = [(words(AS_MOOD), 0), *((str(bars), bars) for bars in LENGTHS)]
            self.controls["bars"] = gr.Dropdown(lengths, value=0, allow_custom_value=True, label=words("Length in bars"), min_width=120, elem_id="music-bars")
            played = self.fields["instruments"].title
            ensembles = [(words(AS_MOOD), ""), *((words(name), name) for name in self.pipeline.ensembles())]
            self.controls["instruments"] = gr.Dropdown(ensembles, value="", allow_custom_value=True, label=words(played), min_width=150, elem_id="music-instruments")
        with gr.Accordion(words("Advanced"), open=False, elem_id="music-advanced"):
            for number, (group, names) in enumerate(self.groups().items()):
                with gr.Accordion(words(group), open=number == 0):
                    self._draw(names)
        self.extras = ui.extras(self.studio, COMPOSE)

    def groups(self) -> dict[str, list[str]]:
        """What a person sets under Advanced, by the schema's groups."""
        found: dict[str, list[str]] = {}
        for name, field in self.fields.items():
            if name not in (*SEEN, "preset") and ui.hint(field, "widget") != "hidden":
                found.setdefault(str(ui.hint(field, "group") or "More"), []).append(name)
        return found

    def _draw(self, names: Any) -> None:
        for name in names:
            if name == "chords":
                named = {one["name"]: one["chords"] for one in self.pipeline.progressions()}
                choices = [(self.studio.words(title), chords) for title, chords in named.items()]
                self.progression = gr.Dropdown([(self.studio.words("Choose a progression"), ""), *choices], value="", label=self.studio.words("Chord progressions"), elem_id="music-progression")
            self.controls |= ui.controls(self.Params, self.studio, only=(name,))
            if name == "model":
                self.controls[name].choices = self.models()

    def models(self) -> list[tuple[str, str]]:
        """(title, name) of each, learnt styles as they are now among them."""
        names = [one["name"] for one in self.pipeline.models()]
        return [(self.studio.words(name), name) for name in names] + learnt_styles(self.studio)

    def drawn(self, chosen: str, lang: str) -> str:
        """The moods as cards, the chosen one pressed."""
        say = self.studio.words.say
        cells = []
        for name, mood in self.moods.items():
            told = str(mood.get("about", ""))
            title, about = html.escape(say(lang, name)), html.escape(say(lang, told))
            path = picture(name)
            inner = f'<img alt="" loading="lazy" src="/api/v1/music/moods/{path.name}">' if path.is_file() else f'<span class="letter" aria-hidden="true">{title[:1]}</span>'
            cells.append(f'<button type="button" class="card" data-mood="{html.escape(name)}" aria-pressed="{"true" if name == chosen else "false"}" title="{about}">{inner}<b>{title}</b></button>')
        return f'<div class="mood-cards" role="group" aria-label="{html.escape(say(lang, "Mood"))}">{"".join(cells)}</div>'

    # -- reading and filling ---------------------------------------------------------------------------------

    @property
    def given(self) -> dict[str, Any]:
        return {"preset": self.preset} | self.controls | self.extras

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        """As the pipeline's Params want it. Raises BadInput."""
        held = {name: given[name] for name in self.controls} | {"instruments": given["instruments"] or ""}
        return ui.read_values(self.Params, held) | {"preset": given["preset"]}

    def mood(self, name: str) -> list[Any]:
        """For `chosen`: a mood, with the settings it stands for."""
        values = ui.show_values(self.Params, self.moods.get(name, {}).get("values", {}))
        return [name, *(values.get(field, gr.skip()) for field in self.controls)]

    @property
    def chosen(self) -> list[Any]:
        return [self.preset, *self.controls.values()]

    @property
    def filled(self) -> list[Any]:
        return [self.cards, *self.chosen, *self.extras.values()]

    def shown(self, values: dict[str, Any], lang: str) -> list[Any]:
        """For `filled`: a job's parameters as the form shows them."""
        held = ui.show_values(self.Params, values)
        more = ui.show_extras(self.studio, COMPOSE, values.get("extras") or {})
        preset = str(held.get("preset", self.fields["preset"].default))
        return [self.drawn(preset, lang), preset, *(held.get(name, gr.skip()) for name in self.controls), *(more.get(name, gr.skip()) for name in self.extras)]


def learnt_styles(studio: Studio) -> list[tuple[str, str]]:
    """(title, key) of the composer's styles in the catalogue."""
    return [(entry.title, entry.key) for entry in studio.catalog.entries("composer") if not entry.problem]


def picture(mood: str) -> Path:
    """A short piece in this mood, as a small roll: drawn by samples/music/make.py from what the pipeline composed."""
    return FOLDER / "moods" / ("".join(letter if letter.isalnum() else "-" for letter in mood.lower()) + ".svg")
