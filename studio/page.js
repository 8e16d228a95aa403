// Gradio looks for every component's events in the list of all of them. Svelte watches what is a plain object, each look then costs twenty times as much, and the page opens in twice the time:
// nothing changes these once the page is drawn, so they are no plain objects. This runs before Gradio draws.
{
  class Told {}
  for (const one of [...(window.gradio_config?.dependencies || []), ...(window.gradio_config?.components || [])]) Object.setPrototypeOf(one, Told.prototype);
}
(() => {
  const pick = (name) => (document.cookie.match('(?:^|; )' + name + '=([^;]*)') || [])[1];
  const lang = pick('seisei_lang') || ((navigator.language || 'en').toLowerCase().startsWith('ja') ? 'ja' : 'en');
  Object.defineProperty(navigator, 'language', { get: () => lang });  // Gradio's own words follow too
  document.documentElement.lang = lang;
  const keep = (name, value) => { document.cookie = name + '=' + value + '; path=/; max-age=31536000; samesite=lax'; };
  let catalogue = null;  // read once: it is half a megabyte, and live views ask for words at every frame
  const words = () => { if (catalogue) return catalogue; const held = document.getElementById('seisei-words'); try { return catalogue = JSON.parse(held.textContent)[lang] || {}; } catch { return {}; } };
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
  // A view that still shows a job at work when the job has ended missed its end: the computer slept, the line broke. Its unseen button looks again
  const missed = new Map();
  function lookAgain(status) {
    const active = new Set(status.jobs.map((job) => job.id));
    for (const mark of document.querySelectorAll('[data-follows]')) {
      const job = mark.dataset.follows, times = active.has(job) ? 0 : (missed.get(job) || 0) + 1;
      missed.set(job, times);
      if (times % 20 === 5) document.getElementById(mark.closest('[id$="-view"]').id + '-again').click();
    }
  }
  const held = () => document.querySelector('#seisei-line:active,#seisei-queue:active');
  let later = 0;
  function draw(status) {
    last = status;
    if (held()) { clearTimeout(later); later = setTimeout(() => draw(last), 100); return; } // a button that is replaced while it is pressed is never clicked
    drawModels(status);
    lookAgain(status);
    if (outputs >= 0 && status.outputs !== outputs) document.dispatchEvent(new CustomEvent('seisei-outputs'));
    outputs = status.outputs;
    const line = document.getElementById('seisei-line'); if (!line) return;
    const running = status.jobs.filter((job) => job.state === 'running')[0];
    const waiting = status.jobs.filter((job) => job.state === 'queued').length;
    const steps = status.provision.filter((step) => step.state === 'running' || step.state === 'failed');
    const coming = status.downloads.filter((item) => item.state === 'running')[0];
    const parts = [el('span', status.device.toUpperCase())];
    const memory = el('span', ''); memory.title = status.worker.loaded.map((m) => m.key + ' ' + gb(m.bytes) + ' GB').join('\n') || say('No model loaded');
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
  // How long a click would have to wait now, on an average: a timer that should come every 50 ms tells by how late it is. A page that draws
  // slowly tells the server, which sends what is written in fewer and larger updates; once it is quick again, in more
  const QUICKEST = 0.035, SLOWEST = 1.5, OFTEN = 50;
  let pace = QUICKEST, toldPace = QUICKEST;
  async function tellPace() {
    const page = window.__gradio_session_hash__; if (!page || Math.abs(Math.log(pace / toldPace)) < 0.15) return;
    toldPace = pace;
    await fetch('/api/v1/pace', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ page, seconds: pace }) }).catch(() => { toldPace = QUICKEST; });
  }
  function watchPace() {
    let before = performance.now(), since = before, lost = 0;
    const again = () => { before = since = performance.now(); lost = 0; };
    document.addEventListener('visibilitychange', again);  // timers of a page that nobody sees come late for another reason
    setInterval(() => {
      const now = performance.now(), late = Math.max(0, now - before - OFTEN); before = now;
      if (document.hidden) return again();
      lost += late * late / 2;
      if (now - since < 500) return;
      const wait = lost / (now - since); lost = 0; since = now;
      if (wait > 40) pace = Math.min(SLOWEST, pace * Math.min(4, wait / 25)); else if (wait < 12) pace = Math.max(QUICKEST, pace / 1.5);
      tellPace();
    }, OFTEN);
  }
  // Gradio's script keeps the status of every control that ever was an input of a finished event, and at each step of each event finds all of
  // them in its tree, one after the other: with the hundreds of controls here that was nearly all of the work while words came. Only controls
  // that are read without a pause, as a camera, have a use for it, and there are none
  async function lighten(tries) {
    const names = [...document.querySelectorAll('link[href]')].map((link) => link.href).concat(performance.getEntriesByType('resource').map((one) => one.name));
    const address = names.find((name) => /\/statustracker-[^/]*[.]js$/.test(name));
    if (!address) { if (tries) setTimeout(() => lighten(tries - 1), 100); return; }
    const kind = Object.values(await import(address)).flatMap((one) => [one, one?.LoadingStatus]).find((one) => typeof one === 'function' && one.prototype?.resolve_args);
    if (!kind) return;
    const update = kind.prototype.update;
    kind.prototype.update = function (told) {
      update.call(this, told);
      for (const [id, one] of Object.entries(this.current)) if (one.type === 'input') delete this.current[id];
    };
    document.documentElement.dataset.light = '';
  }
  // Labels, choices, hints: every text that is a key of the catalogue is shown in the page's language; what people and models write is left alone
  const LEAVE = '#seisei-lang,#chat-view,#chat-list .wrap,#models-downloads,#gallery-large .studio-card,.gallery-grid,#seisei-words,pre,textarea,script,style,[contenteditable]';
  const TOLD = ['placeholder', 'aria-label', 'title'];
  const boxes = new Set();  // every control whose choice stands in a box: a value that Gradio puts in is no mutation
  function translateText(node, table) {
    const key = node.nodeValue.trim(), found = key && table[key];
    if (found && found !== key && !node.parentElement?.closest(LEAVE)) node.nodeValue = node.nodeValue.replace(key, found);
  }
  function translateAttributes(box, table) {
    for (const name of TOLD) {
      const told = box.getAttribute(name) || '', part = /^(number input|range slider) for (.+)$/.exec(told); // Gradio's own, around a label
      const found = table[told] || (part && `${table[part[2]] || part[2]}: ${table[part[1]]}`); if (found && found !== told) box.setAttribute(name, found);
    }
  }
  // A text by itself, or an element with all that it holds; within what is left alone only what its controls are called
  function translate(root, table) {
    if (root.nodeType === Node.TEXT_NODE) return translateText(root, table);
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    if (!root.closest(LEAVE)) { const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT); let node; while ((node = walker.nextNode())) translateText(node, table); }
    for (const box of [root, ...root.querySelectorAll('[placeholder],[aria-label],[title]')]) translateAttributes(box, table);
    if (root.matches('input[role=combobox]')) boxes.add(root);
    for (const box of root.querySelectorAll('input[role=combobox]')) boxes.add(box);
  }
  function translateBoxes(table) {
    for (const box of boxes) {
      if (!box.isConnected) boxes.delete(box);  // put in again, it is a mutation
      else if (table[box.value] && table[box.value] !== box.value && document.activeElement !== box) box.value = table[box.value];
    }
  }
  // Only what came or changed is looked at, once a frame: a word of a streamed answer is no reason to read the whole page
  function follow() {
    if (lang === 'en') return;
    const came = new Set(), named = new Set();
    const above = (node) => { for (let up = node.parentNode; up; up = up.parentNode) if (came.has(up)) return true; return false; };
    function now() {
      const table = words();
      for (const node of came) if (node.isConnected && !above(node)) translate(node, table);
      for (const box of named) if (box.isConnected) translateAttributes(box, table);
      translateBoxes(table);
      came.clear(); named.clear();
      watcher.takeRecords();  // its own changes
    }
    const watcher = new MutationObserver((records) => {
      if (!came.size && !named.size) requestAnimationFrame(now);
      for (const record of records) {
        if (record.type === 'childList') for (const node of record.addedNodes) came.add(node);
        else (record.type === 'attributes' ? named : came).add(record.target);
      }
      if (came.size + named.size > 2000) { named.clear(); came.clear(); came.add(document.body); }  // nobody sees the page, which is drawn on without frames
    });
    came.add(document.body); now();
    watcher.observe(document.body, { childList: true, subtree: true, characterData: true, attributeFilter: TOLD });
  }
  function visible(selector) { return [...document.querySelectorAll(selector)].map((x) => x.matches('button,input,textarea') ? x : x.querySelector('button,input,textarea')).filter((x) => x && x.offsetParent)[0]; }
  document.addEventListener('selectionchange', () => { const box = document.activeElement; if (box && box.matches('textarea')) box.dataset.cursor = box.selectionStart; });
  const filesIn = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files');
  const takesFiles = (event) => event.target.closest && event.target.closest('[data-testid="block-label"], .upload-container, [aria-dropeffect]');
  const isText = (file) => file.size < 1e6 && (file.type.startsWith('text/') || /[.](md|txt|csv|srt)$/i.test(file.name));
  // A text file dropped on a text goes in at the cursor, without the settings that an output carries at its end
  async function insert(box, file) {
    const text = (await file.text()).replace(/\n*<!--\s*seisei[\s\S]*$/i, ''), at = box.selectionStart ?? box.value.length;
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), 'value').set.call(box, box.value.slice(0, at) + text + box.value.slice(box.selectionEnd ?? at));
    box.dispatchEvent(new Event('input', { bubbles: true })); box.focus(); box.setSelectionRange(at + text.length, at + text.length);
  }
  addEventListener('dragover', (event) => { if (filesIn(event) && !takesFiles(event)) { event.preventDefault(); document.body.classList.add('seisei-drag'); } });
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('seisei-drag'); });
  addEventListener('drop', (event) => {
    document.body.classList.remove('seisei-drag');
    if (!filesIn(event) || takesFiles(event)) return;
    event.preventDefault();
    const file = event.dataTransfer.files[0], name = encodeURIComponent(file.name), box = event.target.closest('textarea');
    if (box && !box.disabled && !box.readOnly && isText(file)) return insert(box, file);
    const back = () => use('/api/v1/restore?name=' + name, file);
    if (!/[.](json|png|ya?ml)$/i.test(file.name) || (/[.]png$/i.test(file.name) && document.getElementById('tab-image')?.offsetParent)) return back();  // among pictures a PNG is no character
    const choice = (label, action) => { const button = el('button', say(label)); button.style.marginRight = '8px'; button.onclick = () => { document.getElementById('seisei-dialog').close(); action(); }; return button; };
    dialog('A file was dropped', el('p', file.name), el('p', say('It can bring back the settings it was made with, or be imported as a chat or a character.')),
      choice('Bring its settings back', back), choice('Import it', async () => {
        const answer = await fetch('/api/v1/text/import?name=' + name, { method: 'POST', body: file });
        if (answer.ok) location.reload(); else wrong(await answer.json());
      }));
  });
  // What an event outside Gradio's queue refuses: Gradio drops that it is to be seen (6.31), and shows nothing
  const gradios = window.fetch;
  window.fetch = async (...given) => {
    const answer = await gradios(...given);
    if (answer.status === 500 && answer.url.includes('/gradio_api/run/')) answer.clone().json().then(({ error, visible }) => { if (error && visible) tell(new DOMParser().parseFromString(error, 'text/html').body.textContent); }, () => {});
    return answer;
  };
  function wrong(told, more) { tell(say(told.error.message) + ' ' + say(told.error.hint), more); }
  // Settings go to their tab: the server keeps them, the unseen button makes the tabs look, then the tab is opened
  async function use(path, file) {
    const answer = await fetch(path, { method: 'POST', body: file }), told = await answer.json();
    if (!answer.ok) return wrong(told, file?.type.startsWith('image/') && tabOf('image') && { label: say('Begin from it'), act: () => begin(file) });
    document.getElementById('seisei-restore').click();
    await goTo(told.place);
    document.dispatchEvent(new CustomEvent('seisei-restored', { detail: told }));  // for what a page shows besides its form
    tell(told.told);
  }
  // A picture to draw from: its fold is opened first, which Gradio does not draw before
  async function begin(file) {
    await goTo(['image', 'create']);
    const fold = await there(() => document.querySelector('#image-from > button'));
    if (!document.querySelector('#image-editor .painter')?.checkVisibility()) fold?.click();
    (await there(() => document.querySelector('#image-editor .painter')?.checkVisibility() && window.seisei.take))?.(file);
  }
  async function there(found) {
    let it = found();
    for (let tries = 0; tries < 200 && !it; tries++) { await new Promise((done) => setTimeout(done, 50)); it = found(); }
    return it;
  }
  // Tabs within tabs, outermost first: those of a tab that was just opened may still be being drawn
  async function goTo(places) {
    for (const id of places) {
      (await there(() => tabOf(id)))?.click();
      await new Promise((done) => setTimeout(done, 120));
    }
  }
  // ?<tab>=… opens that tab; what the value means is the tab's own
  function opened(name, tries) { const tab = tabOf(name); if (tab) tab.click(); else if (tries) setTimeout(() => opened(name, tries - 1), 100); }
  // On a narrow page a tab may only be in the menu of those that have no room, by its title
  function tabOf(name) {
    const titles = JSON.parse(document.getElementById('seisei-words')?.dataset.tabs || '{}'), title = titles[name];
    return document.querySelector('[role=tab][data-tab-id="' + CSS.escape(name) + '"]') || (title && [...document.querySelectorAll('#seisei-tabs > .tab-wrapper .overflow-dropdown button')].find((button) => [title, say(title)].includes(button.textContent.trim())));
  }
  // A piece comes on its desk; one that is open already is told
  async function piece(id) {
    const answer = await fetch('/api/v1/music/outputs/' + id + '/open', { method: 'POST' }), told = await answer.json();
    if (!answer.ok) return wrong(told);
    await goTo(told.place);
    document.dispatchEvent(new CustomEvent('seisei-music-open'));
  }
  // For what tabs and extensions draw themselves
  const ask = (title, text, label, act) => { const yes = el('button', say(label)); yes.style.marginRight = '8px'; yes.onclick = () => { document.getElementById('seisei-dialog').close(); act(); }; dialog(title, el('p', text), yes); };
  window.seisei = { use, piece, say, tell, ask, dialog, chosen };
  // Strips of last results
  async function strips() {
    const asked = {}, places = document.querySelectorAll('.seisei-strip');
    for (const place of places) place.dataset.key ??= '';  // asked for: what the page draws meanwhile asks no second time
    for (const place of places) {
      const kind = place.dataset.pipeline;
      asked[kind] ??= fetch('/api/v1/outputs?limit=10&pipeline=' + kind).then((answer) => answer.ok ? answer.json() : null);
      const found = await asked[kind]; if (!found) continue;
      const key = found.map((x) => x.id).join();
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
    else if (output.kind === 'midi') shown = el('img', '', { src: '/api/v1/music/outputs/' + output.id + '/picture', alt: output.title, className: 'roll-picture' });
    else { const text = await (await fetch(url)).text(); shown = el('pre', text.replace(/\n*(<!--\s*|# )seisei [\s\S]*$/i, '').slice(0, 20000)); }
    const load = el('a', say('Download'), { href: url + '?download=1' }), go = el('button', say('Use its settings'));
    go.onclick = () => { document.getElementById('seisei-dialog').close(); use('/api/v1/outputs/' + output.id + '/restore'); };
    load.style.margin = go.style.marginRight = '0 8px';
    const again = output.kind === 'midi' ? [el('button', say('Open it in Music'))] : []; for (const button of again) button.onclick = () => { document.getElementById('seisei-dialog').close(); piece(output.id); };
    dialog(output.title || output.kind, shown, load, go, ...again);
  }
  document.addEventListener('seisei-outputs', () => { strips(); document.getElementById('gallery-fresh')?.click(); });
  new MutationObserver(() => {
    if (document.querySelector('.seisei-strip:not([data-key])')) strips();
    for (const code of document.querySelectorAll('#chat-view pre:not([tabindex])')) code.tabIndex = 0;  // what scrolls sideways is reached by the keyboard
  }).observe(document.documentElement, { childList: true, subtree: true });
  function tell(text, more) {
    const note = el('p', text, { role: 'alert' }), close = el('button', '×', { ariaLabel: say('Close') });
    if (more) { const act = el('button', more.label, { className: 'act' }); act.onclick = () => { note.remove(); more.act(); }; note.append(act); }
    close.onclick = () => note.remove(); note.append(close);
    for (const older of document.querySelectorAll('#seisei-told p:not(:has(.act))')) if (older.firstChild.data === note.firstChild.data) older.remove();  // told once more, not twice
    document.getElementById('seisei-told').append(note); setTimeout(() => note.remove(), 15000);
  }
  // A tab that was opened a moment ago may still be drawing its search; the next key means something else
  let seeking = 0;
  function search(tries) { const box = visible('.search-action'); if (box) box.focus(); else if (tries) seeking = setTimeout(() => search(tries - 1), 50); }
  // Gradio's lists (6.31): Tab would leave them open behind oneself, and Enter takes the first choice that has the typed letters, not the one of that name
  let arrowed = false, listed = false;
  addEventListener('keydown', (event) => {
    const box = event.target, { key } = event;
    listed = !!box.matches?.('input[role=combobox][aria-expanded=true]');
    if (event.isComposing || !box.matches?.('input[role=combobox]')) return;
    if (key === 'Tab') return event.stopPropagation();
    if (key !== 'Enter') { arrowed = ['ArrowUp', 'ArrowDown', 'Home', 'End'].includes(key); return; }
    const options = document.getElementById(box.getAttribute('aria-controls'))?.querySelectorAll('[role=option]') || [];
    const named = !arrowed && !event.ctrlKey && !event.metaKey && [...options].find((option) => option.ariaLabel === box.value);
    if (named) { event.stopPropagation(); named.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, cancelable: true })); }
  }, true);
  // Whether somebody chose in a list since it was entered: its own event comes also when it is only left, and twice for a choice by hand
  const entered = new WeakMap(), choices = {};  // by box: what was there, and whether a choice was picked; by id: how many there were
  addEventListener('focusin', ({ target }) => { if (target.matches?.('input[role=combobox]')) entered.set(target, { was: target.value }); });
  const mark = () => { const told = entered.get(document.activeElement); if (told) told.picked = true; };
  addEventListener('mousedown', ({ target }) => { if (target.closest?.('[role=option]')) mark(); }, true);
  addEventListener('keydown', ({ key, target }) => { if (key === 'Enter' && target.matches?.('input[role=combobox]')) mark(); }, true);
  function chosen(id) {
    const box = document.querySelector(`[id="${id}"] input[role=combobox]`), told = entered.get(box);
    if (!told || told.picked || box.value !== told.was) choices[id] = (choices[id] || 0) + 1;
    if (box) entered.set(box, { was: box.value });
    return String(choices[id] || '');
  }
  addEventListener('keydown', (event) => {
    clearTimeout(seeking);
    if (event.isComposing) return;  // the keys are those of an input method
    const typing = event.target.matches('input,textarea,[contenteditable]');
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) visible('.primary-action')?.click();
    else if (event.key === 'Escape' && !listed && !document.querySelector('dialog[open]')) visible('.stop-action')?.click();
    else if (event.altKey && /^[1-9]$/.test(event.key)) { document.querySelectorAll('#seisei-tabs > .tab-wrapper [role=tab], #seisei-tabs [role=tablist] [role=tab]')[event.key - 1]?.click(); event.preventDefault(); }
    else if (event.key === '?' && !typing) help();
    else if (event.key === '/' && !typing) { event.preventDefault(); search(200); }
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
      watchPace();
      lighten(100);
      for (const name of new URLSearchParams(location.search).keys()) opened(name, 600);  // a slow phone draws the page for a while
    };
    start();
  }
})();
