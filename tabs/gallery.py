"""The gallery: every output of every kind that is this person's; and the place where a dropped file is read."""

from __future__ import annotations

import csv
import html
import json
import time
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Output, Studio, StudioError, Tab, hookimpl
from studio.metadata import body

PAGE = 60
TABLE_BYTES, SHOWN_ROWS = 200_000, 100
ICONS = {"text": "✎", "image": "▣", "audio": "♪", "midi": "♫", "video": "▶", "table": "▦", "json": "{}", "model": "◈"}
GRID = (Path(__file__).parent / "gallery.js").read_text(encoding="utf-8")
CSS = """
.gallery-grid { display:grid; grid-template-columns:repeat(auto-fill,minmax(150px,1fr)); gap:10px; }
.gallery-grid .cell { position:relative; display:flex; }
.gallery-grid button { flex:1; min-width:0; text-align:left; border:1px solid var(--seisei-line); border-radius:12px; background:var(--seisei-card); color:var(--seisei-ink); padding:10px; cursor:pointer; min-height:96px; display:flex; flex-direction:column; gap:6px; overflow:hidden; font:inherit; }
.gallery-grid button:hover, .gallery-grid button[aria-current] { border-color:var(--seisei-accent); }
.gallery-grid button[aria-current] { box-shadow:0 0 0 1px var(--seisei-accent); }
.gallery-grid input { position:absolute; top:8px; right:8px; width:22px; height:22px; margin:0; accent-color:var(--seisei-accent); opacity:0; cursor:pointer; }
.gallery-grid .cell:hover input, .gallery-grid input:focus-visible, .gallery-grid input:checked, .picking .gallery-grid input { opacity:1; }
@media (hover: none) { .gallery-grid input { opacity:1; } }
.gallery-grid img { width:100%; aspect-ratio:1; object-fit:cover; border-radius:8px; }
.gallery-grid .icon { font-size:22px; color:var(--seisei-accent); }
.gallery-grid .when { color:var(--seisei-soft); font-size:12px; margin-top:auto; }
.gallery-grid .name { font-size:14px; line-height:1.35; display:-webkit-box; -webkit-line-clamp:3; -webkit-box-orient:vertical; overflow:hidden; overflow-wrap:anywhere; }
"""
COPY = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy]');
  if (button) navigator.clipboard.writeText(button.dataset.copy).then(() => window.seisei.tell(window.seisei.say('Copied')));
});
"""
PIECE = """
element.addEventListener('click', (event) => { const button = event.target.closest('[data-piece]'); if (button) window.seisei.piece(button.dataset.piece); });
"""
USE = "() => { window.seisei.use('/api/v1/outputs/' + document.querySelector('#gallery-large [data-id]').dataset.id + '/restore'); }"


def card(output: Output) -> str:
    """One button; everything from outside is escaped."""
    picture = f'<img loading="lazy" alt="" src="/api/v1/outputs/{output.id}/thumb">' if output.kind == "image" else f'<span class="icon" aria-hidden="true">{ICONS.get(output.kind, "•")}</span>'
    star = "★ " if output.favourite else ""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(output.created))
    name = html.escape(output.title or output.kind)
    opens = f'<button type="button" data-output="{html.escape(output.id)}">{picture}<span class="name">{star}{name}</span><span class="when">{when}</span></button>'
    return f'<div class="cell">{opens}<input type="checkbox" data-pick="{html.escape(output.id)}" aria-label="{name}"></div>'


class GalleryTab:
    id: ClassVar[str] = "gallery"
    title: ClassVar[str] = "Gallery"
    order: ClassVar[int] = 50

    def build(self, studio: Studio) -> None:
        self.studio = studio
        w = studio.words
        self.offset, self.chosen, self.trashed_last = gr.State(0), gr.State(""), gr.State([])
        with gr.Row():
            self.query = gr.Textbox(label=w("Search"), placeholder=w("Words in a title, a prompt or a text"), elem_classes="search-action", scale=3, min_width=300)
            kinds = [(w("Everything"), ""), (w("Texts"), "text"), (w("Pictures"), "image"), (w("Sound"), "audio"), (w("Music"), "midi"), (w("Video"), "video"), (w("Tables"), "table")]
            self.kind = gr.Dropdown(kinds, value="", label=w("Kind"), min_width=140)
            shown = [(w("Gallery"), "all"), (w("Favourites"), "favourite"), (w("Trash"), "trash")]
            self.shelf = gr.Dropdown(shown, value="all", label=w("Shelf"), min_width=140)
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=3, min_width=300):
                gr.HTML(f'<div id="gallery-picked" role="toolbar" aria-label="{html.escape(w("What is picked"))}"></div>', padding=False, elem_classes="gallery-bar")
                self.grid = gr.HTML("", js_on_load=GRID, css_template=CSS, elem_id="gallery-grid")
                with gr.Row():
                    self.before = gr.Button("‹", min_width=44, scale=0, visible=False)
                    self.place = gr.HTML("", elem_classes="studio-note")
                    self.after = gr.Button("›", min_width=44, scale=0, visible=False)
            with gr.Column(scale=2, min_width=300, elem_classes="gallery-detail"):
                self._build_detail(w)
        self._listen()

    def _build_detail(self, w: Any) -> None:
        self.fresh = gr.Button("", elem_id="gallery-fresh", elem_classes="seisei-unseen")
        hint = html.escape(w("Drop an output file anywhere on the page: its settings come back."))
        self.large = gr.HTML(f"<p class='studio-empty'>{hint}</p>", elem_id="gallery-large", js_on_load=PIECE)
        with gr.Row(visible=False) as self.actions:
            self.send = gr.Button(w("Use its settings"), variant="primary", min_width=110)
            self.star = gr.Button("★", min_width=44, scale=0)
            self.trash = gr.Button(w("Move to trash"), min_width=90)
            self.untrash = gr.Button(w("Put back"), min_width=90, visible=False)
        self.undo = gr.Button(w("Undo"), visible=False)
        self.about = gr.HTML("", elem_id="gallery-about", js_on_load=COPY)

    def _listen(self) -> None:
        view = [self.grid, self.place, self.offset, self.before, self.after]
        looked = [self.query, self.kind, self.shelf]
        for component in looked:
            component.change(self.on_look, looked, view, trigger_mode="always_last", **ui.QUICK)
        self.before.click(self.on_before, [*looked, self.offset], view, **ui.QUICK)
        self.after.click(self.on_after, [*looked, self.offset], view, **ui.QUICK)
        detail = [self.chosen, self.large, self.actions, self.about, self.trash, self.untrash]
        self.grid.select(self.on_select, [], detail, **ui.EACH)
        self.send.click(None, None, None, js=USE)
        self.fresh.click(self.on_fresh, [*looked, self.offset], view, **ui.QUICK)
        self.star.click(self.on_star, [self.chosen, *looked], view, **ui.QUICK)
        self.trash.click(self.on_trash, [self.chosen, *looked], [*view, self.trashed_last, self.undo], **ui.QUICK)
        self.untrash.click(self.on_untrash, [self.chosen, *looked], [*view, self.trashed_last, self.undo], **ui.QUICK)
        self.undo.click(self.on_untrash, [self.trashed_last, *looked], [*view, self.trashed_last, self.undo], **ui.QUICK)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        context.load(self.on_look, looked, view, **ui.QUICK)
        tab = gr.context.Context.block
        if isinstance(tab, gr.Tab):
            tab.select(self.on_look, looked, view, **ui.QUICK)

    def _page(self, request: gr.Request, query: str, kind: str, shelf: str, offset: int) -> list[Any]:
        wanted: dict[str, Any] = {"owner": ui.owner(request), "query": query or "", "kind": kind or "", "trashed": shelf == "trash", "favourite": True if shelf == "favourite" else None}
        count = self.studio.store.count(**wanted)
        offset = max(0, min(offset, (count - 1) // PAGE * PAGE))
        found = self.studio.store.outputs(limit=PAGE, offset=offset, **wanted)
        say, lang = self.studio.words.say, ui.lang(request)
        if not found:
            sentence = say(lang, "Nothing here matches.") if query or kind or shelf != "all" else say(lang, "What you make appears here: answers, pictures, music, simulations. Ask or generate something in any tab.")
            return [f"<p class='studio-empty'>{html.escape(sentence)}</p>", "", 0, *[gr.update(visible=False)] * 2]
        place = say(lang, "{first} to {last} of {all}", first=offset + 1, last=offset + len(found), all=count)
        where = " data-trash" if shelf == "trash" else ""
        return [f"<div class='gallery-grid'{where}>{''.join(map(card, found))}</div>", place, offset, gr.update(visible=offset > 0), gr.update(visible=offset + PAGE < count)]

    def on_look(self, query: str, kind: str, shelf: str, request: gr.Request) -> list[Any]:
        return self._page(request, query, kind, shelf, 0)

    def on_before(self, query: str, kind: str, shelf: str, offset: int, request: gr.Request) -> list[Any]:
        return self._page(request, query, kind, shelf, offset - PAGE)

    def on_after(self, query: str, kind: str, shelf: str, offset: int, request: gr.Request) -> list[Any]:
        return self._page(request, query, kind, shelf, offset + PAGE)

    def on_fresh(self, query: str, kind: str, shelf: str, offset: int, request: gr.Request) -> list[Any]:
        """Something came or went: the same page again."""
        return self._page(request, query, kind, shelf, offset)

    def _mine(self, output_id: str, request: gr.Request) -> Output:
        try:
            output = self.studio.store.output(output_id)
            if output.owner != ui.owner(request):
                raise StudioError("That output is not in your gallery.")
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return output

    def on_select(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        output = self._mine(str(event._data["value"]), request)
        return [
            output.id,
            large(output, *(self.studio.words.say(ui.lang(request), word) for word in ("Download", "Open it in Music"))),
            gr.update(visible=True),
            self._about(output, ui.lang(request)),
            gr.update(visible=not output.trashed),
            gr.update(visible=output.trashed),
        ]

    def _about(self, output: Output, lang: str) -> str:
        """The settings it was made with, as the controls call them: what differs from the defaults first."""
        say = self.studio.words.say
        pipeline = self.studio.pipelines.get(output.pipeline)
        fields = pipeline.Params.model_fields if pipeline else {}
        params: dict[str, Any] = output.metadata.get("params", {})
        rows: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
        for name, value in params.items():
            field = fields.get(name)
            changed = field is None or value != field.get_default(call_default_factory=True)
            rows[changed].append((say(lang, (field.title if field else None) or name), shown_value(value, say, lang)))
        head = [(say(lang, "Made with"), say(lang, pipeline.title) if pipeline else output.pipeline)]
        facts = [(say(lang, str(name).replace("_", " ").capitalize()), shown_value(value, say, lang)) for name, value in output.metadata.get("summary", {}).items() if isinstance(value, (int, float, str))]
        more = table([*rows[False], *facts])
        copied = html.escape(json.dumps(params, ensure_ascii=False, indent=1), quote=True)
        return (
            f"<h3>{html.escape(say(lang, 'Settings it was made with'))}</h3>{table([*head, *rows[True]])}"
            f"<details><summary>{html.escape(say(lang, 'All of them'))}</summary>{more}</details>"
            f"<button type='button' data-copy=\"{copied}\">{html.escape(say(lang, 'Copy settings'))}</button>"
        )

    def on_star(self, output_id: str, query: str, kind: str, shelf: str, request: gr.Request) -> list[Any]:
        output = self._mine(output_id, request)
        self.studio.store.favourite(output.id, not output.favourite, owner=output.owner)
        return self.on_look(query, kind, shelf, request)

    def on_trash(self, output_id: str, query: str, kind: str, shelf: str, request: gr.Request) -> list[Any]:
        self.studio.store.trash([output_id], owner=ui.owner(request))
        return [*self.on_look(query, kind, shelf, request), output_id, gr.update(visible=True)]

    def on_untrash(self, output_id: str, query: str, kind: str, shelf: str, request: gr.Request) -> list[Any]:
        self.studio.store.untrash([output_id], owner=ui.owner(request))
        return [*self.on_look(query, kind, shelf, request), "", gr.update(visible=False)]


def shown_value(value: Any, say: Any, lang: str) -> str:
    """A setting for a reader: conversations by their turns, lists by their items."""
    if isinstance(value, bool):
        return str(say(lang, "yes" if value else "no"))
    if isinstance(value, list) and value and all(isinstance(item, dict) and "content" in item for item in value):
        turns = [(str(item.get("role", "")).capitalize(), item["content"]) for item in value]
        return "\n".join(f"{say(lang, role)}: {content}" for role, content in turns)
    if isinstance(value, list):
        return ", ".join(json.dumps(item, ensure_ascii=False) if isinstance(item, str) and not item.strip() else str(item) for item in value) or "–"
    return (json.dumps(value, ensure_ascii=False) if isinstance(value, dict) and value else str(value or (value if value == 0 else "–")))[:4000]


def table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    return f"<dl class='manifest'>{cells}</dl>"


def large(output: Output, download: str, again: str) -> str:
    """The output itself: a picture, a player, or its text. `again` is the button that opens a piece where it can be changed."""
    url = f"/api/v1/outputs/{output.id}/file"
    link = f'<p data-id="{output.id}"><a href="{url}?download=1">{html.escape(download)}</a></p>'
    if output.kind == "image":
        return f'<a href="{url}" target="_blank" rel="noopener"><img src="{url}" alt="{html.escape(output.title)}" style="max-width:100%"></a>{link}'
    if output.kind == "audio":
        return f'<audio controls src="{url}" style="width:100%"></audio>{link}'
    if output.kind == "midi":
        open_ = html.escape(again)
        picture = f'<img class="roll-picture" src="/api/v1/music/outputs/{output.id}/picture" alt="{html.escape(output.title)}">'
        return f'{picture}<p><button type="button" data-piece="{output.id}">{open_}</button></p>{link}'
    if output.kind == "video":
        return f'<video controls src="{url}" style="max-width:100%"></video>{link}'
    if output.kind == "text" and Path(output.path).is_file():
        text = body(Path(output.path))[:20_000].decode("utf-8", "replace")
        return f'<div class="studio-card" style="white-space:pre-wrap;overflow-wrap:anywhere">{html.escape(text)}</div>{link}'
    if output.kind == "table" and Path(output.path).is_file():
        return f"{first_rows(Path(output.path))}{link}"
    return f"<pre>{html.escape(json.dumps(output.metadata.get('facts', {}), ensure_ascii=False, indent=1))}</pre>{link}"


def first_rows(path: Path) -> str:
    """A table's first rows; the rest is in the file."""
    lines = list(csv.reader(body(path)[:TABLE_BYTES].decode("utf-8", "replace").splitlines()))[: SHOWN_ROWS + 1]
    head, *rows = [[html.escape(cell) for cell in line] for line in lines] or [[]]
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="table-rows" tabindex="0"><table><thead><tr>{"".join(f"<th>{name}</th>" for name in head)}</tr></thead><tbody>{cells}</tbody></table></div>'


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [GalleryTab()]
