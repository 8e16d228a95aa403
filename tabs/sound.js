// Sounds of a run: played, seen as waveform and spectrogram, compared at one place and one loudness. `element` and `trigger` are Gradio's.
// A place is <div class="sound" data-sound="JSON">; its player outlives each redrawing of the page. See sound_view.py.
const { say } = window.seisei;
const LONGEST = 480, HEAVIEST = 64e6;  // seconds and bytes that are decoded whole; more is played from the file
const FFT = 2048, COLUMNS = 900, ROWS = 150, LOWEST = 50, HIGHEST = 16000, FLOOR = 75;  // of the spectrogram: Hz and dB below the loudest
const SIGNS = { play: 'M7 4v16l13-8z', pause: 'M6 4h4v16H6zM14 4h4v16h-4z' };
const make = (tag, more = {}, ...parts) => { const made = Object.assign(document.createElement(tag), more); made.append(...parts); return made; };
const sign = (name) => `<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path fill="currentColor" d="${SIGNS[name]}"/></svg>`;
const clock = (s, fine = true) => { const whole = fine ? Math.floor(s * 10) / 10 : Math.round(s), m = Math.floor(whole / 60), rest = whole - 60 * m; return `${m}:${rest < 10 ? '0' : ''}${fine ? rest.toFixed(1) : rest}`; };
const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
const shared = (window.seisei.sounds ||= { players: new Map(), buffers: new Map(), context: null, order: [] });
const context = () => (shared.context ||= new AudioContext());

// -- sounds in memory -------------------------------------------------------------------------------------------
const PROBE = 20000;  // milliseconds: a browser with many sounds open may put off reading one's length; then it is played from the file
const seconds = (src) => new Promise((done) => { const probe = new Audio(); probe.preload = 'metadata'; probe.onloadedmetadata = () => done(probe.duration); probe.onerror = () => done(Infinity); setTimeout(() => done(Infinity), PROBE); probe.src = src; });
// An AudioBuffer, or null for what is too long or can't be decoded here. The last few are kept.
async function decoded(src) {
  if (shared.buffers.has(src)) return shared.buffers.get(src);
  const found = (async () => {
    if (await seconds(src) > LONGEST) return null;
    const answer = await fetch(src);
    if (!answer.ok || +answer.headers.get('content-length') > HEAVIEST) return null;
    try { return await context().decodeAudioData(await answer.arrayBuffer()); } catch { return null; }
  })();
  shared.buffers.set(src, found);
  while (shared.buffers.size > 12) shared.buffers.delete(shared.buffers.keys().next().value);
  return found;
}
// Mean square of what is heard: blocks of 400 ms, silence and what is 10 dB below the rest left out, treble weighted as in ITU-R BS.1770
async function loudness(buffer) {
  const offline = new OfflineAudioContext(buffer.numberOfChannels, buffer.length, buffer.sampleRate), source = offline.createBufferSource();
  const shelf = new BiquadFilterNode(offline, { type: 'highshelf', frequency: 1500, gain: 4 }), pass = new BiquadFilterNode(offline, { type: 'highpass', frequency: 38, Q: 0.5 });
  source.buffer = buffer; source.connect(shelf).connect(pass).connect(offline.destination); source.start();
  const heard = await offline.startRendering(), size = Math.min(Math.round(0.4 * heard.sampleRate), heard.length), blocks = [];
  for (let from = 0; from + size <= heard.length; from += size) {
    let sum = 0;
    for (let c = 0; c < heard.numberOfChannels; c++) { const data = heard.getChannelData(c); for (let i = from; i < from + size; i++) sum += data[i] * data[i]; }
    blocks.push(sum / size);
  }
  const mean = (all) => all.reduce((sum, one) => sum + one, 0) / (all.length || 1), loud = blocks.filter((one) => one > 1e-7);
  return mean(loud.filter((one) => one > mean(loud) / 10)) * (heard.numberOfChannels === 1 ? 2 : 1);  // one channel comes from both speakers
}

// -- playing ----------------------------------------------------------------------------------------------------
// One or two buffers that run side by side, the chosen one heard: changing sides keeps the place
class Deck {
  constructor(buffers, ended) { Object.assign(this, { buffers, ended, gains: buffers.map(() => 1), chosen: 0, from: 0, since: 0, voices: [], loop: false }); }
  get duration() { return this.buffers[this.chosen].duration; }
  get playing() { return this.voices.length > 0; }
  get place() {
    const at = this.playing ? this.from + Math.max(0, context().currentTime - this.since) : this.from;
    return this.loop ? at % this.duration : Math.min(at, this.duration);
  }
  play() {
    const sound = context(); sound.resume();
    if (!this.loop && this.from >= this.duration - 0.01) this.from = 0;
    this.since = sound.currentTime + 0.03;
    this.voices = this.buffers.map((buffer, side) => {
      const source = new AudioBufferSourceNode(sound, { buffer, loop: this.loop }), gain = new GainNode(sound, { gain: side === this.chosen ? this.gains[side] : 0 });
      source.connect(gain).connect(sound.destination); source.start(this.since, Math.min(this.from, buffer.duration));
      source.onended = () => { if (this.voices[side]?.source === source && side === this.chosen) { this.pause(); this.from = 0; this.ended(); } };
      return { source, gain };
    });
  }
  pause() { this.from = this.place; const voices = this.voices; this.voices = []; for (const { source } of voices) source.stop(); }
  seek(to) { const on = this.playing; if (on) this.pause(); this.from = Math.max(0, Math.min(to, this.duration)); if (on && this.from < this.duration) this.play(); }
  choose(side) {
    this.from = this.place; this.since = Math.max(this.since, context().currentTime); this.chosen = side;
    this.voices.forEach(({ gain }, at) => gain.gain.setTargetAtTime(at === side ? this.gains[at] : 0, context().currentTime, 0.008));
  }
  repeat(on) { const at = this.place; this.from = at; this.since = Math.max(this.since, context().currentTime); this.loop = on; for (const { source } of this.voices) source.loop = on; }
}
// A long sound, from its file
class Tape {
  constructor(src, ended) { this.audio = new Audio(src); this.audio.preload = 'metadata'; this.audio.onended = ended; }
  get duration() { return this.audio.duration || 0; }
  get playing() { return !this.audio.paused; }
  get place() { return this.audio.currentTime; }
  get loop() { return this.audio.loop; }
  play() { this.audio.play().catch(() => {}); }
  pause() { this.audio.pause(); }
  seek(to) { this.audio.currentTime = Math.max(0, Math.min(to, this.duration)); }
  repeat(on) { this.audio.loop = on; }
}

// -- seeing -----------------------------------------------------------------------------------------------------
function fit(canvas) {
  const scale = window.devicePixelRatio || 1, { width, height } = canvas.getBoundingClientRect();
  Object.assign(canvas, { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) });
  const pen = canvas.getContext('2d'); pen.scale(scale, scale);
  return { pen, width, height };
}
function peaks(buffer, columns) {  // [lowest, highest] of each column over all channels
  const found = new Float32Array(2 * columns), step = buffer.length / columns;
  for (let c = 0; c < buffer.numberOfChannels; c++) {
    const data = buffer.getChannelData(c);
    for (let x = 0; x < columns; x++) {
      let low = found[2 * x], high = found[2 * x + 1];
      for (let i = Math.floor(x * step), end = Math.min(buffer.length, Math.max(i + 1, Math.floor((x + 1) * step))); i < end; i++) { const value = data[i]; if (value < low) low = value; else if (value > high) high = value; }
      found[2 * x] = low; found[2 * x + 1] = high;
    }
  }
  return found;
}
function drawWave(canvas, buffer) {
  const { pen, width, height } = fit(canvas), wave = height - 16, middle = wave / 2, columns = Math.max(1, Math.round(width));
  const found = peaks(buffer, columns);
  pen.fillStyle = colour('--seisei-line'); pen.fillRect(0, Math.round(middle), width, 1);
  pen.fillStyle = colour('--seisei-accent');
  for (let x = 0; x < columns; x++) { const top = middle - Math.min(1, found[2 * x + 1]) * middle, bottom = middle - Math.max(-1, found[2 * x]) * middle; pen.fillRect(x, top, 1, Math.max(1, bottom - top)); }
  const every = [0.5, 1, 2, 5, 10, 15, 30, 60, 120].find((step) => buffer.duration / step <= width / 70) || 120;
  pen.fillStyle = colour('--seisei-soft'); pen.font = '11px system-ui, sans-serif'; pen.textBaseline = 'bottom';
  for (let t = 0; t <= buffer.duration; t += every) {
    const x = t / buffer.duration * width, text = clock(t, every < 1), wide = pen.measureText(text).width;
    pen.fillRect(x, wave, 1, 4);
    if (x + 3 + wide <= width) pen.fillText(text, x + 3, height);
  }
}
function transform(re, im) {  // Cooley and Tukey, in place, a power of two
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) { let bit = n >> 1; for (; j & bit; bit >>= 1) j ^= bit; j ^= bit; if (i < j) { [re[i], re[j]] = [re[j], re[i]]; [im[i], im[j]] = [im[j], im[i]]; } }
  for (let size = 2; size <= n; size <<= 1) {
    const half = size >> 1, angle = -2 * Math.PI / size;
    for (let k = 0; k < half; k++) {
      const c = Math.cos(angle * k), s = Math.sin(angle * k);
      for (let i = k; i < n; i += size) { const j = i + half, a = re[j] * c - im[j] * s, b = re[j] * s + im[j] * c; re[j] = re[i] - a; im[j] = im[i] - b; re[i] += a; im[i] += b; }
    }
  }
}
async function spectrum(buffer) {  // [COLUMNS x ROWS] power in dB below the loudest, lowest tone first; lets the page breathe
  const found = new Float32Array(COLUMNS * ROWS), step = buffer.length / COLUMNS, top = Math.min(HIGHEST, buffer.sampleRate / 2), channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
  const bins = Array.from({ length: ROWS + 1 }, (_, row) => LOWEST * (top / LOWEST) ** (row / ROWS) * FFT / buffer.sampleRate), re = new Float64Array(FFT), im = new Float64Array(FFT), power = new Float64Array(FFT / 2 + 1);
  const hann = Float64Array.from({ length: FFT }, (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / FFT));
  let loudest = 1e-12, rested = performance.now();
  for (let x = 0; x < COLUMNS; x++) {
    const frames = Math.max(1, Math.min(4, Math.round(step / FFT)));
    for (let frame = 0; frame < frames; frame++) {
      const start = Math.round((x + (frame + 0.5) / frames) * step - FFT / 2);
      for (let i = 0; i < FFT; i++) { let sum = 0; for (const data of channels) sum += data[start + i] || 0; re[i] = sum * hann[i] / channels.length; im[i] = 0; }
      transform(re, im);
      for (let i = 0; i <= FFT / 2; i++) power[i] = re[i] * re[i] + im[i] * im[i];
      for (let row = 0; row < ROWS; row++) {
        const low = bins[row], high = bins[row + 1], first = Math.floor(low);
        let value = power[first] + (power[Math.min(first + 1, FFT / 2)] - power[first]) * (low - first);
        for (let i = Math.ceil(low); i < high && i <= FFT / 2; i++) value = Math.max(value, power[i]);
        found[x * ROWS + row] = Math.max(found[x * ROWS + row], value); loudest = Math.max(loudest, value);
      }
    }
    if (performance.now() - rested > 12) { await new Promise((done) => setTimeout(done)); rested = performance.now(); }
  }
  return found.map((value) => 10 * Math.log10(Math.max(value / loudest, 1e-12)));
}
const RAMPS = { light: [[255, 254, 251], [196, 222, 214], [35, 104, 90], [20, 40, 52]], dark: [[24, 26, 30], [26, 74, 78], [108, 195, 176], [255, 244, 200]] };
function drawSpectrum(canvas, buffer, found) {
  const { pen, width, height } = fit(canvas), ramp = RAMPS[document.body.classList.contains('dark') ? 'dark' : 'light'], small = make('canvas', { width: COLUMNS, height: ROWS }), brush = small.getContext('2d'), image = brush.createImageData(COLUMNS, ROWS);
  for (let x = 0; x < COLUMNS; x++) for (let row = 0; row < ROWS; row++) {
    const at = Math.max(0, Math.min(1, 1 + found[x * ROWS + row] / FLOOR)) * (ramp.length - 1), low = Math.min(Math.floor(at), ramp.length - 2), to = 4 * ((ROWS - 1 - row) * COLUMNS + x);
    for (let c = 0; c < 3; c++) image.data[to + c] = ramp[low][c] + (ramp[low + 1][c] - ramp[low][c]) * (at - low);
    image.data[to + 3] = 255;
  }
  brush.putImageData(image, 0, 0); pen.drawImage(small, 0, 0, width, height);
  const top = Math.min(HIGHEST, buffer.sampleRate / 2); pen.font = '11px system-ui, sans-serif'; pen.textBaseline = 'middle';
  for (const [hertz, text] of [[100, '100 Hz'], [1000, '1 kHz'], [10000, '10 kHz']]) {
    if (hertz > top * 0.9) continue;
    const y = height * (1 - Math.log(hertz / LOWEST) / Math.log(top / LOWEST)), wide = pen.measureText(text).width + 8;
    pen.fillStyle = colour('--seisei-card'); pen.globalAlpha = 0.8; pen.fillRect(2, y - 8, wide, 16); pen.globalAlpha = 1; pen.fillStyle = colour('--seisei-ink'); pen.fillText(text, 6, y);
  }
}

// -- one sound --------------------------------------------------------------------------------------------------
class Player {
  constructor(about) {
    Object.assign(this, { about, deck: null, buffer: null, spectral: null, shown: -1, wanted: false, frame: 0 });
    const button = (name, act) => { const made = make('button', { type: 'button', textContent: say(name) }); made.dataset.act = name; made.onclick = act; return made; };
    this.playing = make('button', { type: 'button', className: 'play', innerHTML: sign('play'), ariaLabel: say('Play'), disabled: true, onclick: () => this.toggle() });
    this.time = make('span', { className: 'time', textContent: about.seconds > 0 ? `0:00.0 / ${clock(about.seconds)}` : '…' });
    this.looping = button('Loop', () => this.repeat(!this.deck?.loop)); this.looping.ariaPressed = 'false';
    this.seeing = button('Spectrogram', () => this.see(this.face.dataset.spectrum === undefined)); this.seeing.ariaPressed = 'false';
    this.comparing = button('Compare', () => this.offer());
    this.sides = make('span', { className: 'sides', hidden: true });
    const load = make('a', { href: about.src + (about.output ? '?download=1' : ''), download: '', textContent: say('Download') });
    this.wave = make('canvas', { className: 'wave' }); this.tones = make('canvas', { className: 'tones' });
    this.past = make('i', { className: 'past' });
    this.face = make('div', { className: 'face', tabIndex: 0, role: 'slider', ariaLabel: say('Place in the sound'), ariaValueMin: '0', ariaValueMax: '0', ariaValueNow: '0' }, this.wave, this.tones, this.past);
    this.words = make('ol', { className: 'words', hidden: !about.segments.length });
    this.words.append(...about.segments.map(([from, , text]) => { const line = make('li', {}, make('button', { type: 'button', onclick: () => { this.seek(from); this.play(); } }, make('span', { textContent: clock(from) }), text)); return line; }));
    this.told = make('p', { className: 'told', hidden: true, role: 'status' });
    this.root = make('div', { className: 'sound-player' }, make('div', { className: 'bar' }, this.playing, this.time, make('b', { textContent: about.title, title: about.title }), this.sides, this.looping, this.seeing, this.comparing, load), this.told, this.face, this.words);
    this.root.addEventListener('keydown', (event) => this.key(event));
    this.face.addEventListener('pointerdown', (event) => { if (!this.deck) return; this.face.setPointerCapture(event.pointerId); this.drag(event); this.face.onpointermove = (move) => this.drag(move); });
    for (const end of ['pointerup', 'pointercancel']) this.face.addEventListener(end, () => { this.face.onpointermove = null; });
    new ResizeObserver(() => this.draw()).observe(this.face);
    new MutationObserver(() => this.draw(true)).observe(document.body, { attributeFilter: ['class'] });
    new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) this.load(); }).observe(this.root);
    if (about.other) this.load().then(() => this.against(about.other, about.otherTitle));
  }
  load() {
    return (this.loaded ||= decoded(this.about.src).then((buffer) => {
      this.buffer = buffer;
      this.deck = buffer ? new Deck([buffer], () => this.told_ended()) : new Tape(this.about.src, () => this.told_ended());
      if (!buffer) { this.face.classList.add('plain'); this.seeing.disabled = this.comparing.disabled = true; this.deck.audio.onloadedmetadata = () => this.tick(); this.deck.audio.onerror = () => this.say('This sound can not be played here.'); }
      this.playing.disabled = false; this.draw(true); this.tick();
      if (this.wanted) this.play();
    }));
  }
  say(text) { this.told.textContent = say(text); this.told.hidden = !text; }
  get place() { return this.deck ? this.deck.place : 0; }
  get duration() { return this.deck ? this.deck.duration : 0; }
  toggle() { if (this.deck?.playing) this.pause(); else this.play(); }
  play() {
    if (!this.deck) { this.wanted = true; return void this.load(); }
    for (const other of shared.players.values()) if (other !== this) other.pause();
    this.wanted = false; this.deck.play(); this.root.dispatchEvent(new CustomEvent('sound-chosen', { bubbles: true, detail: this.about.output })); this.run();
  }
  pause() { this.wanted = false; if (this.deck?.playing) this.deck.pause(); this.tick(); }
  seek(to) { if (this.deck) { this.deck.seek(to); this.tick(); } }
  repeat(on) { if (this.deck) { this.deck.repeat(on); this.looping.ariaPressed = String(on); } }
  told_ended() { this.tick(); }
  run() { cancelAnimationFrame(this.frame); const step = () => { this.tick(); if (this.deck.playing) this.frame = requestAnimationFrame(step); }; step(); }
  tick() {
    const on = !!this.deck?.playing, place = this.place, all = this.duration || 0;
    this.time.textContent = `${clock(place)} / ${clock(all)}`; this.past.style.width = `${all ? 100 * place / all : 0}%`;
    if (this.playing.dataset.on !== String(on)) { this.playing.dataset.on = String(on); this.playing.innerHTML = sign(on ? 'pause' : 'play'); this.playing.ariaLabel = say(on ? 'Pause' : 'Play'); }
    this.face.ariaValueMax = all.toFixed(1); this.face.ariaValueNow = place.toFixed(1); this.face.ariaValueText = `${clock(place)} / ${clock(all)}`;
    const now = this.about.segments.findIndex(([from, to]) => place >= from && place < to && (on || place > 0));
    if (now !== this.shown) {
      this.shown = now; [...this.words.children].forEach((line, at) => line.firstChild.toggleAttribute('aria-current', at === now));
      const line = this.words.children[now]; if (line && on) this.words.scrollTop = line.offsetTop - this.words.offsetTop - this.words.clientHeight / 3;
    }
    document.dispatchEvent(new CustomEvent('seisei-sound', { detail: { src: this.about.src, output: this.about.output, place, duration: all, playing: on } }));
  }
  drag(event) { const box = this.face.getBoundingClientRect(); this.seek((event.clientX - box.left) / box.width * this.duration); }
  key(event) {
    const step = Math.max(0.5, Math.min(5, this.duration / 20)), acts = { ArrowLeft: () => this.seek(this.place - step), ArrowRight: () => this.seek(this.place + step), Home: () => this.seek(0), End: () => this.seek(this.duration), ' ': () => this.toggle(), Enter: () => this.toggle() };
    if (event.target !== this.face || !acts[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); acts[event.key]();
  }
  draw(anew = false) {
    const { width } = this.face.getBoundingClientRect();
    if (!this.buffer || !width || (!anew && width === this.drawn)) return;
    this.drawn = width; const buffer = this.deck.buffers[this.deck.chosen]; drawWave(this.wave, buffer);
    if (this.face.dataset.spectrum !== undefined && buffer.spectral) drawSpectrum(this.tones, buffer, buffer.spectral);
  }
  async see(on) {
    this.face.toggleAttribute('data-spectrum', on); this.seeing.ariaPressed = String(on);
    const buffer = this.deck?.buffers?.[this.deck.chosen];
    if (on && buffer) { this.face.setAttribute('aria-busy', 'true'); buffer.spectral ||= await spectrum(buffer); this.face.removeAttribute('aria-busy'); this.draw(true); }
  }
  // B beside A: the louder one is turned down to the other
  async against(src, title) {
    const other = src && await decoded(src);
    if (!other || !this.buffer) return this.say(src ? 'The other sound is too long to be compared, or can not be read.' : '');
    this.say(''); const on = this.deck.playing, at = this.place, loop = this.deck.loop; if (on) this.deck.pause();
    const deck = new Deck([this.buffer, other], () => this.told_ended()), [own, theirs] = await Promise.all([loudness(this.buffer), loudness(other)]);
    if (own > 0 && theirs > 0) deck.gains = [Math.min(1, Math.sqrt(theirs / own)), Math.min(1, Math.sqrt(own / theirs))];
    deck.from = at; deck.loop = loop; this.deck = deck;
    this.sides.replaceChildren(...[this.about.title, title].map((name, side) => make('button', { type: 'button', textContent: 'AB'[side], title: name, ariaLabel: `${'AB'[side]}: ${name}`, ariaPressed: String(!side), onclick: () => this.side(side) })));
    this.sides.title = say('Both at equal loudness'); this.sides.hidden = false; this.side(0); if (on) this.play();
  }
  side(to) { this.deck.choose(to); [...this.sides.children].forEach((button, at) => { button.ariaPressed = String(at === to); }); this.draw(true); this.tick(); if (this.face.dataset.spectrum !== undefined) this.see(true); }
  async offer() {
    const here = [...document.querySelectorAll('.sound')].filter((place) => place.offsetParent).map((place) => JSON.parse(place.dataset.sound)), answer = await fetch('/api/v1/outputs?kind=audio&limit=20'), found = answer.ok ? await answer.json() : [];
    const all = [...here, ...found.map((output) => ({ src: '/api/v1/outputs/' + output.id + '/file', title: output.title }))].filter((one, at, list) => one.src !== this.about.src && list.findIndex((other) => other.src === one.src) === at);
    if (!all.length) return this.say('There is no other sound to compare with.');
    const list = make('select', { ariaLabel: say('Compare with') }, make('option', { value: '', textContent: say('Compare with') + ' …' }), ...all.map((one) => make('option', { value: one.src, textContent: (one.title || one.src).slice(0, 60) })));
    list.onchange = () => { const one = all.find((other) => other.src === list.value); if (one) { list.replaceWith(this.comparing); this.against(one.src, one.title); } };
    list.onblur = () => { if (list.isConnected) list.replaceWith(this.comparing); };
    this.comparing.replaceWith(list); list.focus();
  }
}

// -- the page's places ------------------------------------------------------------------------------------------
function settle() {
  for (const place of element.querySelectorAll('.sound[data-sound]')) {
    const key = place.dataset.sound; let player = shared.players.get(key);
    if (!player) { player = new Player(JSON.parse(key)); shared.players.set(key, player); }
    if (place.firstElementChild !== player.root || place.childElementCount > 1) place.replaceChildren(player.root);
  }
  for (const [key, player] of shared.players) if (!player.root.isConnected && shared.players.size > 24) { player.pause(); shared.players.delete(key); }
  else if (!player.root.isConnected) player.pause();
}
element.addEventListener('sound-chosen', (event) => { const view = element.closest('.sound-view') || element; view.dataset.chosen = event.detail; trigger('select', { value: event.detail }); });
element.addEventListener('click', (event) => { const example = event.target.closest('button[data-example]'), go = event.target.closest('button[data-tab]'); if (example) trigger('input', { value: example.dataset.example }); if (go) document.querySelector('[role=tab][data-tab-id="' + go.dataset.tab + '"]')?.click(); });
new MutationObserver(settle).observe(element, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-sound'] });
settle();
// For the buttons below a view and for what follows the sound (a piano roll, say): the player of an output, and the output a view means
const outputs = (view) => [...document.querySelectorAll(view + ' .sound[data-sound]:not([hidden])')].map((place) => JSON.parse(place.dataset.sound).output).filter(Boolean);
window.seisei.sound = {
  of: (output) => [...shared.players.values()].find((player) => player.root.isConnected && player.about.output === output),
  chosen: (view) => { const here = outputs(view), kept = document.querySelector(view)?.dataset.chosen; return here.includes(kept) ? kept : here.at(-1) || ''; },
  trash: async (view) => {
    const ids = [window.seisei.sound.chosen(view)].filter(Boolean), post = (act) => fetch('/api/v1/outputs/' + act, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ids }) });
    const show = (on) => { for (const place of document.querySelectorAll(view + ' .sound[data-sound]')) if (ids.includes(JSON.parse(place.dataset.sound).output)) { place.hidden = !on; if (!on) window.seisei.sound.of(ids[0])?.pause(); } };
    if (!ids.length || !(await post('trash')).ok) return;
    show(false); window.seisei.tell(say('{n} moved to the trash.', { n: 1 }), { label: say('Undo'), act: async () => { await post('untrash'); show(true); } });
  },
  act: (name, view) => window.seisei.image?.[name]?.(window.seisei.sound.chosen(view)),
};
