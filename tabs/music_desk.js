// The desk around the roll: its bars of buttons, what is kept, what is made. The server keeps one desk for each person.
const GRIDS = [[480, '1/4'], [240, '1/8'], [160, '1/8 T'], [120, '1/16'], [60, '1/32'], [10, 'Off']];
const desk = { grid: 120, tool: 'select', velocity: 80, mix: {}, sound: null, made: {}, taken: '', again: null, words: { instruments: [], engines: [], exports: [] } };
const signs = {
  play: 'M7 4v16l13-8z', pause: 'M6 4h4v16H6zM14 4h4v16h-4z', undo: 'M8 5 3 10l5 5v-3.5h6a4 4 0 0 1 0 8H8v2h6a6 6 0 0 0 0-12H8z', redo: 'M16 5l5 5-5 5v-3.5h-6a4 4 0 0 0 0 8h6v2h-6a6 6 0 0 1 0-12h6z',
  select: 'M5 3l14 8-6 2 4 7-3 1.6-3.7-7L5 18z', draw: 'M4 20l1-5L16 4l4 4L9 19zM14.5 5.5l4 4', remove: 'M6 7h12l-1 14H7zM9 4h6l1 2H8z', copy: 'M8 3h11v13h-3v5H5V8h3zM10 5v3h6v6h1V5z', paste: 'M8 3h8v3h3v15H5V6h3zM10 5v2h4V5z',
  out: 'M4 11h16v2H4z', in: 'M11 4h2v7h7v2h-7v7h-2v-7H4v-2h7z', fit: 'M3 5h2v14H3zM19 5h2v14h-2zM7 11h10v2H7z', loop: 'M7 7h9V4l5 4-5 4V9H7a3 3 0 0 0-3 3H2a5 5 0 0 1 5-5zm10 10H8v3l-5-4 5-4v3h9a3 3 0 0 0 3-3h2a5 5 0 0 1-5 5z',
  pen: 'M4 20l1-5L16 4l4 4L9 19zM14.5 5.5l4 4', eye: 'M12 5c5 0 9 4.5 10 7-1 2.500-5 7-10 7S3 14.500 2 12c1-2.500 5-7 10-7zm0 3.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z',
};
const sign = (name) => `<svg viewBox="0 0 24 24" width="17" height="17" aria-hidden="true"><path fill="currentColor" d="${signs[name]}"/></svg>`;
const button = (name, label, act, more = {}) => { const made = make('button', { type: 'button', ariaLabel: say(label), title: say(label), innerHTML: sign(name), onclick: act, ...more }); made.dataset.do = label; return made; };
const plain = (label, act, more = {}) => { const made = make('button', { type: 'button', textContent: say(label), onclick: act, ...more }); made.dataset.do = label; return made; };
const pressed = (made, on) => { made.ariaPressed = String(on); };
const choice = (label, options, act, value = '') => { const made = make('select', { ariaLabel: say(label), title: say(label) }, ...options.map(([key, name]) => make('option', { value: key, textContent: name }))); made.value = value; made.onchange = () => act(made.value); return made; };

// -- drawn once -------------------------------------------------------------------------------------------------
const play = button('play', 'Play', toggle, { className: 'play' }), time = make('span', { className: 'time' }), title = make('b', { className: 'title' });
const looping = button('loop', 'Repeat', () => { repeat(!deck.loop); later(); remixed(); }); pressed(looping, false);
const undoing = button('undo', 'Undo', undo), redoing = button('redo', 'Redo', redo);
const tools = { select: button('select', 'Select and move', () => tool('select')), draw: button('draw', 'Draw notes', () => tool('draw')) };
const grid = choice('Grid', GRIDS.map(([ticks, name]) => [ticks, say(name)]), (value) => { desk.grid = +value; draw(); }, '120');
const velocity = make('input', { type: 'range', min: 1, max: 127, value: 80, ariaLabel: say('Loudness of notes'), title: say('Loudness of notes') }); velocity.onchange = () => strength(+velocity.value);
const exports_ = make('details', { className: 'menu' }), recording = make('div', { className: 'recording', hidden: true }), keys = plain('Play keys', () => listen(!played.on)); pressed(keys, false);
const voicesBox = make('div', { className: 'voices' }), pieceBox = make('span', { className: 'whole' }), works = make('div', { className: 'works' }), againBox = make('div', { className: 'bar again', hidden: true }), status_ = make('p', { className: 'status', role: 'status' }), which = make('span', { className: 'which' });
const file = make('input', { type: 'file', accept: '.mid,.midi,audio/midi', hidden: true, ariaLabel: say('MIDI file') }); file.onchange = () => { if (file.files[0]) readFile(file.files[0]); file.value = ''; };
const voicePick = choice('Voices to repaint', [], () => targetDrawn());
const acts = { Continue: plain('Continue', () => act('Continue')), Variation: plain('Variation', () => act('Variation')), Repaint: plain('Repaint', () => act('Repaint')), Harmonise: plain('Harmonise', () => act('Harmonise')), New: plain('New piece from this melody', () => act('New')), Loop: plain('Make it a loop', () => act('Loop')) };
const gap = () => make('span', { className: 'gap' });
const shell = make('div', { className: 'desk' },
  make('div', { className: 'bar transport' }, play, time, title, looping, gap(), undoing, redoing, exports_),
  make('div', { className: 'bar edits', role: 'toolbar', ariaLabel: say('Editing') }, tools.select, tools.draw, grid, plain('Quantise', quantise), velocity, button('remove', 'Delete notes', remove), button('copy', 'Copy', copy), button('paste', 'Paste', paste), gap(), plain('Open MIDI', () => file.click()), plain('Blank piece', blank), keys, file),
  make('div', { className: 'bar edits', role: 'group', ariaLabel: say('The whole piece') }, pieceBox),
  recording, make('div', { className: 'sheet' }, canvas, head, make('div', { className: 'zooms' }, button('out', 'Zoom out', () => zoom(0.7)), button('in', 'Zoom in', () => zoom(1.4)), button('fit', 'Whole piece', fit)), overview),
  make('p', { className: 'small' }, say('To edit notes, open this page on a screen at least 768 pixels wide. Here you can play, zoom and scroll.')),
  status_, works, againBox, make('div', { className: 'bar acts', role: 'group', ariaLabel: say('Go on from this piece') }, acts.Continue, acts.Variation, acts.Harmonise, acts.New, acts.Loop, gap(), make('span', { className: 'painted' }, acts.Repaint, which, voicePick)), voicesBox);

function tool(name) { desk.tool = name; for (const [key, made] of Object.entries(tools)) pressed(made, key === name); }
function playDrawn() { const on = playing(); if (play.dataset.on !== String(on)) { play.dataset.on = String(on); play.innerHTML = sign(on ? 'pause' : 'play'); play.ariaLabel = play.title = say(on ? 'Pause' : 'Play'); } timeDrawn(); }
function timeDrawn() { time.textContent = `${clock(secondsAt(now.piece, now.place))} / ${clock(secondsAt(now.piece, now.piece.length))}`; }
function told() {  // for eyes and screen readers: what is picked
  const all = [...now.picked], voice = now.piece.voices[now.voice]?.name || '';
  velocity.value = all.length ? all[0].velocity : desk.velocity;
  status_.textContent = !all.length ? '' : all.length > 1 ? say('{n} notes are picked.').replace('{n}', all.length) : `${pitchName(all[0].pitch)} · ${say('bar {n}').replace('{n}', barOf(now.piece, all[0].start) + 1)} · ${called(voice)}`;
  targetDrawn();
}
// What Repaint means now: bars from the ruler or from picked notes, voices from the list or from picked notes
function target() {
  const picked = [...now.picked], voices = now.piece.voices;
  const low = now.range ? now.range[0] : picked.length ? barOf(now.piece, Math.min(...picked.map((note) => note.start))) : -1;
  const high = now.range ? now.range[1] : picked.length ? barOf(now.piece, Math.max(...picked.map((note) => note.start + note.length - 1))) : -1;
  const chosen = voices[voicePick.value || -1] ? [+voicePick.value] : picked.length && !now.range ? voices.map((_, at) => at).filter((at) => voices[at].notes.some((note) => now.picked.has(note))) : [];
  return { bars: low < 0 ? '' : low === high ? `${low + 1}` : `${low + 1}-${high + 1}`, voices: chosen };
}
const barsNamed = (some) => say(/\D/.test(some) ? 'bars {n}' : 'bar {n}', { n: some.replace('-', '–') });
function targetDrawn() {
  const { bars: some, voices } = target(), names_ = voices.map((at) => called(now.piece.voices[at].name));
  acts.Repaint.disabled = !some && !voices.length;
  which.textContent = [some && barsNamed(some), voicePick.value === '' && names_.join(', ')].filter(Boolean).join(' · ') || (voices.length ? say('all bars') : say('Drag over bar numbers or pick notes'));
}
function recordDrawn() {
  pressed(keys, played.on); recording.hidden = !played.on; if (!played.on) return;
  const devices = played.midi ? [...played.midi.inputs.values()].map((input) => input.name) : [], on = !!played.take;
  recording.replaceChildren(plain(on ? 'Stop recording' : 'Record', () => { record(!played.take); canvas.focus(); }, { className: on ? 'rec on' : 'rec' }),
    make('span', {}, say('Keys A to ; play from {note}; Z and X change the octave.').replace('{note}', pitchName(played.octave)), ' ', devices.length ? devices.join(', ') : say('No MIDI keyboard is connected.')));
}

// -- kept on the server -----------------------------------------------------------------------------------------
const sent = (path, body, method = 'POST', more = {}) => fetch('/api/v1/music/' + path, { method, body: body instanceof Blob ? body : JSON.stringify(body), headers: body instanceof Blob ? {} : { 'content-type': 'application/json' }, ...more });
async function answered(promise) {  // JSON, or null after telling what was wrong
  const answer = await promise, found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  tell([found.error?.message, found.error?.hint].filter(Boolean).map((text) => say(text)).join(' ') || say('That did not work.')); return null;
}
function key(piece, mix_) {  // what it sounds like: title, names and facts don't matter, nor how a file is written
  const text = JSON.stringify([piece.voices.map((voice) => ({ ...voice, name: '' })), piece.length, piece.tempos, { ...mix_, bits: 0 }]); let a = 0x811c9dc5, b = 0x1234567;
  for (let i = 0; i < text.length; i++) { const code = text.charCodeAt(i); a = Math.imul(a ^ code, 0x01000193); b = Math.imul(b ^ code, 0x85ebca6b) + 1; }
  return (a >>> 0).toString(16) + (b >>> 0).toString(16) + text.length.toString(16);
}
// Repeated, the end rings on into the beginning: that is another sound
const soundKey = (piece = now.piece, mix_ = desk.mix, loop = deck.loop) => key(piece, mix_) + (loop ? ' loop' : '');
let waiting = 0, dirty = false, sending = 0;
// A page that goes away may only send so much; a larger piece is sent at once, and while it is on its way the browser asks before it leaves
const FAREWELL = 60_000, LARGE = 600;  // bytes, notes
const large = () => now.piece.voices.reduce((count, voice) => count + voice.notes.length, 0) > LARGE;
function later() { dirty = true; clearTimeout(waiting); waiting = setTimeout(save, large() ? 0 : 400); }
function changed() {
  later();
  undoing.disabled = !past.length; redoing.disabled = !future.length; if (playing() && desk.sound?.key !== soundKey()) stop();
  drawnAll();
}
function drawnAll() { title.textContent = title.title = now.piece.title; timeDrawn(); told(); pieceDrawn(); shell.classList.toggle('bare', !now.piece.voices.some((voice) => voice.notes.length)); draw(); }
let saving = Promise.resolve(true);  // one after the other: an older piece never arrives last
function save(more = {}) {
  clearTimeout(waiting);
  if (more.keepalive) return sentDesk(more);
  saving = saving.then(() => (dirty ? sentDesk(more) : true));
  return saving;
}
async function sentDesk(more) {
  dirty = false;
  const { piece } = now, body = new Blob([JSON.stringify({ piece, mix: desk.mix, sound: desk.sound, made: desk.made, taken: desk.taken, again: desk.again, loop: deck.loop })], { type: 'application/json' });
  sending++;
  const kept = await sent('desk', body, 'PUT', { ...more, keepalive: !!more.keepalive && body.size < FAREWELL }).catch(() => null);
  sending--;
  if (kept?.ok) { if (!more.keepalive) renamed(piece, await kept.json().catch(() => ({}))); return true; }
  dirty = true; if (!more.keepalive) { const found = await kept?.json().catch(() => null); tell(say(found?.error?.message || 'The piece could not be kept: the studio does not answer.')); }
  return false;
}
// Names of chords that were found in the notes are found anew when these change
function renamed(piece, { chords, facts }) { if (chords && facts && now.piece === piece && !drag) { now.piece = { ...piece, chords, facts }; draw(); } }
addEventListener('pagehide', () => { if (dirty) save({ keepalive: true }); });
addEventListener('beforeunload', (event) => { if ((dirty || sending) && large()) { save(); event.preventDefault(); } });
document.addEventListener('visibilitychange', () => { if (document.hidden && dirty) save(); });
async function opened() {
  const found = await answered(fetch('/api/v1/music/desk')); if (!found) return;
  Object.assign(desk, { mix: found.mix || {}, sound: found.sound, made: found.made || {}, taken: found.taken || '', again: found.again || null, words: { ...found.words, ready: desk.words.ready } });
  now.piece = found.piece || EMPTY; repeat(!!found.loop);
  if (desk.sound && !desk.sound.key) desk.sound.key = soundKey(now.piece, desk.mix, !!desk.sound.loop);  // it was made of just this
  settled(); menu();
}
function settled() {
  now.picked.clear(); now.hidden.clear(); now.range = null; now.place = 0; deck.from = 0;
  const first = now.piece.voices.findIndex((voice) => !voice.drums); now.voice = Math.max(0, first);
  undoing.disabled = !past.length; redoing.disabled = !future.length;
  voicesDrawn(); againDrawn(); drawnAll(); requestAnimationFrame(() => { paint(); fit(); });
}
// A piece takes the place of the one that is here, which Undo brings back
function adopt(piece, sound = null, made = {}, keepMix = false, engine = '') {
  stop(); commit(piece);
  if (!keepMix || piece.voices.length !== past.at(-1).piece.voices.length) desk.mix = {};
  const heard = engine ? { engine } : {}; if (engine) desk.mix = { ...desk.mix, engine };
  desk.again = null; desk.made = made; desk.sound = sound && { ...sound, key: soundKey(piece, heard, !!sound.loop) };
  settled(); return save();
}
async function readFile(found) {
  const read = await answered(sent('read', found)); if (!read) return;
  if (read.ours) return window.seisei.use('/api/v1/restore?name=' + encodeURIComponent(found.name), found);  // with its settings
  if (read.notes.length) tell(read.notes.map((note) => say(note)).join(' '));
  adopt({ ...read.piece, title: read.piece.title || found.name.replace(/[.]midi?$/i, '') });
}
function blank() { adopt({ ...EMPTY, metres: now.piece.metres.slice(0, 1), tempos: now.piece.tempos.slice(0, 1), keys: now.piece.keys.slice(0, 1) }); tool('draw'); }

// -- what is made of it -----------------------------------------------------------------------------------------
const lasting = (seconds) => (seconds < 90 ? say('about {n} s', { n: Math.max(1, Math.round(seconds)) }) : say('about {n} min', { n: Math.round(seconds / 60) }));
function far({ state, note, step, total, eta_seconds: left }, doing) {  // in words
  return [state === 'queued' ? say('Waiting') : note ? say(note) : doing, total ? `${Math.floor(100 * step / total)} %` : '', left >= 1 ? say('{time} left', { time: lasting(left) }) : ''].filter(Boolean).join(' · ');
}
const halts = new Set();  // of the jobs that the desk waits for
const halt = () => { for (const one of halts) one(); };
document.addEventListener('click', (event) => { if (event.target.closest?.('.music-two .stop-action')) halt(); });  // the page's Stop, which Escape presses
// The job that `begin` starts, once it is done, with its bar until then; null where it failed, after telling why, or was stopped
async function finished(doing, begin) {
  let job = '', stopped = false;
  const bar = make('progress', { ariaLabel: doing }), text = make('span', { className: 'told', textContent: doing });
  const end = () => { stopped = true; if (job) fetch(`/api/v1/jobs/${job}/cancel`, { method: 'POST' }).catch(() => {}); };
  const row = make('div', { className: 'music-busy' }, bar, text, plain('Stop', end)); works.append(row); halts.add(end);
  try {
    const started = await answered(begin()); if (!started) return null;
    job = started.job; if (stopped) end();
    for (let pause = 60; ; pause = Math.min(400, pause * 1.3)) {
      const found = await answered(fetch('/api/v1/jobs/' + job)); if (!found) return null;
      if (found.state === 'done' && !stopped) return found;
      if (!['queued', 'running'].includes(found.state)) { if (found.error) tell(say(found.error.message) + ' ' + say(found.error.hint || '')); else status_.textContent = say('Stopped.'); return null; }
      text.textContent = far(found, doing); bar.ariaLabel = text.textContent;
      if (found.total) { bar.max = found.total; bar.value = found.step; } else bar.removeAttribute('value');
      await new Promise((done) => setTimeout(done, pause));
    }
  } finally { row.remove(); halts.delete(end); }
}
const asked = (more) => ({ piece: now.piece, mix: desk.mix, ...more });
async function output(doing, begin, kind) {
  const done = await finished(doing, begin);
  return done ? (await outputsOf(done)).filter((one) => one.kind === kind) : [];
}
const outputsOf = (job) => Promise.all(job.outputs.map(async (id) => (await fetch('/api/v1/outputs/' + id)).json()));
function silent() {
  if (now.piece.voices.some((voice) => voice.notes.length)) return false;
  tell(say('There are no notes yet. Draw some, or press Generate.')); return true;
}
// The piece as it is now has a sound; a changed one is sounded anew, and so is one that changes meanwhile
let making = null;
const sounded = () => (desk.sound?.key === soundKey() ? Promise.resolve(true) : silent() ? Promise.resolve(false) : (making ||= resounded().finally(() => { making = null; })));
async function resounded() {
  play.setAttribute('aria-busy', 'true'); status_.textContent = '';
  try {
    for (let wanted; (wanted = soundKey()) !== desk.sound?.key;) {
      const [found] = await output(say('Sounding …'), () => sent('sound', asked({ loop: deck.loop })), 'audio'); if (!found) return false;
      if (wanted !== soundKey()) { sent('forget', { id: found.id }); continue; }
      if (desk.sound?.own && desk.sound.output) sent('forget', { id: desk.sound.output });
      desk.sound = { key: wanted, src: `/api/v1/outputs/${found.id}/file`, output: found.id, own: true }; dirty = true; save();
    }
    return true;
  } finally { play.removeAttribute('aria-busy'); }
}
const repeat = (on) => { looped(on); pressed(looping, on); };
async function act(mode) {
  if (silent()) return;
  const all = bars(now.piece).length, some = mode === 'Repaint' ? target() : { bars: mode === 'Loop' ? `${Math.max(1, all - 1)}-${all}` : '', voices: [] };
  dirty = true; if (!await save()) return;
  trigger('apply', { value: { mode, voice: now.voice, ...some } });
}
const saved = (address, name = '') => make('a', { href: address, download: name }).click();
async function exported(what) {
  exports_.open = false; status_.textContent = '';
  if (what === 'MIDI') {
    const answer = await sent('file', asked({})); if (!answer.ok) return answered(answer);
    const address = URL.createObjectURL(await answer.blob()); saved(address, (now.piece.title || 'piece').replace(/[^\p{L}\p{N} _-]/gu, '').slice(0, 60) + '.mid'); return setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
  if (silent()) return;
  const done = await finished(say('Writing the file …'), () => sent('export', asked({ what, loop: deck.loop }))); if (!done) return;
  const found = await outputsOf(done), notes = (done.summary.notes || []).map((note) => say(note)).join(' ');
  if (what === 'Score') return scored(found, notes);
  if (notes) tell(notes);
  const sounds = what === 'Stems' ? found.filter((one) => one.metadata?.facts?.stem) : found.slice(0, 1);
  if (!sounds.length) return;
  if (sounds.length > 1) saved('/api/v1/outputs/zip?ids=' + sounds.map((one) => one.id).join()); else saved(`/api/v1/outputs/${sounds[0].id}/file?download=1`);
}
async function scored(found, notes) {
  const pages = await Promise.all(found.map(async (one) => { const text = await (await fetch(`/api/v1/outputs/${one.id}/file`)).text(); return make('img', { className: 'score', alt: say('Score'), src: URL.createObjectURL(new Blob([text.replace(/<!--\s*seisei[\s\S]*?-->/i, '')], { type: 'image/svg+xml' })) }); }));
  const load_ = plain('Download', () => { for (const one of found) saved(`/api/v1/outputs/${one.id}/file?download=1`); }); load_.style.marginRight = '8px';
  window.seisei.dialog('Score', ...(notes ? [make('p', { className: 'studio-note', textContent: notes })] : []), make('div', { className: 'score-pages' }, ...pages), load_);
}
function menu() {
  exports_.replaceChildren(make('summary', { textContent: say('Export') }), make('div', { className: 'list' }, ...desk.words.exports.map(([what, label]) => plain(label, () => exported(what)))));
  exports_.hidden = !desk.words.exports.length;
}
addEventListener('click', (event) => { if (!exports_.contains(event.target)) exports_.open = false; });
exports_.addEventListener('keydown', (event) => { if (event.key === 'Escape' && exports_.open) { exports_.open = false; exports_.querySelector('summary').focus(); event.stopPropagation(); } });

// -- what comes from outside ------------------------------------------------------------------------------------
for (const kind of ['dragover', 'drop']) shell.addEventListener(kind, (event) => {
  const files = [...(event.dataTransfer?.items || [])].some((item) => item.kind === 'file'); if (!files) return;
  event.preventDefault(); event.stopPropagation();
  if (kind === 'drop') { document.body.classList.remove('seisei-drag'); const dropped = event.dataTransfer.files[0]; if (dropped) readFile(dropped); }
});
window.seisei.music = {
  // A job of the page is done: its piece comes here, once
  made: async ({ job, midi, audio: sound, keep, loop, engine }) => {
    if (desk.taken === job || !desk.words.ready) return;
    desk.taken = job;  // once, also where it was undone or another piece was opened since
    const found = await answered(fetch(`/api/v1/music/outputs/${midi}/piece`)); if (!found) return;
    await adopt(found.piece, sound ? { src: `/api/v1/outputs/${sound}/file`, output: sound, loop } : null, { job, midi }, keep, engine);
    if (loop) { repeat(true); later(); }
  },
  open: async () => { clearTimeout(waiting); dirty = false; await saving; if (desk.words.ready) past.push({ piece: now.piece, mix: desk.mix, sound: desk.sound, made: desk.made }); future.length = 0; stop(); await opened(); },  // what is new lies on the server already: Undo brings back what was here
  save: () => save(),
  view: () => ({ at: view.at, top: view.top, px: view.px, row: view.row }),
};
document.addEventListener('seisei-music-open', () => window.seisei.music.open());
document.addEventListener('seisei-restored', ({ detail }) => { if (detail.changed && detail.place[1] === 'compose') window.seisei.music.open(); });
element.querySelector('.music-desk').replaceChildren(shell);
tool('select'); recordDrawn(); playDrawn();
canvas.ariaLabel = say('Piano roll'); canvas.title = '';
new ResizeObserver(() => draw()).observe(shell);
new MutationObserver(() => draw()).observe(document.body, { attributeFilter: ['class'] });
opened().then(() => { desk.words.ready = true; document.dispatchEvent(new CustomEvent('seisei-music-ready')); });
