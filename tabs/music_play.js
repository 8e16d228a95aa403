// Hearing: the piece's sound with its playhead, single notes at once, and notes that are played in by keys or a MIDI keyboard.
const LONGEST = 420, HEAVIEST = 96e6;  // seconds and bytes that are decoded whole, so that they loop without a gap
let audio = null;
const context = () => (audio ||= new AudioContext());

// -- single notes -----------------------------------------------------------------------------------------------
const held = new Map();  // pitch: how to end it
function strike(pitch, voice = now.voice, velocity = desk.velocity) {
  release(pitch); held.set(pitch, tone(pitch, now.piece.voices[voice]?.drums, velocity)); draw();
}
function release(pitch) { for (const one of pitch === undefined ? [...held.keys()] : [pitch]) { held.get(one)?.(); held.delete(one); } draw(); }
function audition(pitch, voice, velocity) { const end = tone(pitch, now.piece.voices[voice]?.drums, velocity); setTimeout(end, 180); }
function tone(pitch, drums, velocity, at = 0, level = 1) {
  const sound = context(); sound.resume();
  const start = Math.max(sound.currentTime, at), loud = 0.22 * level * (velocity / 127) ** 1.4, gain = new GainNode(sound, { gain: 0 }); gain.connect(sound.destination);
  const source = drums ? noise(sound, pitch, gain) : new OscillatorNode(sound, { type: 'triangle', frequency: 440 * 2 ** ((pitch - 69) / 12) });
  if (!drums) source.connect(gain);
  gain.gain.setValueAtTime(0, start); gain.gain.linearRampToValueAtTime(loud, start + 0.006); gain.gain.setTargetAtTime(drums ? 0 : loud * 0.45, start + 0.01, drums ? 0.05 : 0.25);
  source.start(start); source.stop(start + 8);
  return () => { const end = Math.max(sound.currentTime, start + 0.02); gain.gain.cancelScheduledValues(end); gain.gain.setTargetAtTime(0, end, 0.05); source.stop(end + 0.4); };
}
function noise(sound, pitch, target) {
  const buffer = sound.createBuffer(1, sound.sampleRate / 2, sound.sampleRate), data = buffer.getChannelData(0);
  for (let i = 0; i < data.length; i++) data[i] = 2 * Math.random() - 1;
  const source = new AudioBufferSourceNode(sound, { buffer }), band = new BiquadFilterNode(sound, { type: pitch < 42 ? 'lowpass' : 'bandpass', frequency: pitch < 37 ? 120 : pitch < 42 ? 900 : 6000, Q: 0.8 });
  source.connect(band).connect(target); return source;
}

// -- the piece's sound ------------------------------------------------------------------------------------------
const deck = { src: '', buffer: null, tape: null, source: null, since: 0, from: 0, loop: false };
const playing = () => !!deck.source || (!!deck.tape && !deck.tape.paused);
const duration = () => deck.buffer?.duration || deck.tape?.duration || 0;
function heardAt() {  // seconds into the sound
  if (deck.tape) return deck.tape.currentTime;
  const at = deck.source ? deck.from + Math.max(0, context().currentTime - deck.since) : deck.from;
  return deck.loop && duration() ? at % duration() : Math.min(at, duration() || at);
}
async function load(src) {
  if (deck.src === src && (deck.buffer || deck.tape)) return true;
  const found = await fetched(src); if (found) { stop(); Object.assign(deck, found); }
  return !!found;
}
async function fetched(src) {  // what is played goes on meanwhile
  const answer = await fetch(src); if (!answer.ok) return null;
  if (+answer.headers.get('content-length') < HEAVIEST && secondsAt(now.piece, now.piece.length) < LONGEST) {
    try { return { src, buffer: await context().decodeAudioData(await answer.arrayBuffer()), tape: null }; } catch { /* played from the file */ }
  }
  return { src, buffer: null, tape: Object.assign(new Audio(src), { onended: ended }) };
}
function start(from) {
  for (const other of window.seisei.sounds?.players?.values?.() || []) other.pause();
  if (deck.tape) { deck.tape.currentTime = from; deck.tape.loop = deck.loop; deck.tape.play().catch(() => {}); }
  else {
    const sound = context(); sound.resume();
    const source = new AudioBufferSourceNode(sound, { buffer: deck.buffer, loop: deck.loop });
    source.connect(sound.destination); deck.since = sound.currentTime + 0.02; deck.from = from >= duration() - 0.02 ? 0 : from;
    source.start(deck.since, deck.from); source.onended = () => { if (deck.source === source) { deck.source = null; ended(); } };
    deck.source = source;
  }
  run();
}
function stop() { deck.from = heardAt(); const source = deck.source; deck.source = null; if (source) source.stop(); deck.tape?.pause(); playDrawn(); }
function ended() { deck.from = 0; now.place = 0; playDrawn(); playhead(); if (X(0) < KEYS) { view.at = 0; draw(); } }
function run() {
  playDrawn();
  const step = () => {
    if (!playing()) return;
    now.place = Math.min(tickAt(now.piece, heardAt()), now.piece.length); follow(); playhead(); timeDrawn(); requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
function jump(tick, quiet = false) {
  const on = playing(); now.place = clamp(tick, 0, now.piece.length);
  if (on && !quiet) { stop(); start(secondsAt(now.piece, now.place)); }
  else if (!on) deck.from = secondsAt(now.piece, now.place);
  playhead(); timeDrawn(); follow();
}
async function toggle() {
  if (playing()) return stop();
  context().resume();
  if (!await sounded()) return;
  if (!await load(desk.sound.src)) return tell(say('The sound of this piece is gone. Change a note or press Generate to hear it anew.'));
  if (!playing()) start(secondsAt(now.piece, now.place >= now.piece.length - 1 ? 0 : now.place));  // it was pressed twice
}
// What is mixed while it plays goes on, and sounds as it was mixed as soon as that is made
async function remixed() {
  if (!playing() || desk.sound?.key === soundKey()) return;
  if (!await sounded()) return stop();
  const found = deck.src !== desk.sound.src && await fetched(desk.sound.src);
  if (found && found.src === desk.sound.src && playing()) { stop(); Object.assign(deck, found); start(deck.from); }
}
function looped(on) { if (deck.source) { deck.from = heardAt(); deck.since = context().currentTime; deck.source.loop = on; } if (deck.tape) deck.tape.loop = on; deck.loop = on; }

// -- playing notes in -------------------------------------------------------------------------------------------
const KEYBOARD = 'awsedftgyhujkolp;'.split('');  // from C upwards, as a piano's keys lie
const played = { on: false, octave: 60, midi: null, take: null, down: new Map() };
// A letter of the computer's keyboard; true where it was a note
function playedKey(event, down) {
  if (!played.on || event.ctrlKey || event.metaKey || event.altKey) return false;
  if (down && (event.key === 'z' || event.key === 'x')) { octave(event.key === 'z' ? -12 : 12); return true; }
  const at = KEYBOARD.indexOf(event.key.toLowerCase());
  if (at < 0) return false;
  if (!event.repeat) (down ? noteOn : noteOff)(played.octave + at, desk.velocity);
  event.preventDefault(); return true;
}
function octave(by) { played.octave = clamp(played.octave + by, 12, 108); recordDrawn(); }
function noteOn(pitch, velocity) { if (pitch > 127) return; strike(pitch, now.voice, velocity); played.down.set(pitch, [heardNow(), velocity]); }
function noteOff(pitch) {
  const began = played.down.get(pitch); release(pitch); played.down.delete(pitch);
  if (!began || !played.take) return;
  const [from, velocity] = began, to = heardNow();
  if (to > played.take.from) played.take.notes.push({ start: Math.max(from, played.take.from), length: Math.max(1, to - Math.max(from, played.take.from)), pitch, velocity });
}
const heardNow = () => (played.take ? tickAt(now.piece, secondsAt(now.piece, played.take.from) + context().currentTime - played.take.since) : 0);
async function listen(on) {
  played.on = on; recordDrawn();
  if (!on) { record(false); release(); return; }
  canvas.focus();
  if (!played.midi && navigator.requestMIDIAccess) {
    try { played.midi = await navigator.requestMIDIAccess(); } catch { return; }  // not allowed: the computer's keys stay
    const connect = () => { for (const input of played.midi.inputs.values()) input.onmidimessage = ({ data }) => heard(data); recordDrawn(); };
    played.midi.onstatechange = connect; connect();
  }
}
function heard([status, pitch, velocity]) {
  if (!played.on) return;
  if ((status & 0xf0) === 0x90 && velocity) noteOn(pitch, velocity); else if ([0x80, 0x90].includes(status & 0xf0)) noteOff(pitch);
}
function record(on) {
  if (!on) return played.take && taken();
  stop(); context().resume();
  const bar = barOf(now.piece, now.place), [from, beat, beats] = bars(now.piece)[bar], pulse = secondsAt(now.piece, from + beat) - secondsAt(now.piece, from);
  const since = context().currentTime + 0.15 + beats * pulse;  // one bar is counted in
  played.take = { from, since, notes: [], beat: 0 };
  for (let at = -beats; at < 0; at++) click(since + at * pulse, at === -beats);
  const step = () => {
    if (!played.take) return;
    const tick = heardNow(); now.place = Math.max(0, tick);
    while (clickAt(played.take.beat) < context().currentTime + 0.3) { click(clickAt(played.take.beat), played.take.beat % beats === 0); played.take.beat++; }
    if (now.place > now.piece.length - 1) now.piece = { ...now.piece, length: now.piece.length + beat * beats };
    follow(); playhead(); timeDrawn(); requestAnimationFrame(step);
  };
  const clickAt = (at) => since + at * pulse;
  played.take.before = now.piece; step(); recordDrawn();
}
const click = (at, first) => { const end = tone(first ? 96 : 91, false, 100, at, 0.5); setTimeout(end, Math.max(0, (at - context().currentTime) * 1000 + 50)); };
function taken() {
  for (const pitch of [...played.down.keys()]) noteOff(pitch);
  const take = played.take, notes = take.notes.map((note) => whole({ ...note, start: snap(note.start), length: Math.max(desk.grid, snap(note.length)) }));
  played.take = null; now.piece = take.before; now.place = take.from; recordDrawn();
  if (notes.length) apply([with_(now.voice, notes), new Set(notes)]);
  draw();
}
