"""The look: one calm theme, light and dark, local fonts only.

Classes for tabs: .studio-left (about 360 px), .studio-right, .primary-action, .stop-action, .search-action,
.studio-empty, .studio-card, .studio-meter, .studio-note, .studio-error.
"""

from __future__ import annotations

from typing import Any

THEME_CSS = """
:root { --seisei-ink:#23262b; --seisei-soft:#5b6169; --seisei-line:#dedbd2; --seisei-paper:#f7f5f0; --seisei-card:#fffefb; --seisei-accent:#23685a; --seisei-bad:#a3271f; }
.dark { --seisei-ink:#ecebe7; --seisei-soft:#a9aeb6; --seisei-line:#3a3d44; --seisei-paper:#17181b; --seisei-card:#202226; --seisei-accent:#6cc3b0; --seisei-bad:#ff9d94; }
.gradio-container { max-width: 1480px !important; padding: 0 16px 64px !important; }
.gradio-container main, .gradio-container .fillable { padding: 0 !important; }
.studio-error .studio-error { border: 0; padding: 0; }
#chat-list .wrap { flex-direction: column; max-height: 220px; overflow: auto; flex-wrap: nowrap; }
#chat-list label { width: 100%; flex: none; }
footer { display: none !important; }
#seisei-head { display:flex; align-items:center; gap:12px; padding:10px 0 4px; }
#seisei-head .name { font-weight:650; font-size:18px; color:var(--seisei-ink); }
#seisei-head .name b { color:var(--seisei-accent); margin-right:6px; }
#seisei-head .space { flex:1; }
#seisei-head button { border:1px solid var(--seisei-line); background:var(--seisei-card); color:var(--seisei-ink); border-radius:8px; padding:6px 10px; min-height:36px; cursor:pointer; font-size:14px; }
#seisei-head button:hover, #seisei-bar button:hover { border-color:var(--seisei-accent); }
#seisei-notices { display:flex; flex-direction:column; gap:6px; }
#seisei-notices:empty { display:none; }
#seisei-notices p { margin:0; padding:8px 12px; border-left:3px solid var(--seisei-accent); background:var(--seisei-card); color:var(--seisei-ink); border-radius:6px; font-size:14px; }
#seisei-bar { position:fixed; left:0; right:0; bottom:0; z-index:50; background:var(--seisei-card); border-top:1px solid var(--seisei-line); color:var(--seisei-soft); font-size:13px; }
#seisei-line { display:flex; align-items:center; gap:14px; padding:5px 16px; min-height:34px; max-width:1480px; margin:0 auto; overflow:hidden; white-space:nowrap; }
#seisei-line .grow { flex:1; overflow:hidden; text-overflow:ellipsis; }
#seisei-bar button { border:1px solid var(--seisei-line); background:transparent; color:var(--seisei-ink); border-radius:7px; padding:2px 9px; min-height:26px; cursor:pointer; font-size:13px; }
#seisei-bar meter { width:72px; height:12px; vertical-align:middle; }
#seisei-queue { border-bottom:1px solid var(--seisei-line); max-height:40vh; overflow:auto; padding:8px 16px; }
#seisei-queue[hidden] { display:none; }
#seisei-queue li { display:flex; gap:12px; align-items:center; padding:4px 0; }
#seisei-queue ol { list-style:none; margin:0 auto; padding:0; max-width:1448px; }
.studio-left { max-width: 380px; }
.studio-empty { color:var(--seisei-soft); text-align:center; padding:24px 12px; }
.studio-card { border:1px solid var(--seisei-line); border-radius:12px; background:var(--seisei-card); padding:12px; }
.studio-note { color:var(--seisei-soft); font-size:13px; min-height:20px; }
.studio-error { color:var(--seisei-bad); border-left:3px solid var(--seisei-bad); padding:8px 12px; }
.studio-error:has(> :empty) { display:none; }
button:focus-visible, a:focus-visible, [tabindex]:focus-visible { outline:2px solid var(--seisei-accent); outline-offset:2px; }
@media (max-width: 767px) {
  .gradio-container { padding: 0 8px 64px !important; }
  .studio-two { flex-direction: column-reverse !important; }
  .studio-left { max-width: 100%; min-width: 0 !important; }
  #seisei-line { gap:8px; padding:5px 8px; }
  #seisei-line .wide { display:none; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
"""

HEAD = """
<script>
(() => {
  const pick = (name) => (document.cookie.match('(?:^|; )' + name + '=([^;]*)') || [])[1];
  const lang = pick('seisei_lang') || ((navigator.language || 'en').toLowerCase().startsWith('ja') ? 'ja' : 'en');
  Object.defineProperty(navigator, 'language', { get: () => lang });  // Gradio's own words follow too
  document.documentElement.lang = lang;
  const keep = (name, value) => { document.cookie = name + '=' + value + '; path=/; max-age=31536000; samesite=lax'; };
  const words = () => { try { return JSON.parse(document.getElementById('seisei-words').textContent)[lang] || {}; } catch { return {}; } };
  const say = (text, values = {}) => Object.entries(values).reduce((t, [k, v]) => t.replace('{' + k + '}', v), words()[text] || text);
  const dark = () => document.body && document.body.classList.contains('dark');
  const setDark = (on) => { document.body.classList.toggle('dark', on); keep('seisei_dark', on ? '1' : '0'); };
  const clock = (s) => s < 0 ? '' : s < 60 ? Math.ceil(s) + ' s' : Math.ceil(s / 60) + ' min';
  const gb = (n) => (n / 1073741824).toFixed(1);
  const el = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);
  let open = false, seen = '';
  async function stop(id) { await fetch('/api/v1/jobs/' + id + '/cancel', { method: 'POST' }); poll(); }
  function draw(status) {
    const line = document.getElementById('seisei-line'); if (!line) return;
    const running = status.jobs.filter((job) => job.state === 'running')[0];
    const waiting = status.jobs.filter((job) => job.state === 'queued').length;
    const steps = status.provision.filter((step) => step.state === 'running' || step.state === 'failed');
    const parts = [el('span', status.device.toUpperCase())];
    const memory = el('span', ''); memory.title = status.worker.loaded.map((m) => m.key + ' ' + gb(m.bytes) + ' GB').join('\\n') || say('No model loaded');
    memory.append(el('meter', '', { min: 0, max: status.worker.budget_bytes || 1, value: status.worker.used_bytes, ariaLabel: say('Memory') }),
      document.createTextNode(' ' + gb(status.worker.used_bytes) + ' / ' + gb(status.worker.budget_bytes) + ' GB'));
    parts.push(memory);
    const note = steps.length ? say(steps[0].title) + ': ' + (steps[0].state === 'failed' ? steps[0].note : say(steps[0].note || 'on its way') + (steps[0].fraction > 0 ? ' ' + Math.round(100 * steps[0].fraction) + ' %' : ''))
      : running ? say(running.title) + (running.note ? ': ' + running.note : '') + (running.total ? ' ' + running.step + '/' + running.total : '') + (running.eta_seconds > 0 ? ', ' + clock(running.eta_seconds) : '')
      : say('Ready');
    parts.push(el('span', note, { className: 'grow', title: note }));
    if (steps.some((step) => step.state === 'failed')) { const again = el('button', say('Try again')); again.onclick = () => fetch('/api/v1/provision/retry', { method: 'POST' }).then(poll); parts.push(again); }
    if (running && running.mine) { const end = el('button', say('Stop')); end.onclick = () => stop(running.id); parts.push(end); }
    const drawer = el('button', say('Queue') + ' ' + (waiting + (running ? 1 : 0)), { ariaExpanded: String(open) }); drawer.onclick = () => { open = !open; draw(status); }; parts.push(drawer);
    const focused = document.activeElement && line.contains(document.activeElement) ? [...line.querySelectorAll('button')].indexOf(document.activeElement) : -1;
    line.replaceChildren(...parts);
    if (focused >= 0) (line.querySelectorAll('button')[focused] || line).focus();
    const list = document.getElementById('seisei-queue'); list.hidden = !open;
    const rows = status.jobs.map((job) => { const row = el('li', ''); row.append(el('span', job.state === 'running' ? '▶' : String(job.position)), el('span', say(job.title) + (job.mine ? '' : ' · ' + say('somebody else')), { className: 'grow' }), el('span', clock(job.eta_seconds || -1)));
      if (job.mine) { const end = el('button', say('Cancel')); end.onclick = () => stop(job.id); row.append(end); } return row; });
    const ol = el('ol', ''); ol.append(...(rows.length ? rows : [el('li', say('Nothing is waiting.'))])); list.replaceChildren(ol);
    const told = JSON.stringify(status.notices);
    if (told !== seen) { seen = told; document.getElementById('seisei-notices').replaceChildren(...status.notices.map((text) => el('p', text, { role: 'status' }))); }
  }
  let timer = 0;
  async function poll() {
    clearTimeout(timer);
    try { const answer = await fetch('/api/v1/status'); if (answer.status === 401) { location.href = '/signin'; return; } draw(await answer.json()); }
    catch { const line = document.getElementById('seisei-line'); if (line) line.replaceChildren(el('span', say('The studio does not answer. Is it still running?'), { className: 'grow' })); }
    timer = setTimeout(poll, document.hidden ? 5000 : 1000);
  }
  // Labels, choices, hints: every text that is a key of the catalogue is shown in the page's language; what people and models write is left alone
  const LEAVE = '#chat-view,#chat-list,#gallery-large,.gallery-grid,#seisei-words,pre,textarea,script,style,[contenteditable]';
  function translate(root) {
    const table = words(); const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT); let node;
    while ((node = walker.nextNode())) {
      const key = node.nodeValue.trim(); const found = key && table[key];
      if (found && !node.parentElement?.closest(LEAVE)) node.nodeValue = node.nodeValue.replace(key, found);
    }
    for (const box of (root.querySelectorAll ? root.querySelectorAll('[placeholder],[aria-label],[title]') : [])) for (const name of ['placeholder', 'aria-label', 'title']) {
      const found = table[box.getAttribute(name)]; if (found) box.setAttribute(name, found); }
    for (const box of (root.querySelectorAll ? root.querySelectorAll('input[role=listbox],input[aria-haspopup]') : [])) { if (table[box.value] && document.activeElement !== box) box.value = table[box.value]; }
  }
  function follow() {
    if (lang === 'en') return;
    translate(document.body);
    let waiting = false;
    new MutationObserver(() => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; translate(document.body); }); } })
      .observe(document.body, { childList: true, subtree: true, characterData: true });
  }
  function visible(selector) { return [...document.querySelectorAll(selector)].map((x) => x.matches('button,input,textarea') ? x : x.querySelector('button,input,textarea')).filter((x) => x && x.offsetParent)[0]; }
  document.addEventListener('selectionchange', () => { const box = document.activeElement; if (box && box.matches('textarea')) box.dataset.cursor = box.selectionStart; });
  const filesIn = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files');
  const takesFiles = (event) => event.target.closest && event.target.closest('#gallery-drop, [data-testid="block-label"], .upload-container, [aria-dropeffect], textarea');
  addEventListener('dragover', (event) => { if (filesIn(event) && !takesFiles(event)) event.preventDefault(); });
  addEventListener('drop', async (event) => {
    if (!filesIn(event) || takesFiles(event)) return;
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    const answer = await fetch('/api/v1/restore?name=' + encodeURIComponent(file.name), { method: 'POST', body: file });
    const told = await answer.json();
    if (answer.ok) location.reload(); else tell(say(told.error.message) + ' ' + say(told.error.hint));
  });
  function tell(text) { document.getElementById('seisei-notices').append(el('p', text, { role: 'alert' })); }
  addEventListener('keydown', (event) => {
    const typing = event.target.matches('input,textarea,[contenteditable]');
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) visible('.primary-action')?.click();
    else if (event.key === 'Escape') visible('.stop-action')?.click();
    else if (event.altKey && /^[1-9]$/.test(event.key)) { document.querySelectorAll('#seisei-tabs > .tab-wrapper [role=tab], #seisei-tabs [role=tablist] [role=tab]')[event.key - 1]?.click(); event.preventDefault(); }
    else if (event.key === '/' && !typing) { const box = visible('.search-action'); if (box) { box.focus(); event.preventDefault(); } }
  });
  {
    const start = () => {
      if (!document.getElementById('seisei-head')) return setTimeout(start, 50);
      const wish = pick('seisei_dark'); setDark(wish ? wish === '1' : matchMedia('(prefers-color-scheme: dark)').matches);
      document.getElementById('seisei-lang').onclick = () => { keep('seisei_lang', lang === 'ja' ? 'en' : 'ja'); location.reload(); };
      document.getElementById('seisei-dark').onclick = () => setDark(!dark());
      follow();
      poll();
    };
    start();
  }
})();
</script>
"""


def theme() -> Any:
    """Gradio's theme object with the studio's colours; fonts are the system's own."""
    import gradio as gr

    sans = ["system-ui", "-apple-system", "Hiragino Sans", "Noto Sans CJK JP", "Noto Sans JP", "Segoe UI", "sans-serif"]
    base = gr.themes.Base(primary_hue="teal", neutral_hue="zinc", font=sans, font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"], radius_size="md")
    return base.set(
        body_background_fill="#f7f5f0", body_background_fill_dark="#17181b", block_background_fill="#fffefb", block_background_fill_dark="#202226",
        background_fill_primary="#fffefb", background_fill_primary_dark="#202226", border_color_primary="#dedbd2", border_color_primary_dark="#3a3d44",
        button_primary_background_fill="#23685a", button_primary_background_fill_dark="#2f7d6d", button_primary_background_fill_hover="#1b5347",
        button_primary_text_color="#ffffff", body_text_color="#23262b", body_text_color_dark="#ecebe7", body_text_color_subdued="#5b6169",
        body_text_color_subdued_dark="#a9aeb6", block_info_text_color="#5b6169", block_info_text_color_dark="#a9aeb6", block_shadow="none",
    )  # fmt: skip
