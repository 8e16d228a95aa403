"""Everybody can use every page: axe finds nothing serious, in both looks, both languages, wide and narrow; and Japanese is all Japanese."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from studio.i18n import read_catalogue
from tests.browser.driving import any_tab, eventually, needs_browser, open_page, settled
from tests.running import Running

pytestmark = needs_browser
SHARED = True
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
TABS = {"text": "Text", "notebook": "Notebook", "image": "Image", "grid": "Grid", "style": "Style", "upscale": "Upscale", "lab": "Lab", "annotate": "Annotate", "music": "Music", "gallery": "Gallery", "models": "Models", "extensions": "Extensions", "settings": "Settings"}


EVERYTHING = """# A heading

A list:

1. **bold** and `code`
2. [a link](https://example.org)

| a | b |
|---|---|
| 1 | 2 |

$$x^2 + y^2 = z^2$$

```python
print("a line that is far too long for a phone", "a line that is far too long for a phone", "a line that is far too long for a phone")
```
"""


def serious(page: Any) -> list[str]:
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [f"{item['id']}: {node['html'][:200]}" for item in found if item["impact"] in ("serious", "critical") for node in item["nodes"]]


def open_tab(page: Any, name: str, words: dict[str, str]) -> bool:
    """By its title, out of the menu of those that don't fit if need be; whether it came to rest."""
    title = words.get(TABS[name], TABS[name])
    if within := {"notebook": "text", "grid": "image", "style": "image", "upscale": "image", "lab": "image", "annotate": "lab"}.get(name):
        open_tab(page, within, words)
    any_tab(page, title)
    return settled(page)


@pytest.mark.parametrize(("locale", "width", "dark"), [("en-US", 1440, False), ("ja-JP", 390, True)])
def test_axe_finds_nothing_serious(chrome: Any, studio: Running, locale: str, width: int, dark: bool) -> None:
    page = open_page(chrome, studio.url, width=width, locale=locale)
    words = read_catalogue("ja") if locale.startswith("ja") else {}
    if dark:
        page.click("#seisei-dark")
    turns = [{"role": "user", "content": "Show me everything."}, {"role": "assistant", "content": EVERYTHING}]
    request = urllib.request.Request(f"{studio.url}/api/v1/text/import?name=all.json", json.dumps(turns).encode())
    urllib.request.urlopen(request, timeout=60).close()
    page.reload()
    page.wait_for_selector("#chat-view pre[tabindex]")
    page.evaluate(AXE)
    found = {}
    for name in TABS:
        open_tab(page, name, words)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")  # what sticks to the window's edge covers nothing there
        found[name] = serious(page)
    assert not any(found.values()), found
    page.context.close()


SEEN = """() => {
  const left = '.seisei-strip,#chat-view,#chat-list .wrap,.gallery-grid,#gallery-large .studio-card,pre,code,textarea,script,style,[hidden],#seisei-words,dl.manifest';
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const box = node.parentElement;
    if (node.nodeValue.trim() && box.checkVisibility() && !box.closest(left)) found.push(node.nodeValue.trim());
  }
  for (const box of document.querySelectorAll('[placeholder],[aria-label]')) if (box.checkVisibility() && !box.closest(left)) found.push(box.placeholder || box.ariaLabel || '');
  for (const box of document.querySelectorAll('input[role=combobox]')) if (box.checkVisibility()) found.push(box.value);
  for (const box of document.querySelectorAll('#chat-view button')) if (box.checkVisibility()) found.push(box.ariaLabel || '');
  return found;
}"""
# Names, and what is the same in both languages
NAMES = re.compile(r"SmolLM2|Instruct|Seisei|Studio|CPU|GB|MB|KB|GGUF|Apache|MIT|English|JSON|OpenAI|API|LoRA|VAE|URL|https?|AUTOMATIC1111|Forge|ComfyUI|text-generation-webui|Llama|llama\.cpp|Qwen|Gemma|TinySwallow|Hugging Face|Gradio|Markov|axe|Real-ESRGAN|FluidR3 Mono|Kokoro|[a-z_]+[/_.][\w./-]+|\b[A-Z]{1,4}\b|\b\w{1,3}\b")
ENGLISH = re.compile(r"\b[A-Za-z]{4,}\b")


def english(page: Any) -> list[str]:
    """What is still English among the texts in sight."""
    texts = [text for text in page.evaluate(SEEN) if ENGLISH.search(NAMES.sub("", text))]
    return sorted({text for text in texts if not re.search(r"[ぁ-んァ-ン一-龥]", text)})


def test_no_english_is_left_on_the_japanese_page(chrome: Any, studio: Running) -> None:
    page = open_page(chrome, studio.url, locale="ja-JP")
    words = read_catalogue("ja")
    left: dict[str, list[str]] = {}
    restless = []
    for name in TABS:
        restless += [] if open_tab(page, name, words) else [name]
        left[name] = eventually(page, lambda: english(page), lambda found: not found)  # words follow what is drawn a frame later
    assert not any(left.values()), left
    assert not restless  # words that are put in again and again would keep a processor at work
    page.context.close()


# The texts, the named controls and the boxes that a script reads from now on, in `looked`
LOOK = """() => {
  window.looked = new Set();
  const next = TreeWalker.prototype.nextNode, get = Element.prototype.getAttribute, value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
  TreeWalker.prototype.nextNode = function () { const node = next.call(this); if (node) looked.add(node); return node; };
  Element.prototype.getAttribute = function (name) { looked.add(this); return get.call(this, name); };
  Object.defineProperty(HTMLInputElement.prototype, 'value', { ...value, get() { looked.add(this); return value.get.call(this); } });
}"""
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"


def test_what_changes_in_place_is_translated_and_nothing_else_is_read(chrome: Any, studio: Running) -> None:
    page = open_page(chrome, studio.url, locale="ja-JP")
    words = read_catalogue("ja")
    assert settled(page)
    page.evaluate("""() => {
      const probe = Object.assign(document.createElement('p'), { id: 'probe', innerHTML: '<span>Gallery</span><button title="Close">×</button><input role="combobox"><textarea title="Search">Gallery</textarea>' });
      document.getElementById('tab-text').append(probe);
    }""")
    read = "() => { const [text, button, box, left] = document.getElementById('probe').children; return [text.textContent, button.title, button.ariaLabel, box.value, left.textContent, left.title]; }"
    page.evaluate(FRAMES)
    assert page.evaluate(read) == [words["Gallery"], words["Close"], None, "", "Gallery", words["Search"]]
    page.evaluate("""() => {
      const [text, button, box] = document.getElementById('probe').children;
      box.value = 'Image'; text.firstChild.nodeValue = 'Settings'; button.setAttribute('aria-label', 'Queue'); button.title = 'Stop';
    }""")
    page.evaluate(FRAMES)
    assert page.evaluate(read)[:4] == [words["Settings"], words["Stop"], words["Queue"], words["Image"]]
    page.evaluate("() => { document.querySelector('#probe input').value = 'Models'; document.querySelector('#probe span').replaceChildren('Gallery'); }")
    page.evaluate(FRAMES)
    assert [page.evaluate(read)[place] for place in (0, 3)] == [words["Gallery"], words["Models"]]
    page.evaluate(LOOK)
    page.evaluate("() => document.getElementById('chat-view').append(Object.assign(document.createElement('p'), { innerHTML: 'Gallery <b>and more</b><button title=Stop></button>' }))")
    page.evaluate(FRAMES)
    ours, boxes = page.evaluate("() => [looked.size, document.querySelectorAll('input[role=combobox]').length]")
    assert page.evaluate("() => { const came = document.querySelector('#chat-view > p:last-child'); return [came.textContent, came.lastChild.title]; }") == ["Gallery and more", words["Stop"]]
    assert ours <= boxes + 20, "of the page only the boxes, whose value changes without a word, and what came"
    page.context.close()
