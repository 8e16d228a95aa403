// The stage (picture, series, their buttons), the Run page around it, and the Gallery's cards.
const SIGNS = { run: 'M7 4v16l13-8z', pause: 'M6 4h4v16H6zM14 4h4v16h-4z', step: 'M5 4v16l10-8zM17 4h3v16h-3z', reset: 'M12 5V1L6 6l6 5V7a5 5 0 1 1-5 5H5a7 7 0 1 0 7-7z', dice: 'M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm3 3.500a1.500 1.500 0 1 0 0 3 1.500 1.500 0 0 0 0-3zm8 8a1.500 1.500 0 1 0 0 3 1.500 1.500 0 0 0 0-3zm-4-4a1.500 1.500 0 1 0 0 3 1.500 1.500 0 0 0 0-3z' };
const sign = (name) => `<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path fill="currentColor" d="${SIGNS[name]}"/></svg>`;
const button = (label, act, more = {}) => { const made = make('button', { type: 'button', textContent: say(label), onclick: act, ...more }); made.dataset.do = label; return made; };
const iconed = (name, label, act, more = {}) => { const made = button(label, act, more); made.innerHTML = sign(name); made.append(make('span', {}, say(label))); made.title = say(label); return made; };
const unveiled = (view, act) => new ResizeObserver(() => requestAnimationFrame(() => { if (view.offsetParent) act(); })).observe(view);  // what was told while it was hidden, it missed
const speedText = (value) => value >= 1 ? `${value}×` : `1/${1 / value}×`;
class Stage {
  constructor({ compact = false } = {}) {
    this.compact = compact; this.told = 0;
    this.canvas = make('canvas', { className: 'sim-canvas', role: 'img' }); this.pen = this.canvas.getContext('2d');
    this.picture = make('div', { className: 'sim-picture', tabIndex: 0 }, this.canvas, this.wait = make('p', { className: 'sim-wait', role: 'status' }, say('It is being started …')), this.still = make('span', { className: 'sim-still', hidden: true }, say('Paused')));
    this.body = make('div', { className: 'sim-body' }, this.picture);
    this.go = iconed('pause', 'Pause', () => live.toggle(), { className: 'sim-go' });
    const slider = make('input', { type: 'range', min: -6, max: 6, step: 1, value: Math.log2(live.speed), ariaLabel: say('Speed'), title: say('Speed') }); this.slider = slider;
    const pace = make('output', {}, speedText(live.speed)); slider.oninput = () => { live.pace(2 ** slider.value); live.tell('pace'); }; this.paceText = pace;
    this.clock = make('span', { className: 'sim-clock' });
    this.bar = make('div', { className: 'sim-bar', role: 'toolbar', ariaLabel: say('Simulation') }, this.go, iconed('step', 'Step', () => live.step()), iconed('reset', 'Reset', () => live.reset()), make('label', { className: 'sim-speed' }, make('span', {}, say('Speed')), slider, pace), this.clock);
    this.problem = make('p', { className: 'sim-problem', role: 'alert', hidden: true });
    this.view = make('div', { className: compact ? 'sim-stage compact' : 'sim-stage' }, this.bar, this.problem, this.body);
    this.pokes(); live.stages.add(this); unveiled(this.view, () => this.frame()); if (live.model) { this.heard('model'); if (live.head) this.heard('frame'); }
  }
  paced() { this.slider.value = Math.log2(live.speed); this.paceText.textContent = speedText(live.speed); this.slider.ariaValueText = speedText(live.speed); }
  pokes() {
    let down = false, last = 0;
    const poke = (event) => { const box = this.canvas.getBoundingClientRect(), now = performance.now(); if (!live.model?.pokes || !live.pixels || now - last < 80) return; last = now; const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height; if (x >= 0 && x <= 1 && y >= 0 && y <= 1) live.send('poke', [+x.toFixed(4), +y.toFixed(4)]); };
    this.canvas.addEventListener('pointerdown', (event) => { down = true; last = 0; poke(event); });
    this.canvas.addEventListener('pointermove', (event) => { if (down && event.buttons) poke(event); });
    addEventListener('pointerup', () => { down = false; });
  }
  heard(what) {
    if (what === 'model') { this.clock.textContent = ''; this.plot = new Plot(live.model.series, live.model.time_unit); this.body.replaceChildren(this.picture, this.plot.view); this.canvas.ariaLabel = say(live.model.title); this.picture.classList.toggle('pokes', live.model.pokes); this.canvas.title = live.model.pokes ? say('Click: something happens there') : ''; this.wait.hidden = false; this.wait.textContent = say('It is being started …'); this.picture.hidden = false; this.fresh = true; this.trouble(); }
    else if (what === 'frame') this.frame();
    else if (what === 'busy') { this.wait.hidden = !!live.pixels; this.wait.textContent = say('It is being started …'); }
    else if (what === 'queued') { this.wait.hidden = false; this.wait.textContent = say('Others are watching simulations: yours starts when one of them ends.'); }
    else if (what === 'pace') this.paced();
    else if (what === 'problem') this.trouble();
  }
  frame() {
    if (!this.view.offsetParent) return;
    this.wait.hidden = !!live.head; if (!live.head) return;
    this.picture.hidden = !live.pixels; this.body.classList.toggle('alone', !live.pixels);
    if (live.pixels) this.paint(live.pixels);
    if (this.plot && live.rows.length) this.plot.take(live.rows);
    this.canvas.dataset.frames = live.frames;
    const now = performance.now(), running = live.running, changed = running !== this.was; this.was = running;
    this.still.hidden = running;
    if (changed || now - this.told > 250 || !running) { this.told = now; this.words(running); }
  }
  words(running) {
    const label = running ? 'Pause' : 'Run', head = live.head, unit = live.model.time_unit;
    if (this.go.dataset.do !== label) { this.go.dataset.do = label; this.go.innerHTML = sign(running ? 'pause' : 'run'); this.go.append(make('span', {}, say(label))); this.go.title = say(label); }
    const text = `${head.time === head.step ? '' : `${short(head.time)}${unit ? ` ${say(unit)}` : ''} · `}${say('step {n}').replace('{n}', head.step.toLocaleString('en'))}${running && head.rate >= 1 ? ` · ${say('{n} steps/s').replace('{n}', Math.round(head.rate).toLocaleString('en'))}` : ''}`;
    if (this.clock.textContent !== text) this.clock.textContent = text;
    this.trouble();
  }
  trouble() { const told = live.problem, text = told && !(told.field && !this.compact && live.model?.fields.some((field) => field.name === told.field)) ? `${say(told.message)} ${say(told.hint || '')}` : ''; if (this.problem.textContent !== text) this.problem.textContent = text; this.problem.hidden = !text; }
  paint({ width, height, bytes }) {
    if (this.canvas.width !== width || this.canvas.height !== height || this.fresh) { this.canvas.width = width; this.canvas.height = height; this.image = this.pen.createImageData(width, height); this.words32 = new Uint32Array(this.image.data.buffer); this.canvas.style.imageRendering = width < 400 ? 'pixelated' : 'auto'; this.fresh = false; }
    const out = this.words32; for (let at = 0, from = 0; at < out.length; at++, from += 3) out[at] = 0xff000000 | bytes[from + 2] << 16 | bytes[from + 1] << 8 | bytes[from];
    this.pen.putImageData(this.image, 0, 0);
  }
}
// -- the form -------------------------------------------------------------------------------------------------------
function stepOf(field) { if (field.step) return field.step; if (field.whole) return 1; const raw = (field.high - field.low) / 500, power = 10 ** Math.floor(Math.log10(raw)); return [1, 2, 5, 10].map((part) => part * power).find((part) => part >= raw * 0.999); }
function control(field, act) {
  const value = live.values[field.name], name = `sim-field-${field.name}`, told = make('p', { className: 'sim-note', hidden: true }), label = make('label', { htmlFor: name }, make('span', {}, say(field.title)), field.unit ? make('small', {}, ` ${say(field.unit)}`) : '');
  const box = make('div', { className: 'sim-field' }); box.dataset.field = field.name; let show;
  if (field.kind === 'choice') { const menu = make('select', { id: name }, ...field.choices.map((one) => make('option', { value: one, textContent: say(String(one)) }))); menu.value = value; menu.onchange = () => act(field.choices.find((one) => String(one) === menu.value)); show = (next) => { menu.value = next; }; box.append(label, menu); }
  else if (field.kind === 'switch') { const tick = make('input', { type: 'checkbox', id: name, checked: value }); tick.onchange = () => act(tick.checked); show = (next) => { tick.checked = next; }; label.prepend(tick); label.className = 'sim-tick'; box.append(label); }
  else if (field.kind === 'number') {
    const number = make('input', { type: 'number', id: name, value, step: 'any', inputMode: field.whole ? 'numeric' : 'decimal' }), bounded = field.low !== null && field.high !== null;
    const slider = bounded ? make('input', { type: 'range', min: field.low, max: field.high, step: stepOf(field), value, ariaLabel: say(field.title), tabIndex: 0 }) : null;
    number.onchange = () => { if (number.value === '') { number.value = +live.values[field.name].toPrecision(7); return; } if (slider) slider.value = number.value; act(+number.value); };
    if (slider) slider.oninput = () => { number.value = +slider.value; act(+slider.value); };
    show = (next) => { if (document.activeElement !== number) number.value = typeof next === 'number' ? +next.toPrecision(7) : next; if (slider && document.activeElement !== slider) slider.value = next; };
    show(value); box.append(make('div', { className: 'sim-head' }, label, number), ...(slider ? [slider] : []));
  } else { const text = make('input', { type: 'text', id: name, value: typeof value === 'string' ? value : JSON.stringify(value) }); text.onchange = () => { if (typeof value === 'string') return act(text.value); try { act(JSON.parse(text.value)); } catch { told.textContent = say('This is no JSON.'); told.hidden = false; } }; show = (next) => { if (document.activeElement !== text) text.value = typeof next === 'string' ? next : JSON.stringify(next); }; box.append(label, text); }
  if (field.description) { const about = make('p', { className: 'sim-about', id: `${name}-about` }, say(field.description)); box.append(about); box.querySelector(`[id="${name}"]`)?.setAttribute('aria-describedby', about.id); }
  box.append(told);
  return { box, show, note(text, bad) { if (told.textContent !== text) told.textContent = text; told.hidden = !text; told.classList.toggle('bad', !!bad); } };
}
class Form {
  constructor() { this.view = make('div', { className: 'sim-form' }); live.stages.add(this); unveiled(this.view, () => this.notes()); if (live.model) this.heard('model'); }
  heard(what) { if (what === 'model') this.draw(); else if (what === 'values') this.show(); else if (what === 'frame' || what === 'problem') this.notes(); }
  draw() {
    const { model } = live; this.controls = {};
    const fields = (some) => some.map((field) => { const one = control(field, (value) => { this.presetAt(''); live.set(field.name, value); }); this.controls[field.name] = one; return one.box; });
    const seen = model.fields.filter((field) => !field.advanced), rest = model.fields.filter((field) => field.advanced);
    this.chips = model.presets.map((preset) => { const chip = make('button', { type: 'button', title: say(preset.about), ariaPressed: 'false' }, say(preset.name)); chip.dataset.preset = preset.name; chip.onclick = () => { live.values = { ...model.values, ...preset.values }; this.presetAt(preset.name); live.reset(live.values); }; return chip; });
    this.about = make('p', { className: 'sim-about' });
    this.seed = make('input', { type: 'number', id: 'sim-seed', min: 0, step: 1, value: live.seed }); this.seed.onchange = () => live.reset(null, clamp(Math.round(+this.seed.value) || 0, 0, 2 ** 31 - 1));
    const dice = iconed('dice', 'Another seed', () => { live.reset(null, Math.floor(Math.random() * (2 ** 31 - 1))); }, { className: 'sim-icon' });
    const advanced = make('details', { className: 'sim-advanced' }, make('summary', {}, say('Advanced')), ...fields(rest), make('div', { className: 'sim-field' }, make('div', { className: 'sim-head' }, make('label', { htmlFor: 'sim-seed' }, say('Seed')), make('span', { className: 'sim-seed' }, dice, this.seed)), make('p', { className: 'sim-about' }, say('The same seed gives the same run; a new one starts it again.'))));
    this.view.replaceChildren(...(this.chips.length ? [make('div', { className: 'sim-presets', role: 'group', ariaLabel: say('Presets') }, ...this.chips), this.about] : []), ...fields(seen), advanced);
    this.fits();
  }
  fits() { const { model } = live; this.presetAt(model.presets.find((preset) => Object.entries({ ...model.values, ...preset.values }).every(([name, value]) => JSON.stringify(live.values[name]) === JSON.stringify(value)))?.name || ''); }
  presetAt(name) { for (const chip of this.chips) chip.ariaPressed = String(chip.dataset.preset === name); const found = live.model.presets.find((one) => one.name === name); this.about.textContent = found ? say(found.about) : ''; }
  show() { for (const [name, one] of Object.entries(this.controls)) one.show(live.values[name]); this.fits(); this.notes(); }
  notes() {
    if (!this.controls || !this.view.offsetParent) return;
    const wished = live.head?.wished || {}, problem = live.problem;
    for (const [name, one] of Object.entries(this.controls)) { const bad = problem?.field === name; one.note(bad ? `${say(problem.message)} ${say(problem.hint || '')}` : name in wished ? say('Takes effect at Reset.') : '', bad); }
    if (document.activeElement !== this.seed && +this.seed.value !== live.seed) this.seed.value = live.seed;
  }
}
// -- what can be taken away -----------------------------------------------------------------------------------------
class Takeaway {
  constructor(movings) {
    const kinds = movings.map((kind) => make('option', { value: kind, textContent: kind }));
    this.moving = make('select', { ariaLabel: say('With a moving picture'), title: say('With a moving picture') }, make('option', { value: 'No', textContent: say('No moving picture') }), ...kinds);
    this.kind = make('select', { ariaLabel: say('Kind of recording'), title: say('Kind of recording') }, ...kinds.map((kind) => kind.cloneNode(true)));
    this.made = make('div', { className: 'sim-made', role: 'status' });
    const row = make('div', { className: 'sim-acts' }, make('span', { className: 'sim-join' }, button('Keep this run', () => this.keep()), this.moving), make('span', { className: 'sim-join' }, button('Record pictures', () => this.record(this.kind.value)), this.kind), button('Copy link', () => this.copy()));
    this.view = make('div', {}, row, this.made);
  }
  say(text) { this.made.textContent = text; }
  of(model) { if (this.model !== model) { this.model = model; this.say(''); this.view.querySelector('.sim-music')?.remove(); } }
  async keep() {
    this.say(say('The run is being kept …'));
    try { const told = await asked(`live/${live.job}/keep`, { moving: this.moving.value }); await this.follow(told.job, 0, true); } catch (error) { this.say(`${error.told?.message || say('That did not work.')} ${error.told?.hint || ''}`); }
  }
  async record(kind) { const job = live.job, before = (await (await fetch(`/api/v1/jobs/${job}`)).json()).outputs.length; this.say(say('The recording is being written …')); live.send('record', kind); await this.follow(job, before, false); }
  async follow(job, before, whole) {
    for (let tries = 0; tries < 600; tries++) {
      const told = await (await fetch(`/api/v1/jobs/${job}`)).json(), fresh = (told.outputs || []).slice(before);
      if (whole ? !['queued', 'running'].includes(told.state) : fresh.length) { if (told.error) this.say(`${say(told.error.message)} ${say(told.error.hint)}`); return fresh.length ? this.links(fresh, told.error, whole ? job : '') : null; }
      if (!whole && live.problem) return this.say(`${say(live.problem.message)} ${say(live.problem.hint)}`);
      await new Promise((done) => setTimeout(done, 300));
    }
  }
  hand(job, picture) {  // where a kept run can go on
    const note = make('span'), act = (label, go) => { const one = button(label, async () => { one.disabled = true; note.textContent = say('Working …'); try { note.textContent = (await go()) || ''; } catch (error) { note.textContent = `${say(error.told?.message || 'That did not work.')} ${say(error.told?.hint || '')}`; } one.disabled = false; }); return one; };
    const report = async () => { const [id] = await finished((await asked(`jobs/${job}/report?address=${encodeURIComponent(location.origin)}`)).job); if (!id) return ''; const link = make('a', { href: `/api/v1/outputs/${id}/file?download=1`, download: '' }); document.body.append(link); link.click(); link.remove(); return say('The report is in the gallery as well.'); };
    return [act('Report (HTML)', report), act('As music', () => sonify(job, this.made)), ...(picture ? [act('To the Image tab', () => window.seisei.use(`${AT}outputs/${picture.id}/picture`))] : []), note];
  }
  async links(ids, error, job) {
    const found = await Promise.all(ids.map(async (id) => (await fetch(`/api/v1/outputs/${id}`)).json())), names = { table: say('Table (CSV)'), video: say('Moving picture') };
    const picture = found.find((one) => one.kind === 'image'), links = found.map((one) => { const url = one.file, name = names[one.kind] || (one.metadata?.facts?.frames ? say('Moving picture') : say('Picture')); return make('a', { href: `${url}?download=1`, download: '' }, `${name} ↓`); });
    this.view.querySelector('.sim-music')?.remove();
    this.made.replaceChildren(make('span', {}, error ? `${say(error.message)} ` : say('Kept in the gallery:')), ...links, ...(job && !error ? this.hand(job, picture) : []));
  }
  copy() {
    const wish = { model: live.model.id, values: live.values, seed: live.seed, ...(live.own ? { own: live.own } : {}) };
    const text = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(wish)))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, ''), url = `${location.origin}/?simulation=${text}`;
    if (url.length > 8000) return this.say(say('This model is too long for a link. Save it as JSON on the page “Own”.'));
    (navigator.clipboard?.writeText(url) || Promise.reject()).then(() => this.say(say('The link is copied.')), () => this.made.replaceChildren(make('input', { type: 'text', readOnly: true, value: url, ariaLabel: say('Copy link') })));
    this.made.dataset.link = url;
  }
}
let cards = null;
const known = () => cards ||= fetch(AT + 'cards').then((answer) => answer.json());
const domains = (models) => [...new Set(models.map((model) => model.domain))];
export async function run(element) {
  const { models, moving } = await known(), stage = new Stage(), form = new Form(), takeaway = new Takeaway(moving), about = make('div', { className: 'sim-words' }), menu = make('select', { ariaLabel: say('Model'), className: 'sim-model' });
  for (const domain of domains(models)) menu.append(make('optgroup', { label: say(domain) }, ...models.filter((model) => model.domain === domain).map((model) => make('option', { value: model.id, textContent: say(model.title) }))));
  menu.append(make('option', { value: 'own', textContent: say('Your own model'), hidden: true }));
  menu.onchange = () => live.open({ model: menu.value });
  const words = { view: element, heard(what) { if (what !== 'model') return; const { model } = live; takeaway.of(`${model.id} ${live.own}`); menu.value = model.id; if (!menu.value) { menu.append(make('option', { value: model.id, textContent: say(model.title) })); menu.value = model.id; } about.replaceChildren(make('p', {}, say(model.about)), ...(model.sources.length ? [make('p', { className: 'sim-sources' }, `${say('Sources')}: `, ...model.sources.flatMap((source, at) => [at ? ' · ' : '', source.url ? make('a', { href: source.url, target: '_blank', rel: 'noopener' }, source.text) : source.text]))] : [])); } };
  live.stages.add(words);
  element.replaceChildren(make('div', { className: 'sim-page' }, make('div', { className: 'sim-main' }, stage.view, takeaway.view), make('div', { className: 'sim-side' }, menu, form.view), about));
  if (live.model) words.heard('model');
  addEventListener('keydown', (event) => {
    if (!stage.view.offsetParent || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') || event.target.closest?.('input,textarea,select,button,a,summary,[contenteditable],[role=tab]')) return;
    if (event.key === ' ') { event.preventDefault(); live.toggle(); } else if (event.key === 'ArrowRight') { event.preventDefault(); live.step(); }
  });
}
function tile(model) {
  const picture = make('div', { className: 'sim-tile' }), hue = [...model.domain].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  picture.style.setProperty('--hue', hue); picture.append(make('span', {}, say(model.title)));
  picture.append(make('img', { src: `${AT}pictures/${encodeURIComponent(model.id)}.webp`, alt: '', loading: 'lazy', onerror() { this.remove(); } }));
  const card = make('button', { type: 'button', className: 'sim-card' }, picture, make('b', {}, say(model.title)), make('span', { className: 'sim-domain' }, say(model.domain)), make('span', { className: 'sim-line' }, say(model.about)));
  card.dataset.model = model.id; card.onclick = () => { live.open({ model: model.id }); show('run'); };
  return card;
}
export async function gallery(element) {
  const { models } = await known(), stage = new Stage({ compact: true }), title = make('h2'), about = make('p'), grid = make('div', { className: 'sim-cards' }), none = make('p', { className: 'studio-empty', hidden: true }, say('No model matches.'));
  const search = make('input', { type: 'search', placeholder: say('Search models'), ariaLabel: say('Search models'), className: 'search-action' }), chosen = { domain: '' };
  const chips = ['', ...domains(models)].map((domain) => { const chip = make('button', { type: 'button', ariaPressed: String(!domain) }, say(domain || 'All')); chip.onclick = () => { chosen.domain = domain; chips.forEach((other) => { other.ariaPressed = String(other === chip); }); filter(); }; return chip; });
  const order = domains(models), tiles = [...models].sort((one, other) => order.indexOf(one.domain) - order.indexOf(other.domain)).map((model) => [model, tile(model), [model.title, model.domain, model.about, ...model.presets].flatMap((text) => [text, say(text)]).join(' ').toLowerCase()]);
  const filter = () => { const words = search.value.toLowerCase().split(/\s+/).filter(Boolean); let any = false; for (const [model, card, text] of tiles) { const fits = (!chosen.domain || model.domain === chosen.domain) && words.every((word) => text.includes(word)); card.hidden = !fits; any ||= fits; } none.hidden = any; };
  search.oninput = filter; grid.append(...tiles.map(([, card]) => card));
  const hero = { view: element, heard(what) { if (what !== 'model') return; title.textContent = say(live.model.title); about.textContent = say(live.model.about); for (const [model, card] of tiles) card.setAttribute('aria-current', String(model.id === live.model.id)); } };
  live.stages.add(hero); if (live.model) hero.heard('model');
  element.replaceChildren(make('div', { className: 'sim-hero' }, stage.view, make('div', { className: 'sim-hero-words' }, title, about, button('Open it', () => show('run'), { className: 'sim-open' }))), make('div', { className: 'sim-find' }, search, make('div', { className: 'sim-presets', role: 'group', ariaLabel: say('Domains') }, ...chips)), grid, none);
}
