"""What was before: one's last prompts, searched as one types, and the form as it was before something else filled it."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from studio import ui
from studio.api import Studio

KEY, BEFORE = "image.prompts", "image.form.before"
MOST = 50
SCRIPT = """
// A click takes an earlier prompt; the list is searched as one types.
element.addEventListener('input', (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const line of element.querySelectorAll('[data-prompt]')) line.parentElement.hidden = !line.dataset.prompt.toLowerCase().includes(wanted);
});
element.addEventListener('click', (event) => {
  const line = event.target.closest('[data-prompt]');
  if (line) trigger('select', { value: line.dataset.prompt });
});
"""



def remember_prompt(studio: Studio, owner: str, prompt: str) -> None:
    """The newest first, each once."""
    if prompt.strip():
        known = [one for one in studio.store.recall(owner, KEY, []) if one != prompt]
        studio.store.remember(owner, KEY, [prompt, *known][:MOST])


def keep_before(studio: Studio, owner: str, values: dict[str, Any]) -> None:
    """The form as it is now, for the way back."""
    studio.store.remember(owner, BEFORE, values)


class EarlierPanel:
    """Two small buttons below the prompt, and the list that one of them opens."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self) -> None:
        words = self.studio.words
        with gr.Row(elem_classes="studio-quiet", elem_id="image-earlier-row"):
            self.open = gr.Button(words("Earlier prompts"), size="sm", min_width=110, elem_id="image-earlier-open")
            self.back = gr.Button(words("Back to before"), size="sm", min_width=110, elem_id="image-back", visible=False)
        with gr.Column(visible=False, elem_classes="studio-card") as self.sheet:
            self.view = gr.HTML("", js_on_load=SCRIPT, padding=False, elem_id="image-earlier")
        self.shown = gr.State(False)

    def listen(self) -> None:
        self.open.click(self.on_open, [self.shown], [self.shown, self.sheet, self.view], **ui.QUICK)

    def on_open(self, shown: bool, request: gr.Request) -> list[Any]:
        return [not shown, gr.update(visible=not shown), self.listing(ui.owner(request), ui.lang(request))]

    def listing(self, owner: str, lang: str) -> str:
        prompts = self.studio.store.recall(owner, KEY, [])
        if not prompts:
            return f"<p class='studio-note'>{html.escape(self.studio.words.say(lang, 'Prompts that you generate with are kept here.'))}</p>"
        search = html.escape(self.studio.words.say(lang, "Search the earlier prompts"))
        lines = "".join(f'<li><button type="button" data-prompt="{html.escape(prompt)}">{html.escape(prompt)}</button></li>' for prompt in prompts)
        return f'<div class="image-earlier"><input type="search" placeholder="{search}" aria-label="{search}"><ul>{lines}</ul></div>'
