// Voices with their mixer, what they all are made to sound by, and what the piece is: tempo, metre, key. A change of the piece can be undone.
const MOST_VOICES = 128, SLOWEST = 4, QUICKEST = 900;  // as a MIDI file can have them
const METRES = ['4/4', '3/4', '2/4', '6/8', '9/8', '12/8', '5/4', '7/8'];
const MAJORS = ['C', 'Db', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B'], MINORS = ['C', 'C#', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'G#', 'A', 'Bb', 'B'];
const keyTold = (key) => (!key ? say('No key') : key.endsWith('m') ? say('{note} minor', { note: key.slice(0, -1) }) : say('{note} major', { note: key }));
function called(name) { const number = / \d+$/.exec(name)?.[0] || ''; return number && say(name) === name ? say(name.slice(0, -number.length)) + number : say(name); }

// -- what the piece is ------------------------------------------------------------------------------------------
const tempoBox = make('input', { type: 'number', min: SLOWEST, max: QUICKEST, step: 'any', ariaLabel: say('Tempo'), title: say('Quarters a minute') });
tempoBox.onchange = () => retimed(+tempoBox.value);
const metreBox = choice('Metre', METRES.map((metre) => [metre, metre]), (value) => remetred(...value.split('/').map(Number)));
const keyBox = choice('Key', ['', ...MAJORS, ...MINORS.map((note) => note + 'm')].map((key) => [key, keyTold(key)]), rekeyed);
pieceBox.append(...[['Tempo', tempoBox], ['Metre', metreBox], ['Key', keyBox]].map(([label, box]) => make('label', {}, say(label), box)));
function pieceDrawn() {
  const [, beats, unit] = now.piece.metres[0] || [0, 4, 4];
  tempoBox.value = tempos(now.piece)[0][1];
  chosen(metreBox, `${beats}/${unit}`, String); chosen(keyBox, now.piece.keys[0]?.[1] || '', keyTold);
}
function chosen(box, value, told_) { if (![...box.options].some((one) => one.value === value)) box.append(make('option', { value, textContent: told_(value) })); box.value = value; }
function retimed(tempo) {  // what changes on the way changes with it
  const all = tempos(now.piece), next = all.map(([tick, one]) => [tick, Math.round(100 * one * tempo / all[0][1]) / 100]);
  if (!next.every(([, one]) => one >= SLOWEST && one <= QUICKEST)) { tell(say('A tempo is from {low} to {high} quarters a minute.', { low: SLOWEST, high: QUICKEST })); return pieceDrawn(); }
  stop(); commit({ ...now.piece, tempos: next }); deck.from = secondsAt(now.piece, now.place); timeDrawn();
}
function remetred(beats, unit) {  // of the whole piece, which ends with a whole bar
  const bar = beats * QUARTER * 4 / unit;
  now.range = null; commit({ ...now.piece, metres: [[0, beats, unit]], length: Math.ceil(now.piece.length / bar) * bar });
}
function rekeyed(key) {  // of the whole piece; its notes stay
  const { key: _, ...facts } = now.piece.facts || {};
  commit({ ...now.piece, keys: key ? [[0, key]] : [], facts: key ? { ...facts, key: key.endsWith('m') ? `${key.slice(0, -1)} minor` : `${key} major` } : facts });
}

// -- voices and mixer -------------------------------------------------------------------------------------------
const MIX = { volume: 0, pan: -2, mute: false, solo: false };  // decibels; -2 leaves the place to the renderer
const mixed = (name, at) => desk.mix[name]?.[at] ?? MIX[name];
function mix(name, at, value) { const list = now.piece.voices.map((_, other) => mixed(name, other)); list[at] = value; tuned(name, list); }
function tuned(name, value) { desk.mix = { ...desk.mix, [name]: value }; later(); remixed(); }
const revoiced = (at, more) => ({ ...now.piece, voices: now.piece.voices.map((voice, other) => (other === at ? { ...voice, ...more } : voice)) });
// What composing knows of each voice goes along with it
const parted = (change) => (Array.isArray(now.piece.facts?.parts) ? { facts: { ...now.piece.facts, parts: change(now.piece.facts.parts) } } : {});
function added(what) {
  if (now.piece.voices.length >= MOST_VOICES) return tell(say('A piece has {n} voices at most.', { n: MOST_VOICES }));
  const drums = what === 'drums', names_ = now.piece.voices.map((voice) => voice.name), base = drums ? 'Drums' : desk.words.instruments[+what];
  let name = base; for (let number = 2; names_.includes(name); number++) name = `${base} ${number}`;
  commit({ ...now.piece, voices: [...now.piece.voices, { name, notes: [], program: drums ? 0 : +what, drums }], ...parted((parts) => [...parts, null]) });
  now.voice = now.piece.voices.length - 1; voicesDrawn(); draw(); canvas.focus({ preventScroll: true });
}
function removed(at) {
  const others = (list) => list.filter((_, other) => other !== at), kept = Object.fromEntries(Object.keys(MIX).filter((name) => desk.mix[name]).map((name) => [name, others(desk.mix[name])]));
  now.picked.clear(); now.hidden = new Set([...now.hidden].filter((other) => other !== at).map((other) => other - (other > at)));
  now.voice = Math.min(now.voice - (now.voice > at), now.piece.voices.length - 2);
  commit({ ...now.piece, voices: others(now.piece.voices), ...parted(others) }); desk.mix = { ...desk.mix, ...kept };
  voicesDrawn(); canvas.focus({ preventScroll: true });
}
function naming(at, place) {  // the name becomes a box until Enter, or another place is clicked; Escape leaves it
  const before = called(now.piece.voices[at].name), box = make('input', { type: 'text', value: before, maxLength: 80, ariaLabel: say('Name of the voice') });
  box.onkeydown = (event) => {
    if (event.key === 'Escape') box.value = before; else if (event.key !== 'Enter') return;
    event.preventDefault(); event.stopPropagation(); box.blur(); voicesBox.querySelectorAll('[data-do=Rename]')[at].focus();
  };
  box.onblur = () => { const name = box.value.trim(); if (name && name !== before) commit(revoiced(at, { name })); voicesDrawn(); };
  place.replaceWith(box); box.focus(); box.select();
}
const slid = (label, at, name, low, high, step) => { const set = mixed(name, at) < low ? (low + high) / 2 : mixed(name, at), made = make('input', { type: 'range', min: low, max: high, step, value: set, ariaLabel: `${say(label)}: ${called(now.piece.voices[at].name)}`, title: say(label) }); made.onchange = () => mix(name, at, +made.value); return made; };
const lamp = (letter, label, at, name) => { const made = make('button', { type: 'button', textContent: letter, title: say(label), ariaLabel: `${say(label)}: ${called(now.piece.voices[at].name)}`, onclick: () => { mix(name, at, !mixed(name, at)); pressed(made, mixed(name, at)); } }); pressed(made, mixed(name, at)); return made; };
function voiceRow(voice, at) {
  const dot = make('i', { className: 'dot' }), about = (made) => { made.ariaLabel += ': ' + called(voice.name); return made; }; dot.style.background = voiceColour(at);
  const name = make('button', { type: 'button', className: 'name', title: say('Draw in this voice'), onclick: () => { now.voice = at; voicesDrawn(); draw(); } }, dot, called(voice.name) || `${at + 1}`); pressed(name, at === now.voice);
  const eye = about(button('eye', 'Show or hide', () => { now.hidden.has(at) ? now.hidden.delete(at) : now.hidden.add(at); pressed(eye, !now.hidden.has(at)); draw(); }, { className: 'eye' })); pressed(eye, !now.hidden.has(at));
  const program = voice.drums ? make('span', { className: 'drums', textContent: say('Drums') }) : about(choice('Instrument', desk.words.instruments.map((one, number) => [number, say(one)]), (value) => commit(revoiced(at, { program: +value })), String(voice.program)));
  const rename = about(button('pen', 'Rename', () => naming(at, name), { className: 'editing' })), away = about(button('remove', 'Remove this voice', () => removed(at), { className: 'editing', disabled: now.piece.voices.length < 2 }));
  return make('div', { className: 'voice' }, name, eye, program, slid('Volume', at, 'volume', -30, 12, 1), slid('Left and right', at, 'pan', -1, 1, 0.1), lamp('M', 'Mute', at, 'mute'), lamp('S', 'Solo', at, 'solo'), rename, away);
}
function voicesDrawn() {
  const header = make('div', { className: 'voice header', ariaHidden: 'true' }, ...['Voice', '', 'Instrument', 'Volume', 'Left and right', '', '', '', ''].map((word) => make('span', { textContent: word && say(word) })));
  const more = choice('Add a voice', [['', say('Add a voice')], ['drums', say('Drum kit')], ...desk.words.instruments.map((one, number) => [number, say(one)])], (value) => added(value)); more.className = 'editing';
  voicesBox.replaceChildren(header, ...now.piece.voices.map(voiceRow), make('div', { className: 'bar' }, more, gap(), soundBox), fold);
  voicePick.replaceChildren(make('option', { value: '', textContent: say('All voices') }), ...now.piece.voices.map((voice, at) => make('option', { value: at, textContent: called(voice.name) || `${at + 1}` })));
  soundDrawn(); targetDrawn();
}

// -- the whole sound --------------------------------------------------------------------------------------------
const soundBox = make('span', { className: 'whole' }), finer = make('div', { className: 'bar' }), fold = make('details', { className: 'fold' }, make('summary', { textContent: say('More of the sound') }), finer);
fold.ontoggle = async () => {  // a SoundFont may have come in the meantime
  const found = fold.open && await answered(fetch('/api/v1/music/words'));
  if (found) { desk.words = { ...desk.words, ...found }; soundDrawn(); }
};
const labelled = (label, control) => make('label', {}, say(label), control);
function soundDrawn() {
  const { engines, soundfonts, loudness, bits, room } = desk.words, set = desk.mix; fold.hidden = !room;
  if (!room) return soundBox.replaceChildren();
  const font = labelled('SoundFont', choice('SoundFont', soundfonts, (value) => tuned('soundfont', value), set.soundfont || soundfonts[0]?.[0])), fits = () => { font.hidden = (desk.mix.engine || engines[0]) !== 'SoundFont'; };
  const engine = choice('Sound made by', engines.map((name) => [name, say(name)]), (value) => { tuned('engine', value); fits(); }, set.engine || engines[0]);
  const hall = make('input', { type: 'range', min: 0, max: 1, step: 0.05, value: set.reverb ?? 0.25, ariaLabel: say('Room'), title: say('Room') }); hall.onchange = () => tuned('reverb', +hall.value);
  const { minimum: low, maximum: high } = loudness, loud = make('input', { type: 'number', min: low, max: high, step: 0.5, value: set.loudness ?? loudness.default, ariaLabel: say('Loudness (LUFS)') });
  loud.onchange = () => { const value = +loud.value; if (loud.value !== '' && value >= low && value <= high) tuned('loudness', value); else { tell(say('The loudness is from {low} to {high} LUFS.', { low, high })); loud.value = desk.mix.loudness ?? loudness.default; } };
  const depth = choice('Bits in WAV and FLAC', bits.map((one) => [one, String(one)]), (value) => tuned('bits', +value), String(set.bits ?? bits[0]));
  fits();
  soundBox.replaceChildren(...(engines.length > 1 ? [labelled('Sound made by', engine)] : []), labelled('Room', hall));
  finer.replaceChildren(font, labelled('Loudness (LUFS)', loud), labelled('Bits in WAV and FLAC', depth));
}

// -- a task that came back with a file --------------------------------------------------------------------------
function againDrawn() {
  const again = desk.again; againBox.hidden = !again; if (!again) return;
  const names_ = (again.repaint_voices || '').split(',').map((one) => one.trim()).filter(Boolean).map((one) => called(now.piece.voices[one - 1]?.name || one));
  const task = [say(again.mode === 'New' ? 'New piece from this melody' : again.mode), again.repaint_bars && barsNamed(again.repaint_bars), names_.join(', ')].filter(Boolean).join(' · ');
  againBox.replaceChildren(make('span', {}, say('This is how it was made: {task}', { task })), plain('Do it once more', () => act('Again')));
}
