// The piano roll: where bars, notes and chords lie, and drawing them. `element`, `trigger` and `watch` are Gradio's; music_edit.js, music_play.js, music_desk.js and music_voices.js follow in the same scope.
const { say, tell, ask } = window.seisei;
const QUARTER = 480, KEYS = 46, BARS = 24, CHORDS = 20, OVERVIEW = 26, NARROW = 768;
const NAMES = ['C', 'C♯', 'D', 'E♭', 'E', 'F', 'F♯', 'G', 'A♭', 'A', 'B♭', 'B'], BLACK = new Set([1, 3, 6, 8, 10]);
const make = (tag, more = {}, ...parts) => { const made = Object.assign(document.createElement(tag), more); made.append(...parts); return made; };
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, '0')}`;
const pitchName = (pitch) => NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);
const narrow = () => innerWidth < NARROW;
const EMPTY = { voices: [{ name: 'Piano', notes: [], program: 0, drums: false }], length: 8 * 4 * QUARTER, tempos: [[0, 100]], metres: [[0, 4, 4]], keys: [], chords: [], title: '', facts: {} };

// -- time -------------------------------------------------------------------------------------------------------
const tempos = (piece) => (piece.tempos.length ? piece.tempos : [[0, 120]]);
function secondsAt(piece, tick) {
  let total = 0; const all = tempos(piece);
  all.forEach(([start, tempo], at) => { const end = at + 1 < all.length ? all[at + 1][0] : tick; total += Math.max(0, Math.min(end, tick) - start) / QUARTER * 60 / tempo; });
  return total;
}
function tickAt(piece, seconds) {
  const all = tempos(piece); let left = seconds;
  for (let at = 0; at < all.length; at++) {
    const [start, tempo] = all[at], span = at + 1 < all.length ? (all[at + 1][0] - start) / QUARTER * 60 / tempo : Infinity;
    if (left <= span) return start + left * tempo / 60 * QUARTER;
    left -= span;
  }
  return piece.length;
}
const measured = new WeakMap();  // piece: its bars, each [tick, ticks of a beat, beats]
function bars(piece) {
  if (measured.has(piece)) return measured.get(piece);
  const found = [], metres = piece.metres.length ? piece.metres : [[0, 4, 4]];
  for (let tick = 0, at = 0; tick < piece.length && found.length < 20000;) {
    while (at + 1 < metres.length && metres[at + 1][0] <= tick) at++;
    const [, beats, unit] = metres[at], beat = QUARTER * 4 / unit, next = Math.min(tick + beats * beat, at + 1 < metres.length ? metres[at + 1][0] : Infinity);
    found.push([tick, beat, beats]); tick = next;
  }
  measured.set(piece, found);
  return found;
}
const barStart = (piece, bar) => (bar < bars(piece).length ? bars(piece)[bar][0] : piece.length);
function barOf(piece, tick) { const all = bars(piece); let low = 0, high = all.length - 1; while (low < high) { const middle = (low + high + 1) >> 1; if (all[middle][0] <= tick) low = middle; else high = middle - 1; } return Math.max(0, low); }
const steps = { major: [0, 2, 4, 5, 7, 9, 11], minor: [0, 2, 3, 5, 7, 8, 10] };
function scaleOf(name) {  // pitch classes of "F#m" or "E♭ major"; null for what is no key
  const found = /^([A-G])([#♯b♭]?)\s*(m(?!a)|min\w*|dur|maj\w*)?/.exec(name || '');
  if (!found) return null;
  const root = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 }[found[1]] + ({ '#': 1, '♯': 1, b: -1, '♭': -1 }[found[2]] || 0);
  return new Set(steps[/^m(?!a)/.test(found[3] || '') ? 'minor' : 'major'].map((step) => (root + step + 12) % 12));
}

// -- what is shown ----------------------------------------------------------------------------------------------
// `at` is the first tick in sight, `top` the pitch at the upper edge, `px` pixels a tick, `row` pixels a semitone
const view = { at: 0, top: 84, px: 0.1, row: 9, width: 600, height: 360 };
const now = { piece: EMPTY, picked: new Set(), hidden: new Set(), voice: 0, range: null, place: 0, box: null, ghost: null };
const canvas = make('canvas', { className: 'roll', tabIndex: 0 }), pen = canvas.getContext('2d'), overview = make('canvas', { className: 'overview' }), small = overview.getContext('2d'), head = make('div', { className: 'playhead' });
canvas.setAttribute('role', 'application'); overview.setAttribute('aria-hidden', 'true');
const X = (tick) => KEYS + (tick - view.at) * view.px, Y = (pitch) => BARS + CHORDS + (view.top - pitch - 1) * view.row;
const tickOf = (x) => view.at + (x - KEYS) / view.px, pitchOf = (y) => Math.floor(view.top - (y - BARS - CHORDS) / view.row);
const bottom = () => view.height, shownTicks = () => (view.width - KEYS) / view.px, shownRows = () => (view.height - BARS - CHORDS) / view.row;
const look = {};
function colours() {
  const style = getComputedStyle(document.body);
  for (const name of ['ink', 'soft', 'line', 'paper', 'card', 'accent', 'bad']) look[name] = style.getPropertyValue('--seisei-' + name).trim();
  look.voices = Array.from({ length: 8 }, (_, at) => style.getPropertyValue('--voice-' + (at + 1)).trim());
}
const voiceColour = (voice) => `var(--voice-${voice % 8 + 1})`;
function hold() {  // the view stays on the piece
  view.px = clamp(view.px, 0.004, 1.2); view.row = clamp(view.row, 4, 26);
  view.at = clamp(view.at, 0, Math.max(0, now.piece.length - shownTicks() * 0.9));
  view.top = clamp(view.top, Math.min(128, shownRows()), 128);
}
function fit() {  // the whole piece, or its first sixteen bars; all its pitches
  const notes = now.piece.voices.filter((voice, at) => !now.hidden.has(at)).flatMap((voice) => voice.notes), pitches = notes.map((note) => note.pitch);
  const low = pitches.length ? pitches.reduce((a, b) => Math.min(a, b)) : 48, high = pitches.length ? pitches.reduce((a, b) => Math.max(a, b)) : 79;
  view.px = (view.width - KEYS - 8) / Math.min(now.piece.length, barStart(now.piece, 16)); view.at = 0;
  view.row = clamp((view.height - BARS - CHORDS) / (high - low + 5), 6, 14); view.top = Math.ceil((high + low) / 2 + 0.5 + shownRows() / 2);
  hold(); draw();
}
function zoom(factor, x = view.width / 2) { const tick = tickOf(x); view.px *= factor; hold(); view.at = tick - (x - KEYS) / view.px; hold(); draw(); }
function follow() { const x = X(now.place); if (x > view.width - 20 || x < KEYS) { view.at = now.place - shownTicks() * 0.05; hold(); draw(); } }
function show(notes) {  // notes that left the view come back into it
  if (!notes.length) return;
  const first = notes[0], x = X(first.start), y = Y(first.pitch);
  if (x < KEYS || x > view.width - 30) view.at = first.start - shownTicks() / 3;
  if (y < BARS + CHORDS || y > bottom() - view.row) view.top = first.pitch + shownRows() / 2;
  hold();
}

// -- drawing ----------------------------------------------------------------------------------------------------
let due = 0;
function draw() { cancelAnimationFrame(due); due = requestAnimationFrame(paint); }
function sized(target, context, height) {
  const scale = devicePixelRatio || 1, width = target.parentElement?.clientWidth || 0;
  if (target.width !== Math.round(width * scale) || target.height !== Math.round(height * scale)) { target.width = Math.round(width * scale); target.height = Math.round(height * scale); target.style.height = height + 'px'; }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return width;
}
function paint() {
  if (!canvas.isConnected || !canvas.parentElement.clientWidth) return;
  colours();
  view.height = narrow() ? 300 : clamp(Math.round(innerHeight * 0.43), 300, 560);
  const before = view.width; view.width = sized(canvas, pen, view.height);
  if (before !== view.width) hold();
  pen.clearRect(0, 0, view.width, view.height);
  rows(); lines(); names(); notes(); box(); gutter(); ruler(); overall(); playhead();
}
function rows() {
  const last = Math.max(0, pitchOf(bottom())), keys = now.piece.keys.length ? now.piece.keys : [[0, '']];
  keys.forEach(([start, name], at) => {
    const left = Math.max(KEYS, X(start)), right = Math.min(view.width, X(at + 1 < keys.length ? keys[at + 1][0] : now.piece.length)), scale = scaleOf(name);
    if (right <= left) return;
    for (let pitch = Math.min(127, Math.ceil(view.top)); pitch >= last; pitch--) {
      const inside = scale ? scale.has(pitch % 12) : !BLACK.has(pitch % 12);
      pen.globalAlpha = inside ? (scale ? 0.07 : 0) : 0.06; pen.fillStyle = inside ? look.accent : look.ink;
      pen.fillRect(left, Y(pitch), right - left, view.row);
    }
  });
  pen.globalAlpha = 1; pen.fillStyle = look.line;
  for (let pitch = Math.ceil(view.top); pitch >= last; pitch--) if (pitch % 12 === 0) pen.fillRect(KEYS, Math.round(Y(pitch) + view.row) - 1, view.width, 1);
  const end = X(now.piece.length);
  if (end < view.width) { pen.globalAlpha = 0.08; pen.fillStyle = look.ink; pen.fillRect(Math.max(KEYS, end), 0, view.width, bottom()); pen.globalAlpha = 1; }
}
function lines() {
  const all = bars(now.piece), from = barOf(now.piece, view.at), grid = desk.grid;
  for (let bar = from; bar < all.length && X(all[bar][0]) < view.width; bar++) {
    const [tick, beat, beats] = all[bar], next = barStart(now.piece, bar + 1);
    if (!narrow() && grid * view.px >= 7) line(tick, next, grid, 0.35);
    if (beat * view.px >= 7) line(tick, next, beat, 0.8);
    if ((next - tick) * view.px < 9 && bar % 4) continue;
    pen.fillStyle = look.soft; pen.globalAlpha = 0.6; if (X(tick) >= KEYS) pen.fillRect(Math.round(X(tick)), BARS, 1, bottom()); pen.globalAlpha = 1;
  }
  if (now.range) { const [low, high] = span(); pen.fillStyle = look.accent; pen.globalAlpha = 0.14; pen.fillRect(Math.max(KEYS, X(low)), 0, X(high) - Math.max(KEYS, X(low)), bottom()); pen.globalAlpha = 1; }
}
function line(from, to, step, alpha) {
  pen.fillStyle = look.line; pen.globalAlpha = alpha;
  for (let tick = from; tick < to; tick += step) { const x = Math.round(X(tick)); if (x >= KEYS && x < view.width) pen.fillRect(x, BARS + CHORDS, 1, bottom()); }
  pen.globalAlpha = 1;
}
const span = () => [barStart(now.piece, now.range[0]), barStart(now.piece, now.range[1] + 1)];
function notes() {
  pen.save(); pen.beginPath(); pen.rect(KEYS, BARS + CHORDS, view.width, bottom()); pen.clip();
  const end = view.at + shownTicks(), order = now.piece.voices.map((_, at) => at).filter((at) => at !== now.voice).concat(now.voice);
  for (const at of order) {
    const voice = now.piece.voices[at];
    if (!voice || now.hidden.has(at)) continue;
    for (const note of voice.notes) if (note.start < end && note.start + note.length > view.at) block(note, at, now.picked.has(note));
  }
  if (now.ghost) block(now.ghost, now.voice, true);
  pen.restore();
}
function block(note, voice, picked) {
  const x = X(note.start), y = Y(note.pitch), width = Math.max(2, note.length * view.px - 1), height = Math.max(2, view.row - 1);
  pen.globalAlpha = 0.5 + 0.5 * note.velocity / 127; pen.fillStyle = look.voices[voice % 8];
  pen.beginPath(); pen.roundRect(x, y + 0.5, width, height, Math.min(3, width / 3, height / 3)); pen.fill(); pen.globalAlpha = 1;
  if (picked) { pen.strokeStyle = look.ink; pen.lineWidth = 2; pen.stroke(); }
}
function names() {
  pen.fillStyle = look.card; pen.fillRect(KEYS, BARS, view.width, CHORDS); pen.fillStyle = look.line; pen.fillRect(KEYS, BARS + CHORDS - 1, view.width, 1);
  pen.font = '600 12px system-ui, sans-serif'; pen.textBaseline = 'middle'; pen.fillStyle = look.accent;
  let free = KEYS;
  for (const [tick, name] of now.piece.chords) { const x = Math.max(X(tick) + 3, KEYS + 2); if (X(tick) < KEYS - 1 || x < free || x > view.width) continue; pen.fillText(name, x, BARS + CHORDS / 2); free = x + pen.measureText(name).width + 5; }
}
function box() {
  if (!now.box) return;
  const [x, y, w, h] = now.box; pen.strokeStyle = look.accent; pen.lineWidth = 1; pen.strokeRect(x, y, w, h); pen.globalAlpha = 0.1; pen.fillStyle = look.accent; pen.fillRect(x, y, w, h); pen.globalAlpha = 1;
}
function gutter() {
  pen.fillStyle = look.card; pen.fillRect(0, BARS + CHORDS, KEYS, bottom());
  const last = Math.max(0, pitchOf(bottom()));
  pen.font = `${Math.min(11, view.row + 1)}px system-ui, sans-serif`; pen.textBaseline = 'middle';
  for (let pitch = Math.min(127, Math.ceil(view.top)); pitch >= last; pitch--) {
    const y = Y(pitch), black = BLACK.has(pitch % 12);
    pen.fillStyle = black ? look.ink : look.card; pen.globalAlpha = black ? 0.75 : 1; pen.fillRect(0, y, black ? KEYS * 0.58 : KEYS, view.row); pen.globalAlpha = 1;
    if (!black) { pen.fillStyle = look.line; pen.fillRect(0, Math.round(y + view.row) - 1, KEYS, 1); }
    if (held.has(pitch)) { pen.fillStyle = look.accent; pen.fillRect(0, y, KEYS, view.row); }
    if (pitch % 12 === 0 || (view.row >= 13 && !black)) { pen.fillStyle = look.soft; pen.textAlign = 'right'; pen.fillText(pitchName(pitch), KEYS - 4, y + view.row / 2); pen.textAlign = 'left'; }
  }
  pen.fillStyle = look.line; pen.fillRect(KEYS - 1, 0, 1, bottom());
}
function ruler() {
  pen.fillStyle = look.paper; pen.fillRect(0, 0, view.width, BARS); pen.fillStyle = look.card; pen.fillRect(0, BARS, KEYS - 1, CHORDS);
  if (now.range) { const [low, high] = span(), left = Math.max(KEYS, X(low)); pen.fillStyle = look.accent; pen.globalAlpha = 0.35; pen.fillRect(left, 0, X(high) - left, BARS); pen.globalAlpha = 1; }
  pen.font = '11px system-ui, sans-serif'; pen.textBaseline = 'middle';
  const all = bars(now.piece); let free = KEYS - 1;
  for (let bar = barOf(now.piece, view.at); bar < all.length && X(all[bar][0]) < view.width; bar++) {
    const x = X(all[bar][0]), wide = (barStart(now.piece, bar + 1) - all[bar][0]) * view.px, every = wide < 14 ? 8 : wide < 26 ? 4 : 1;
    if (x >= KEYS - 1 && x >= free && bar % every === 0) { pen.fillStyle = look.ink; pen.fillText(String(bar + 1), x + 4, BARS / 2); free = x + 22; }
    pen.fillStyle = look.soft; if (x >= KEYS) pen.fillRect(Math.round(x), BARS - 7, 1, 7);
    if (all[bar][1] * view.px >= 12) for (let beat = 1; beat < all[bar][2]; beat++) { const b = X(all[bar][0] + beat * all[bar][1]); if (b >= KEYS) pen.fillRect(Math.round(b), BARS - 4, 1, 4); }
  }
  pen.fillStyle = look.line; pen.fillRect(0, BARS - 1, view.width, 1);
}
function overall() {
  const width = sized(overview, small, OVERVIEW), piece = now.piece, across = width / piece.length;
  small.clearRect(0, 0, width, OVERVIEW);
  piece.voices.forEach((voice, at) => { if (now.hidden.has(at)) return; small.fillStyle = look.voices[at % 8]; for (const note of voice.notes) small.fillRect(note.start * across, clamp((96 - note.pitch) / 64, 0.05, 0.95) * OVERVIEW, Math.max(1, note.length * across), 1.5); });
  small.fillStyle = look.ink; small.globalAlpha = 0.1; small.fillRect(view.at * across, 0, Math.max(8, shownTicks() * across), OVERVIEW);
  small.globalAlpha = 1; small.strokeStyle = look.soft; small.strokeRect(view.at * across + 0.5, 0.5, Math.min(width - 1 - view.at * across, Math.max(8, shownTicks() * across)), OVERVIEW - 1);
}
function playhead() { const x = X(now.place); head.hidden = x < KEYS - 1 || x > view.width; head.style.transform = `translateX(${x}px)`; }
