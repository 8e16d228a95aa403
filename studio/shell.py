"""The page's frame: header, tabs, notices, status line. It draws what was registered and knows no tab by name."""

from __future__ import annotations

import html
import json
import traceback
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.host import Studio, Tab
from studio.ui import RESTORE

HEADER = """<header id="seisei-head"><h1 class="name"><b lang="ja">生成</b>Seisei<span class="wide">&nbsp;Studio</span></h1><span class="space"></span>
<button id="seisei-share" type="button">Share</button>
<button id="seisei-lang" type="button" aria-label="日本語 / English">日本語 / English</button>
<button id="seisei-dark" type="button" aria-label="Light or dark · 明暗">◐</button>
<button id="seisei-help" type="button" aria-label="Help">?</button></header>
<div id="seisei-notices" aria-live="polite"></div><div id="seisei-told" aria-live="assertive"></div>
<div id="seisei-bar" role="region" aria-label="Status"><div id="seisei-queue" hidden></div><div id="seisei-line"></div></div>
<dialog id="seisei-dialog" class="studio-dialog" aria-labelledby="seisei-dialog-title"></dialog>"""
PAGE_WORDS = (
    "Share", "Status", "Help", "Close", "Keyboard", "Generate or send", "Stop", "Switch tab", "Search", "This help", "Copy", "Copied", "Let others in", "Cancel",
    "Resume",
    "Forget", "Earlier", "Later", "Use its settings", "Open it in Music", "Download", "Bring its settings back", "Import it", "Last results", "A file was dropped",
    "It can bring back the settings it was made with, or be imported as a chat or a character.", "done", "stopped", "failed", "Memory", "No model loaded", "Public link", "Address in your network",
    "Queue", "Ready", "Try again",
    "Start this studio with --share for a public link, or with --listen 0.0.0.0 for your network. Sign-in is always on then.",
    "This studio is open to others. Give them this address, and a user name and password of yours.", "Nothing is waiting.", "somebody else", "on its way",
    "Drop an output file anywhere on the page: its settings come back.", "The user guide is in docs/user-guide.md of the studio's folder.",
    "The studio does not answer. Is it still running?", "Copy conversation", "Copy message", "{n} picked", "Put back", "Delete for good", "Move to trash", "Pick all on this page", "Pick none", "Empty the trash", "Undo",
    "{n} moved to the trash.", "{n} put back.", "{n} deleted.", "Delete for good?", "{n} outputs and their files are deleted. This can not be undone.", "Delete",
)  # the script's own words, for the catalogue's test


def build_page(studio: Studio, tabs: list[Tab]) -> gr.Blocks:
    """One Blocks with all tabs; a tab that fails to build says so inside itself."""
    words = json.dumps({lang: table for lang, table in studio.words.tables.items() if lang != "en"}, ensure_ascii=False)
    titles = html.escape(json.dumps({tab.id: tab.title for tab in tabs}))
    carried = f'<div hidden id="seisei-words" data-tabs="{titles}">{html.escape(words, quote=False)}</div>'
    with gr.Blocks(title="Seisei Studio", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(HEADER + carried, padding=False)
        unseen = gr.Button("", elem_id=RESTORE, elem_classes="seisei-unseen")
        with gr.Tabs(elem_id="seisei-tabs"):
            for tab in tabs:
                with gr.Tab(studio.words(tab.title), id=tab.id, elem_id=f"tab-{tab.id}"):
                    _build(studio, tab)
    _show_no_progress(page, unseen)
    return page


def _show_no_progress(page: gr.Blocks, unseen: gr.Button) -> None:
    """Gradio's script looks through its whole tree for every component that ever was an output, at each step of each event; one unseen component stands for all of those that show no progress."""
    for event in page.fns.values():
        if event.show_progress == "hidden":
            event.show_progress_on = [unseen]


def _build(studio: Studio, tab: Tab) -> Any:
    try:
        return tab.build(studio)
    except Exception as error:  # an extension's tab must not take the page down
        sentence = error.message if isinstance(error, StudioError) else f"{type(error).__name__}: {error}"
        studio.notices.append(f"The tab “{tab.title}” could not be drawn: {sentence}")
        return gr.HTML(f'<div class="studio-error">{html.escape(sentence)}<pre>{html.escape(traceback.format_exc(limit=-4))}</pre></div>')
