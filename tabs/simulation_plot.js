// `say`, `tell` are the page's own; simulation_live.js and simulation_page.js follow in the same module.
const { say, tell } = window.seisei;
const PLOTTED = 80;  // milliseconds between two drawings of the series
// Series over time on a canvas: axes, legend, the value under the pointer. No library.
const COLOURS = [['#1b6f5f', '#5fc9b4'], ['#b5542b', '#f0a06c'], ['#3a5fa8', '#8ab0f2'], ['#8a5a00', '#e0bd63'], ['#8c3f86', '#d79bd0'], ['#a8323e', '#f08f96'], ['#3b7d2c', '#8fd07d'], ['#5b6169', '#b6bcc5']];
const make = (tag, more = {}, ...parts) => { const made = Object.assign(document.createElement(tag), more); made.append(...parts); return made; };
const dark = () => document.body.classList.contains('dark');
const short = (value) => { const size = Math.abs(value); return size && (size >= 1e5 || size < 1e-3) ? value.toExponential(2) : String(+value.toPrecision(size >= 1000 ? 5 : 4)); };
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
function ticks(low, high, wanted) {
  const raw = (high - low) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].map((part) => part * power).find((part) => part >= raw * 0.999), found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) found.push(Math.abs(at) < step * 1e-6 ? 0 : at);
  return found;
}
class Plot {
  constructor(series, unit) {
    this.series = series; this.unit = unit; this.rows = new Float64Array(0); this.hidden = new Set(series.flatMap((one, number) => one.quiet ? [number] : [])); this.at = -1;
    this.canvas = make('canvas', { className: 'sim-plot', role: 'img', ariaLabel: say('Series over time') });
    this.legend = make('div', { className: 'sim-legend' });
    this.view = make('div', { className: 'sim-series' }, this.legend, this.canvas);
    this.canvas.addEventListener('pointermove', (event) => { this.at = event.offsetX; this.draw(); });
    this.canvas.addEventListener('pointerleave', () => { this.at = -1; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    new MutationObserver(() => { this.keys(); this.draw(); }).observe(document.body, { attributes: true, attributeFilter: ['class'] });
    this.keys();
  }
  colour(number) { return COLOURS[number % COLOURS.length][+dark()]; }
  keys() {
    this.canvas.style.minHeight = `${Math.max(200, 64 * this.strips().length + 32)}px`;
    this.legend.replaceChildren(...this.series.map((one, number) => {
      const dot = make('i'); dot.style.background = this.colour(number);
      const key = make('button', { type: 'button', ariaPressed: String(!this.hidden.has(number)), title: say('Show or hide') }, dot, make('span', {}, say(one.title)), one.unit ? make('small', {}, ` ${say(one.unit)}`) : '', make('b'));
      key.onclick = () => { this.hidden.has(number) ? this.hidden.delete(number) : this.hidden.add(number); this.keys(); this.draw(); };
      return key;
    }));
  }
  // Long wild lines take a while to draw: the picture goes first, the series follow some twelve times a second
  take(rows) { this.rows = rows; if (!this.due) this.due = setTimeout(() => { this.due = 0; this.draw(); }, PLOTTED); }
  get width() { return this.series.length + 1; }
  // Series of one unit share axes; those of another have a strip of their own, as numbers of other sizes would press them flat
  strips() {
    const found = new Map();
    this.series.forEach((one, number) => { if (!this.hidden.has(number)) found.set(one.unit, [...(found.get(one.unit) || []), number]); });
    return found.size ? [...found.values()] : [[]];
  }
  bounds(some) {
    let low = Infinity, high = -Infinity;
    for (let at = 0; at < this.rows.length; at += this.width) for (const one of some) { const value = this.rows[at + 1 + one]; if (value < low) low = value; if (value > high) high = value; }
    if (!(low <= high)) return [0, 1];
    if (low === high) { const half = Math.abs(low) * 0.1 || 1; return [low - half, high + half]; }
    if (low > 0 && low < 0.4 * high) low = 0;
    const room = (high - low) * 0.06; return [low === 0 ? 0 : low - room, high + room];
  }
  draw() {
    const { canvas, rows, width } = this, wide = canvas.clientWidth, tall = canvas.clientHeight, dots = devicePixelRatio || 1; if (!wide || !tall) return;
    if (canvas.width !== Math.round(wide * dots) || canvas.height !== Math.round(tall * dots)) { canvas.width = Math.round(wide * dots); canvas.height = Math.round(tall * dots); }
    const pen = canvas.getContext('2d'), ink = dark() ? '#a9aeb6' : '#5b6169', count = rows.length / width, strips = this.strips(), end = tall - 24, share = (end - 8) / strips.length;
    pen.setTransform(dots, 0, 0, dots, 0, 0); pen.clearRect(0, 0, wide, tall); pen.font = '11px system-ui, sans-serif';
    const from = count ? rows[0] : 0, to = count > 1 ? rows[(count - 1) * width] : from + 1;
    const panels = strips.map((some, number) => { const [low, high] = this.bounds(some), top = 8 + number * share, bottom = top + share - (number < strips.length - 1 ? 14 : 0); return { some, low, high, top, bottom, marks: ticks(low, high, clamp((bottom - top) / 44, 2.5, 8)) }; });
    const left = Math.min(78, 10 + Math.max(8, ...panels.flatMap((panel) => panel.marks.map((mark) => pen.measureText(short(mark)).width)))), right = wide - 10, x = (time) => left + (time - from) / (to - from || 1) * (right - left);
    for (const panel of panels) this.panel(pen, panel, x, left, right, count, ink);
    const name = say('time') + (this.unit ? ` (${say(this.unit)})` : ''), free = right - pen.measureText(name).width - 22;
    pen.fillStyle = ink; pen.textBaseline = 'top'; pen.textAlign = 'center';
    for (const mark of ticks(from, to, (right - left) / 90)) { const at = x(mark); if (at > left + 8 && at < free) pen.fillText(short(mark), at, end + 5); }
    pen.textAlign = 'right'; pen.fillText(name, right, end + 5);
    this.point(pen, panels, x, left, right, count, ink);
  }
  panel(pen, panel, x, left, right, count, ink) {
    const { some, low, high, top, bottom, marks } = panel, { rows, width } = this, y = (value) => bottom - (value - low) / (high - low) * (bottom - top); panel.y = y;
    pen.fillStyle = ink; pen.strokeStyle = dark() ? '#34373d' : '#e3e0d7'; pen.lineWidth = 1; pen.textBaseline = 'middle'; pen.textAlign = 'right';
    for (const mark of marks) { const at = Math.round(y(mark)) + 0.5; pen.beginPath(); pen.moveTo(left, at); pen.lineTo(right, at); pen.stroke(); pen.fillText(short(mark), left - 5, at); }
    pen.save(); pen.beginPath(); pen.rect(left, top - 4, right - left + 2, bottom - top + 8); pen.clip(); pen.lineJoin = 'round'; pen.lineWidth = 1.6;
    for (const one of some) {
      pen.strokeStyle = this.colour(one); pen.beginPath();
      for (let at = 0; at < count; at++) { const px = x(rows[at * width]), py = y(rows[at * width + 1 + one]); at ? pen.lineTo(px, py) : pen.moveTo(px, py); }
      pen.stroke();
    }
    pen.restore();
  }
  point(pen, panels, x, left, right, count, ink) {
    const inside = this.at >= left && this.at <= right && count > 0, at = inside ? this.nearest(x, count) : count - 1, now = performance.now();
    if (at >= 0 && (inside || now - (this.told || 0) > 300)) { this.told = now; this.legend.querySelectorAll('b').forEach((value, one) => { const text = short(this.rows[at * this.width + 1 + one]); if (value.textContent !== text) value.textContent = text; }); }
    if (!inside) return;
    const px = x(this.rows[at * this.width]), late = px > (left + right) / 2; pen.strokeStyle = ink; pen.lineWidth = 1; pen.beginPath(); pen.moveTo(px, panels[0].top); pen.lineTo(px, panels.at(-1).bottom); pen.stroke();
    for (const panel of panels) for (const one of panel.some) { pen.fillStyle = this.colour(one); pen.beginPath(); pen.arc(px, panel.y(this.rows[at * this.width + 1 + one]), 3, 0, 7); pen.fill(); }
    pen.fillStyle = ink; pen.textAlign = late ? 'right' : 'left'; pen.textBaseline = 'top'; pen.fillText(`${short(this.rows[at * this.width])} ${this.unit ? say(this.unit) : ''}`, px + (late ? -6 : 6), panels[0].top);
  }
  nearest(x, count) { let low = 0, high = count - 1; while (high - low > 1) { const middle = (low + high) >> 1; x(this.rows[middle * this.width]) < this.at ? low = middle : high = middle; } return this.at - x(this.rows[low * this.width]) < x(this.rows[high * this.width]) - this.at ? low : high; }
}
