// Editing in the roll: pieces are never changed in place, so undoing is taking an earlier one.
const MOST_UNDONE = 200;
const past = [], future = [];
let clipboard = [];
const editable = () => !narrow();
const byStart = (a, b) => a.start - b.start || a.pitch - b.pitch;

// -- changing ---------------------------------------------------------------------------------------------------
function commit(piece, before = now.piece) {
  past.push({ piece: before, mix: desk.mix, sound: desk.sound, made: desk.made }); if (past.length > MOST_UNDONE) past.shift();
  future.length = 0; now.piece = piece; changed();
}
function travel(from, to) {
  const other = from.pop(); if (!other) return;
  to.push({ piece: now.piece, mix: desk.mix, sound: desk.sound, made: desk.made });
  if (other.piece.voices.length !== now.piece.voices.length) now.hidden.clear();
  now.piece = other.piece; desk.mix = other.mix; desk.made = other.made; if (other.sound) desk.sound = other.sound;
  now.picked.clear(); now.range = null; now.voice = Math.min(now.voice, now.piece.voices.length - 1);
  changed(); voicesDrawn();
}
const undo = () => travel(past, future), redo = () => travel(future, past);
// `act(note, voice)` gives the note that takes its place, or null; the rest stay the very same. Returns [piece, the new ones]
function replaced(piece, picked, act) {
  const made = [];
  const voices = piece.voices.map((voice, at) => {
    if (!voice.notes.some((note) => picked.has(note))) return voice;
    const notes = [];
    for (const note of voice.notes) { if (!picked.has(note)) { notes.push(note); continue; } const next = act(note, at); if (next) { notes.push(next); made.push(next); } }
    return { ...voice, notes: notes.sort(byStart) };
  });
  return [longer({ ...piece, voices }, made), new Set(made)];
}
function longer(piece, notes) {  // whole bars, as many as its notes want
  const end = notes.reduce((most, note) => Math.max(most, note.start + note.length), 0), last = bars(piece).at(-1) || [0, QUARTER, 4], bar = last[1] * last[2];
  return end > piece.length ? { ...piece, length: piece.length + Math.ceil((end - piece.length) / bar) * bar } : piece;
}
function with_(voice, notes) { return longer({ ...now.piece, voices: now.piece.voices.map((one, at) => (at === voice ? { ...one, notes: [...one.notes, ...notes].sort(byStart) } : one)) }, notes); }
const snap = (tick, round = Math.round) => round(tick / desk.grid) * desk.grid;
const whole = (note) => ({ ...note, start: Math.max(0, Math.round(note.start)), length: Math.max(1, Math.round(note.length)), pitch: clamp(Math.round(note.pitch), 0, 127), velocity: clamp(Math.round(note.velocity), 1, 127) });
function moved(piece, picked, ticks, tones) {  // as far as all of them can go
  const all = [...picked]; if (!all.length) return [piece, picked];
  const left = Math.max(ticks, -Math.min(...all.map((note) => note.start))), up = clamp(tones, -Math.min(...all.map((note) => note.pitch)), 127 - Math.max(...all.map((note) => note.pitch)));
  return replaced(piece, picked, (note) => whole({ ...note, start: note.start + left, pitch: note.pitch + up }));
}
const resized = (piece, picked, ticks) => replaced(piece, picked, (note) => whole({ ...note, length: Math.max(Math.min(desk.grid, note.length), note.length + ticks) }));
function apply([piece, picked]) { commit(piece); now.picked = picked; show([...picked]); told(); changed(); }
function remove() { if (now.picked.size) apply(replaced(now.piece, now.picked, () => null)); }
function quantise() {
  const some = now.picked.size ? now.picked : new Set(now.piece.voices[now.voice].notes);
  apply(replaced(now.piece, some, (note) => whole({ ...note, start: snap(note.start), length: Math.max(desk.grid, snap(note.length)) })));
}
function strength(velocity) { desk.velocity = velocity; if (now.picked.size) apply(replaced(now.piece, now.picked, (note) => whole({ ...note, velocity }))); }
function copy() {
  if (!now.picked.size) return;
  const first = Math.min(...[...now.picked].map((note) => note.start));
  clipboard = now.piece.voices.flatMap((voice, at) => voice.notes.filter((note) => now.picked.has(note)).map((note) => [at, { ...note, start: note.start - first }]));
  tell(say('{n} notes copied.').replace('{n}', clipboard.length));
}
function paste() {
  if (!clipboard.length) return;
  const from = snap(now.place, Math.floor), made = [];
  let piece = now.piece;
  const voices = piece.voices.map((voice, at) => {
    const added = clipboard.filter(([home]) => Math.min(home, piece.voices.length - 1) === at).map(([, note]) => ({ ...note, start: note.start + from })); made.push(...added);
    return added.length ? { ...voice, notes: [...voice.notes, ...added].sort(byStart) } : voice;
  });
  apply([longer({ ...piece, voices }, made), new Set(made)]);
}
const everything = () => new Set(now.piece.voices.flatMap((voice, at) => (now.hidden.has(at) ? [] : voice.notes)));

// -- with mouse and fingers ---------------------------------------------------------------------------------------
function noteAt(x, y) {  // [note, voice], the active voice first
  const tick = tickOf(x), pitch = pitchOf(y), order = [now.voice, ...now.piece.voices.map((_, at) => at).filter((at) => at !== now.voice)];
  for (const at of order) {
    if (now.hidden.has(at) || !now.piece.voices[at]) continue;
    const found = now.piece.voices[at].notes.findLast((note) => note.pitch === pitch && tick >= note.start && tick < note.start + Math.max(note.length, 4 / view.px));
    if (found) return [found, at];
  }
  return [null, -1];
}
const edge = (note, x) => X(note.start + note.length) - x < Math.min(8, note.length * view.px / 3);
const where = (event) => { const place = canvas.getBoundingClientRect(); return [event.clientX - place.left, event.clientY - place.top]; };
const fingers = new Map();
let drag = null;
canvas.addEventListener('pointerdown', (event) => {
  if (event.button === 2) return;
  const [x, y] = where(event);
  canvas.setPointerCapture(event.pointerId); fingers.set(event.pointerId, [x, y]);
  if (fingers.size === 2) { drag = { kind: 'pinch', ...pinch(), px: view.px, tick: tickOf(pinch().middle) }; return; }
  if (y < BARS) drag = { kind: 'ruler', bar: barOf(now.piece, tickOf(x)), x };
  else if (x < KEYS) { drag = { kind: 'keys' }; strike(pitchOf(y)); }
  else if (event.pointerType === 'touch' && !editable()) drag = { kind: 'pan', x, at: view.at };
  else if (event.button === 1) drag = { kind: 'pan', x, at: view.at };
  else if (!editable()) drag = { kind: 'place', x };
  else begin(event, x, y);
  move(x, y, event);
});
const pinch = () => { const [[x1], [x2]] = [...fingers.values()]; return { apart: Math.max(10, Math.abs(x1 - x2)), middle: (x1 + x2) / 2 }; };
function begin(event, x, y) {
  const [note, voice] = noteAt(x, y);
  if (note) {
    if (event.shiftKey || event.ctrlKey || event.metaKey) now.picked.has(note) ? now.picked.delete(note) : now.picked.add(note);
    else if (!now.picked.has(note)) now.picked = new Set([note]);
    if (now.voice !== voice) { now.voice = voice; voicesDrawn(); }
    audition(note.pitch, voice, note.velocity);
    drag = { kind: edge(note, x) ? 'resize' : 'move', x, y, from: note, pitch: note.pitch, base: now.piece, picked: new Set(now.picked) };
    told();
  } else if (desk.tool === 'draw' || event.detail === 2) {
    const start = snap(tickOf(x), Math.floor);
    now.picked.clear(); now.ghost = { start, pitch: clamp(pitchOf(y), 0, 127), length: desk.grid, velocity: desk.velocity };
    audition(now.ghost.pitch, now.voice, desk.velocity); drag = { kind: 'draw' };
  } else drag = { kind: 'box', x, y, kept: event.shiftKey ? new Set(now.picked) : new Set() };
}
canvas.addEventListener('pointermove', (event) => {
  const [x, y] = where(event);
  if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [x, y]);
  if (drag) return move(x, y, event);
  const [note] = editable() && x > KEYS && y > BARS + CHORDS ? noteAt(x, y) : [null];
  canvas.style.cursor = y < BARS ? 'text' : note ? (edge(note, x) ? 'ew-resize' : 'grab') : x > KEYS && editable() && desk.tool === 'draw' ? 'crosshair' : 'default';
});
function move(x, y, event) {
  if (drag.kind === 'pinch') { const { apart, middle } = pinch(); view.px = drag.px * apart / drag.apart; hold(); view.at = drag.tick - (middle - KEYS) / view.px; hold(); }
  else if (drag.kind === 'pan') { view.at = drag.at - (x - drag.x) / view.px; drag.far ||= Math.abs(x - drag.x) > 6; hold(); }
  else if (drag.kind === 'ruler' && Math.abs(x - drag.x) > 4) { drag.far = true; const bar = barOf(now.piece, clamp(tickOf(x), 0, now.piece.length - 1)); now.range = [Math.min(bar, drag.bar), Math.max(bar, drag.bar)]; targetDrawn(); }
  else if (drag.kind === 'draw') now.ghost.length = Math.max(desk.grid, snap(tickOf(x) - now.ghost.start, Math.ceil));
  else if (drag.kind === 'box') boxed(x, y);
  else if (drag.kind === 'move' || drag.kind === 'resize') dragged(x, y, event);
  draw();
}
function dragged(x, y, event) {
  if (Math.abs(x - drag.x) < 3 && Math.abs(y - drag.y) < 3 && !drag.far) return;
  drag.far = true;
  const free = event.altKey, ticks = (x - drag.x) / view.px, origin = drag.from;
  const by = free ? ticks : drag.kind === 'move' ? snap(origin.start + ticks) - origin.start : snap(origin.start + origin.length + ticks) - origin.start - origin.length;
  const tones = pitchOf(y) - pitchOf(drag.y), [piece, picked] = drag.kind === 'move' ? moved(drag.base, drag.picked, by, tones) : resized(drag.base, drag.picked, by);
  if (drag.kind === 'move' && tones !== drag.tones) { drag.tones = tones; audition(clamp(drag.pitch + tones, 0, 127), now.voice, origin.velocity); }
  now.piece = piece; now.picked = picked;
}
function boxed(x, y) {
  now.box = [Math.min(x, drag.x), Math.min(y, drag.y), Math.abs(x - drag.x), Math.abs(y - drag.y)];
  drag.far ||= now.box[2] + now.box[3] > 6;
  const [left, top, wide, high] = now.box, from = tickOf(left), to = tickOf(left + wide), up = pitchOf(top), down = pitchOf(top + high);
  now.picked = new Set(drag.kept);
  if (drag.far) now.piece.voices.forEach((voice, at) => { if (!now.hidden.has(at)) for (const note of voice.notes) if (note.start < to && note.start + note.length > from && note.pitch <= up && note.pitch >= down) now.picked.add(note); });
}
for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, (event) => {
  const [x] = where(event); fingers.delete(event.pointerId);
  if (!drag || (drag.kind === 'pinch' && fingers.size)) return;
  const done = drag; drag = null; now.box = null;
  if (done.kind === 'ruler' && !done.far) { now.range = null; jump(tickOf(x)); targetDrawn(); }
  else if (done.kind === 'keys') release();
  else if ((done.kind === 'pan' || done.kind === 'place') && !done.far) jump(tickOf(x));
  else if (done.kind === 'draw' && now.ghost) { const note = whole(now.ghost); now.ghost = null; if (end === 'pointerup') apply([with_(now.voice, [note]), new Set([note])]); }
  else if (done.base && done.base !== now.piece) { if (end === 'pointercancel') now.piece = done.base; else commit(now.piece, done.base); }
  else if (done.kind === 'box' && !done.far) jump(tickOf(x));
  told(); draw();
});
canvas.addEventListener('contextmenu', (event) => {
  const [note] = editable() ? noteAt(...where(event)) : [null];
  event.preventDefault(); if (note) { now.picked = new Set([note]); remove(); }
});
canvas.addEventListener('wheel', (event) => {
  const [x] = where(event), amount = clamp(event.deltaY, -120, 120);
  if (event.ctrlKey || event.metaKey) zoom(1.0025 ** -amount, Math.max(x, KEYS));
  else if (event.altKey) { view.row *= 1.0025 ** -amount; hold(); }
  else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) { view.at += (event.deltaX || event.deltaY) / view.px; hold(); }
  else { const before = view.top; view.top -= amount / view.row / 2; hold(); if (before === view.top) return; }  // at the end the page scrolls on
  event.preventDefault(); draw();
}, { passive: false });
overview.addEventListener('pointerdown', (event) => {
  overview.setPointerCapture(event.pointerId);
  const to = (at) => { view.at = (at.clientX - overview.getBoundingClientRect().left) / overview.clientWidth * now.piece.length - shownTicks() / 2; hold(); draw(); };
  to(event); overview.onpointermove = to; overview.onpointerup = overview.onpointercancel = () => { overview.onpointermove = null; };
});

// -- with the keyboard ----------------------------------------------------------------------------------------------
function neighbour(step) {  // the next or previous note of the active voice
  const all = now.piece.voices[now.voice].notes; if (!all.length) return;
  const first = [...now.picked][0], at = all.indexOf(first), next = at >= 0 ? all[clamp(at + step, 0, all.length - 1)] : all.find((note) => note.start >= now.place) || all[0];
  now.picked = new Set([next]); jump(next.start, true); audition(next.pitch, now.voice, next.velocity); show([next]); told(); draw();
}
function arrow(event) {
  const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key] || 0, up = { ArrowUp: 1, ArrowDown: -1 }[event.key] || 0;
  const bar = bars(now.piece)[barOf(now.piece, now.place)] || [0, QUARTER, 4];
  if (!now.picked.size || !editable()) { if (side) jump(Math.max(0, snap(now.place) + side * (event.shiftKey ? bar[1] * bar[2] : desk.grid))); else { view.top += up * 3; hold(); draw(); } return; }
  if (event.altKey && side) return apply(resized(now.piece, now.picked, side * desk.grid));
  if (event.altKey && up) return strength(clamp(([...now.picked][0].velocity) + up * 8, 1, 127));
  apply(moved(now.piece, now.picked, side * (event.shiftKey ? bar[1] * bar[2] : desk.grid), up * (event.shiftKey ? 12 : 1)));
  if (up) audition([...now.picked][0].pitch, now.voice, 80);
}
function add() {
  const near = [...now.picked][0] || now.piece.voices[now.voice].notes.findLast((note) => note.start <= now.place), note = whole({ start: snap(now.place, Math.floor), pitch: near?.pitch ?? 60, length: desk.grid, velocity: desk.velocity });
  apply([with_(now.voice, [note]), new Set([note])]); audition(note.pitch, now.voice, note.velocity); now.place = note.start + note.length; draw();
}
const SHORTCUTS = { z: (event) => (event.shiftKey ? redo() : undo()), y: redo, a: () => { now.picked = everything(); told(); draw(); }, c: copy, x: () => { copy(); remove(); }, v: paste };
canvas.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey) {
    const act = SHORTCUTS[event.key.toLowerCase()];
    if (act && editable()) { event.preventDefault(); event.stopPropagation(); act(event); }
    return;
  }
  if (playedKey(event, true)) return;
  const acts = { ' ': toggle, '+': () => zoom(1.25), '-': () => zoom(0.8), '.': () => neighbour(1), ',': () => neighbour(-1), Home: () => jump(0), End: () => jump(now.piece.length - 1), f: fit };
  const edits = { Enter: add, Delete: remove, Backspace: remove, q: quantise, d: () => tool('draw'), s: () => tool('select') };
  if (event.key.startsWith('Arrow')) arrow(event);
  else if (event.key === 'Escape' && (now.picked.size || now.range)) { now.picked.clear(); now.range = null; told(); targetDrawn(); draw(); }
  else if (acts[event.key]) acts[event.key]();
  else if (edits[event.key] && editable()) edits[event.key]();
  else return;
  event.preventDefault(); event.stopPropagation();
});
canvas.addEventListener('keyup', (event) => playedKey(event, false));
