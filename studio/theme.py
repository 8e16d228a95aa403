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
#seisei-head { display:flex; align-items:center; gap:8px; padding:6px 0; min-height:48px; }
#seisei-head .name { font-weight:650; font-size:18px; color:var(--seisei-ink); white-space:nowrap; }
#seisei-head .name b { color:var(--seisei-accent); margin-right:6px; }
#seisei-head .space { flex:1; }
#seisei-head button { border:1px solid var(--seisei-line); background:var(--seisei-card); color:var(--seisei-ink); border-radius:8px; padding:4px 10px; min-height:34px; min-width:34px; cursor:pointer; font-size:14px; white-space:nowrap; flex:none; }
#seisei-head button, .model-grid button { margin:0 !important; }
#chat-view button[aria-label='Clear'] { display:none; }
#chat-view .user.message { background:color-mix(in srgb, var(--seisei-accent) 10%, var(--seisei-card)); border-color:color-mix(in srgb, var(--seisei-accent) 35%, transparent); }
#seisei-head button:hover, #seisei-bar button:hover { border-color:var(--seisei-accent); }
#seisei-notices { display:flex; flex-direction:column; gap:6px; }
#seisei-notices:empty { display:none; }
#seisei-told { position:fixed; top:56px; right:16px; z-index:60; display:flex; flex-direction:column; gap:8px; max-width:min(420px,92vw); }
#seisei-told p { margin:0; padding:10px 12px; border:1px solid var(--seisei-line); border-left:3px solid var(--seisei-accent); border-radius:8px; background:var(--seisei-card); color:var(--seisei-ink); font-size:14px; box-shadow:0 4px 16px rgb(0 0 0 / .12); }
#seisei-told button { border:0; background:transparent; color:var(--seisei-soft); cursor:pointer; margin-left:8px; font-size:16px; }
.seisei-unseen { display:none !important; }
.seisei-drag::after { content:''; position:fixed; inset:8px; border:3px dashed var(--seisei-accent); border-radius:14px; z-index:70; pointer-events:none; background:color-mix(in srgb, var(--seisei-accent) 8%, transparent); }
.seisei-strip { display:flex; gap:8px; overflow-x:auto; align-items:center; padding:2px 0; } .seisei-strip:empty { display:none; }
.seisei-strip .label { color:var(--seisei-soft); font-size:13px; flex:none; }
.seisei-strip button { flex:none; width:132px; height:56px; overflow:hidden; text-align:left; border:1px solid var(--seisei-line); border-radius:10px; background:var(--seisei-card); color:var(--seisei-ink); font-size:12px; line-height:1.3; padding:6px 8px; cursor:pointer; }
.seisei-strip button:has(img) { width:56px; padding:0; } .seisei-strip img { width:100%; height:100%; object-fit:cover; }
dialog.studio-dialog img { max-width:100%; } dialog.studio-dialog pre { white-space:pre-wrap; overflow-wrap:anywhere; max-height:50vh; overflow:auto; font-family:inherit; }
dialog.studio-dialog a { color:var(--seisei-accent); }
#seisei-notices p { margin:0; padding:8px 12px; border-left:3px solid var(--seisei-accent); background:var(--seisei-card); color:var(--seisei-ink); border-radius:6px; font-size:14px; }
#seisei-bar { position:fixed; left:0; right:0; bottom:0; z-index:50; background:var(--seisei-card); border-top:1px solid var(--seisei-line); color:var(--seisei-soft); font-size:13px; }
#seisei-line { display:flex; align-items:center; gap:14px; padding:5px 16px; min-height:34px; max-width:1480px; margin:0 auto; overflow:hidden; white-space:nowrap; }
#seisei-line .grow { flex:1; overflow:hidden; text-overflow:ellipsis; }
#seisei-bar button { border:1px solid var(--seisei-line); background:transparent; color:var(--seisei-ink); border-radius:7px; padding:2px 9px; min-height:26px; cursor:pointer; font-size:13px; }
#seisei-bar meter { width:72px; height:12px; vertical-align:middle; }
#seisei-queue { border-bottom:1px solid var(--seisei-line); max-height:40vh; overflow:auto; padding:8px 16px; }
#models-memory { color:var(--seisei-soft); font-size:14px; padding:6px 0; } #models-memory meter { width:160px; height:14px; vertical-align:middle; }
#chat-note meter { width:90px; height:12px; vertical-align:middle; } .studio-over { color:var(--seisei-bad); font-weight:600; }
#chat-input textarea { min-height: 78px; } #chat-go { gap:6px !important; max-width:120px; } #chat-go button { flex:1; } #chat-composer { flex-wrap:nowrap; align-items:stretch; }
#chat-list .wrap label { border:0; background:transparent; padding:5px 6px; box-shadow:none; } #chat-list input { position:absolute; opacity:0; } #chat-list label.selected { background:color-mix(in srgb, var(--seisei-accent) 14%, transparent); border-radius:8px; } #chat-list label:focus-within { outline:2px solid var(--seisei-accent); }
.dark { --color-accent:#6cc3b0; }
#seisei-queue[hidden] { display:none; }
#seisei-queue li { display:flex; gap:12px; align-items:center; padding:4px 0; }
#seisei-queue ol { list-style:none; margin:0 auto; padding:0; max-width:1448px; }
.studio-left { max-width: 360px; }
/* A page that fills the window: the result takes what is left, the composer stays in reach */
.studio-fill { height: calc(100dvh - var(--seisei-above, 118px) - 46px); min-height: 460px; flex-wrap: nowrap !important; }
.studio-fill > .studio-left { overflow-y: auto; height: 100%; padding-bottom: 8px; }
.studio-fill > .studio-right { height: 100%; gap: 8px !important; }
.studio-fill .studio-result { flex: 1 1 0 !important; min-height: 160px !important; height: auto !important; }
.studio-quiet button, button.studio-quiet { border: 1px solid var(--seisei-line) !important; background: var(--seisei-card) !important; color: var(--seisei-ink) !important; font-weight: 400 !important; }
.studio-quiet button:hover, button.studio-quiet:hover { border-color: var(--seisei-accent) !important; }
.studio-bare, .studio-bare > .styler, .studio-bare .block { border: 0 !important; box-shadow: none !important; background: transparent !important; padding: 0 !important; }
dialog.studio-dialog { border: 1px solid var(--seisei-line); border-radius: 14px; background: var(--seisei-card); color: var(--seisei-ink); padding: 20px 24px; max-width: min(560px, 92vw); max-height: 84vh; overflow: auto; font-size: 14px; line-height: 1.5; }
dialog.studio-dialog::backdrop { background: rgb(0 0 0 / 0.4); }
dialog.studio-dialog h2 { margin: 0 0 10px; font-size: 17px; color: var(--seisei-ink); }
dialog.studio-dialog dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 16px; margin: 0 0 14px; }
dialog.studio-dialog dd { margin: 0; overflow-wrap: anywhere; }
dialog.studio-dialog kbd { border: 1px solid var(--seisei-line); border-radius: 5px; padding: 1px 6px; font-family: inherit; font-size: 13px; }
dialog.studio-dialog button { border: 1px solid var(--seisei-line); background: var(--seisei-card); color: var(--seisei-ink); border-radius: 8px; padding: 6px 14px; min-height: 36px; cursor: pointer; }
.studio-empty { color:var(--seisei-soft); text-align:center; padding:24px 12px; }
.studio-card { border:1px solid var(--seisei-line); border-radius:12px; background:var(--seisei-card); padding:12px; }
.studio-note { color:var(--seisei-soft); font-size:13px; min-height:20px; }
.studio-error { color:var(--seisei-bad); border-left:3px solid var(--seisei-bad); padding:8px 12px; }
.studio-error:has(> :empty) { display:none; }
button:focus-visible, a:focus-visible, [tabindex]:focus-visible { outline:2px solid var(--seisei-accent); outline-offset:2px; }
@media (min-width: 900px) {
  .gradio-container main { position: relative; }
  #seisei-head { position: absolute; top: 0; left: 0; right: 0; pointer-events: none; z-index: 5; }
  #seisei-head > * { pointer-events: auto; }
  #seisei-head { top: 6px; }
  #seisei-notices:not(:empty) { margin: 56px 0 30px; }
  #seisei-tabs { margin-top: -20px; } #seisei-tabs > .tabitem { padding-top: 12px; }
  #tab-text { padding-top: 0 !important; }
  #seisei-tabs > .tab-wrapper { margin: 0 300px 0 190px; }
}
@media (max-width: 767px) {
  .gradio-container { padding: 0 8px 64px !important; }
  .studio-two { flex-direction: column-reverse !important; }
  .studio-two > .studio-left, .studio-two > .studio-right { max-width: 100%; min-width: 0 !important; width: 100%; flex: none !important; }
  .studio-fill { height: auto; }
  .studio-fill > .studio-right { height: calc(100dvh - 212px); min-height: 420px; }
  #seisei-head .wide { display: none; }
  .studio-fill > .studio-left { height: auto; }
  #seisei-head .name b { margin-right: 2px; }
  #seisei-head { gap: 6px; }
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
  let open = false, seen = '', outputs = -1;
  function dialog(title, ...parts) {
    const box = document.getElementById('seisei-dialog'), close = el('button', say('Close'));
    close.onclick = () => box.close();
    box.replaceChildren(el('h2', say(title), { id: 'seisei-dialog-title' }), ...parts, close);
    box.showModal(); close.focus();
  }
  function table(rows) { const list = el('dl', ''); for (const [key, text] of rows) { const dt = el('dt', ''); dt.append(typeof key === 'string' ? el('kbd', key) : key); list.append(dt, el('dd', text)); } return list; }
  const help = () => dialog('Keyboard', table([['Ctrl Enter', say('Generate or send')], ['Esc', say('Stop')], ['Alt 1 … 9', say('Switch tab')], ['/', say('Search')], ['?', say('This help')]]),
    el('p', say('Drop an output file anywhere on the page: its settings come back.')), el('p', say("The user guide is in docs/user-guide.md of the studio's folder.")));
  function share() {
    const told = last.share || {}, rows = [];
    if (told.link) rows.push([el('span', say('Public link')), told.link]);
    if (told.network) rows.push([el('span', say('Address in your network')), told.network]);
    const words = rows.length ? 'This studio is open to others. Give them this address, and a user name and password of yours.' : 'Start this studio with --share for a public link, or with --listen 0.0.0.0 for your network. Sign-in is always on then.';
    const copy = el('button', say('Copy')); copy.style.marginRight = '8px';
    copy.onclick = () => navigator.clipboard.writeText(rows[0][1]).then(() => { copy.textContent = say('Copied'); });
    dialog('Let others in', el('p', say(words)), ...(rows.length ? [table(rows), copy] : []));
  }
  let last = {};
  const act = (path) => fetch(path, { method: 'POST' }).then(poll);
  function downloadRows(items) {
    return items.map((item) => {
      const row = el('li', ''); row.append(el('span', item.title, { className: 'grow' }));
      if (item.state === 'running') row.append(el('progress', '', { max: item.total || 1, value: item.total ? item.have : undefined, ariaLabel: item.title }), el('span', (item.have / 1048576).toFixed(0) + ' / ' + (item.total / 1048576).toFixed(0) + ' MB ' + clock(item.seconds_left)));
      else row.append(el('span', say(item.state) + (item.note ? ': ' + say(item.note) : '')));
      const button = (label, action) => { const b = el('button', say(label)); b.onclick = () => act('/api/v1/downloads/' + item.id + '/' + action); row.append(b); };
      if (item.state === 'running') button('Cancel', 'cancel'); else { if (item.state !== 'done') button('Resume', 'again'); button('Forget', 'forget'); }
      return row;
    });
  }
  function drawModels(status) {
    const place = document.getElementById('models-downloads'); if (!place) return;
    const told = JSON.stringify(status.downloads);
    if (place.dataset.told !== told) { place.dataset.told = told; const list = el('ul', ''); list.append(...downloadRows(status.downloads)); place.replaceChildren(...(status.downloads.length ? [list] : [])); }
    const memory = document.getElementById('models-memory'); if (!memory) return;
    const names = status.worker.loaded.map((m) => m.key.split(' @')[0] + ' ' + gb(m.bytes) + ' GB').join(' · ') || say('No model loaded');
    memory.replaceChildren(el('meter', '', { min: 0, max: status.worker.budget_bytes || 1, value: status.worker.used_bytes, ariaLabel: say('Memory') }), document.createTextNode(' ' + gb(status.worker.used_bytes) + ' / ' + gb(status.worker.budget_bytes) + ' GB  ' + names));
  }
  async function stop(id) { await fetch('/api/v1/jobs/' + id + '/cancel', { method: 'POST' }); poll(); }
  function draw(status) {
    last = status; drawModels(status);
    if (outputs >= 0 && status.outputs !== outputs) document.dispatchEvent(new CustomEvent('seisei-outputs'));
    outputs = status.outputs;
    const line = document.getElementById('seisei-line'); if (!line) return;
    const running = status.jobs.filter((job) => job.state === 'running')[0];
    const waiting = status.jobs.filter((job) => job.state === 'queued').length;
    const steps = status.provision.filter((step) => step.state === 'running' || step.state === 'failed');
    const coming = status.downloads.filter((item) => item.state === 'running')[0];
    const parts = [el('span', status.device.toUpperCase())];
    const memory = el('span', ''); memory.title = status.worker.loaded.map((m) => m.key + ' ' + gb(m.bytes) + ' GB').join('\\n') || say('No model loaded');
    memory.append(el('meter', '', { min: 0, max: status.worker.budget_bytes || 1, value: status.worker.used_bytes, ariaLabel: say('Memory') }),
      document.createTextNode(' ' + gb(status.worker.used_bytes) + ' / ' + gb(status.worker.budget_bytes) + ' GB'));
    parts.push(memory);
    const note = steps.length ? say(steps[0].title) + ': ' + (steps[0].state === 'failed' ? steps[0].note : say(steps[0].note || 'on its way') + (steps[0].fraction > 0 ? ' ' + Math.round(100 * steps[0].fraction) + ' %' : ''))
      : running ? say(running.title) + (running.note ? ': ' + running.note : '') + (running.total ? ' ' + running.step + '/' + running.total : '') + (running.eta_seconds > 0 ? ', ' + clock(running.eta_seconds) : '')
      : coming ? coming.title + ' ' + (coming.total ? Math.round(100 * coming.have / coming.total) + ' %' : '') + (coming.seconds_left > 0 ? ', ' + clock(coming.seconds_left) : '')
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
      if (job.mine && job.state === 'queued' && status.jobs.filter((other) => other.mine && other.state === 'queued').length > 1) for (const [sign, to, name] of [['↑', 'earlier', 'Earlier'], ['↓', 'later', 'Later']]) {
        const move = el('button', sign, { ariaLabel: say(name), title: say(name) }); move.onclick = () => act('/api/v1/jobs/' + job.id + '/move?to=' + to); row.append(move); }
      if (job.mine) { const end = el('button', say('Cancel')); end.onclick = () => stop(job.id); row.append(end); } return row; });
    rows.push(...downloadRows(status.downloads.filter((item) => item.state !== 'done')));
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
  const LEAVE = '#chat-view,#chat-list .wrap,#models-downloads,#gallery-large,.gallery-grid,#seisei-words,pre,textarea,script,style,[contenteditable]';
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
  const takesFiles = (event) => event.target.closest && event.target.closest('[data-testid="block-label"], .upload-container, [aria-dropeffect], textarea');
  addEventListener('dragover', (event) => { if (filesIn(event) && !takesFiles(event)) { event.preventDefault(); document.body.classList.add('seisei-drag'); } });
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('seisei-drag'); });
  addEventListener('drop', (event) => {
    document.body.classList.remove('seisei-drag');
    if (!filesIn(event) || takesFiles(event)) return;
    event.preventDefault();
    const file = event.dataTransfer.files[0], name = encodeURIComponent(file.name);
    const back = () => use('/api/v1/restore?name=' + name, file);
    if (!/[.](json|png|ya?ml)$/i.test(file.name)) return back();
    const choice = (label, action) => { const button = el('button', say(label)); button.style.marginRight = '8px'; button.onclick = () => { document.getElementById('seisei-dialog').close(); action(); }; return button; };
    dialog('A file was dropped', el('p', file.name), el('p', say('It can bring back the settings it was made with, or be imported as a chat or a character.')),
      choice('Bring its settings back', back), choice('Import it', async () => {
        const answer = await fetch('/api/v1/text/import?name=' + name, { method: 'POST', body: file });
        if (answer.ok) location.reload(); else wrong(await answer.json());
      }));
  });
  function wrong(told) { tell(say(told.error.message) + ' ' + say(told.error.hint)); }
  // Settings go to their tab: the server keeps them, the unseen button makes the tabs look, then the tab is opened
  async function use(path, file) {
    const answer = await fetch(path, { method: 'POST', body: file }), told = await answer.json();
    if (!answer.ok) return wrong(told);
    document.getElementById('seisei-restore').click();
    for (const id of told.place) { document.querySelector('[role=tab][data-tab-id="' + id + '"]')?.click(); await new Promise((done) => setTimeout(done, 120)); }
    tell(told.told);
  }
  window.seisei = { use };
  // Strips of last results
  async function strips() {
    for (const place of document.querySelectorAll('.seisei-strip')) {
      const answer = await fetch('/api/v1/outputs?limit=10&pipeline=' + place.dataset.pipeline); if (!answer.ok) continue;
      const found = await answer.json(), key = found.map((x) => x.id).join();
      if (place.dataset.key === key) continue;
      place.dataset.key = key;
      const cards = found.map((output) => {
        const card = el('button', '', { type: 'button', title: output.title });
        if (output.kind === 'image') card.append(el('img', '', { src: '/api/v1/outputs/' + output.id + '/thumb', alt: output.title, loading: 'lazy' }));
        else card.append(el('span', output.title || output.kind));
        card.onclick = () => large(output); return card;
      });
      place.replaceChildren(...(cards.length ? [el('span', say('Last results'), { className: 'label' }), ...cards] : []));
    }
  }
  async function large(output) {
    const url = output.file; let shown;
    if (output.kind === 'image') shown = el('img', '', { src: url, alt: output.title });
    else if (output.kind === 'audio') shown = el('audio', '', { src: url, controls: true });
    else { const text = await (await fetch(url)).text(); shown = el('pre', text.replace(/\n*<!--\\s*seisei[\\s\\S]*$/i, '').slice(0, 20000)); }
    const load = el('a', say('Download'), { href: url + '?download=1' }), go = el('button', say('Use its settings'));
    go.onclick = () => { document.getElementById('seisei-dialog').close(); use('/api/v1/outputs/' + output.id + '/restore'); };
    load.style.margin = go.style.marginRight = '0 8px';
    dialog(output.title || output.kind, shown, load, go);
  }
  document.addEventListener('seisei-outputs', () => { strips(); document.getElementById('gallery-fresh')?.click(); });
  new MutationObserver(() => { if (document.querySelector('.seisei-strip:not([data-key])')) strips(); }).observe(document.documentElement, { childList: true, subtree: true });
  function tell(text) {
    const note = el('p', text, { role: 'alert' }), close = el('button', '×', { ariaLabel: say('Close') });
    close.onclick = () => note.remove(); note.append(close);
    document.getElementById('seisei-told').append(note); setTimeout(() => note.remove(), 15000);
  }
  addEventListener('keydown', (event) => {
    const typing = event.target.matches('input,textarea,[contenteditable]');
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) visible('.primary-action')?.click();
    else if (event.key === 'Escape' && !document.querySelector('dialog[open]')) visible('.stop-action')?.click();
    else if (event.altKey && /^[1-9]$/.test(event.key)) { document.querySelectorAll('#seisei-tabs > .tab-wrapper [role=tab], #seisei-tabs [role=tablist] [role=tab]')[event.key - 1]?.click(); event.preventDefault(); }
    else if (event.key === '?' && !typing) help();
    else if (event.key === '/' && !typing) { const box = visible('.search-action'); if (box) { box.focus(); event.preventDefault(); } }
  });
  {
    const start = () => {
      if (!document.getElementById('seisei-head')) return setTimeout(start, 50);
      const wish = pick('seisei_dark'); setDark(wish ? wish === '1' : matchMedia('(prefers-color-scheme: dark)').matches);
      document.getElementById('seisei-lang').textContent = lang === 'ja' ? 'English' : '日本語';
      document.getElementById('seisei-help').onclick = help;
      document.getElementById('seisei-share').onclick = share;
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
        button_primary_text_color="#ffffff", button_large_text_size="*text_md", button_large_text_weight="500", button_large_padding="8px 14px", button_small_text_size="*text_sm",
        button_secondary_background_fill="#ece9e1", button_secondary_background_fill_dark="#2c2f35", button_secondary_background_fill_hover="#e2ded3", button_secondary_background_fill_hover_dark="#363a41",
        button_secondary_text_color="#23262b", button_secondary_text_color_dark="#ecebe7", color_accent="#23685a", layout_gap="12px", input_background_fill="#f5f3ed", input_background_fill_dark="#17181b",
        block_label_text_color="#5b6169", block_label_text_color_dark="#a9aeb6", block_title_text_color="#4a4f56", block_title_text_color_dark="#b9bec5", block_title_text_size="*text_sm", input_placeholder_color="#6d7278", input_placeholder_color_dark="#8d939b", body_text_color="#23262b", body_text_color_dark="#ecebe7", body_text_color_subdued="#5b6169",
        body_text_color_subdued_dark="#a9aeb6", block_info_text_color="#5b6169", block_info_text_color_dark="#a9aeb6", block_shadow="none",
    )  # fmt: skip
