// Style cards: a click paints at once; with "Blend several" up to three of one sort are mixed by weight. `element` and `trigger` are Gradio's.
const { say, tell } = window.seisei;
const MOST = 3;
let blend = null;
const root = () => element.querySelector('.style-cards');
const mix = () => JSON.parse(root()?.dataset.mix || '[]');
const of = (card) => JSON.parse(card.dataset.style);
const cards = () => [...element.querySelectorAll('.card')];
const named = (part) => part.style.startsWith('n:');
const same = (one, other) => { const plain = (mixed) => { const all = mixed.reduce((sum, part) => sum + part.weight, 0) || 1; return JSON.stringify(mixed.map((part) => [part.style, Math.round(1000 * part.weight / all)]).sort()); }; return plain(one) === plain(other); };
const make = (tag, more = {}) => Object.assign(document.createElement(tag), more);
const title = (style) => cards().find((card) => of(card).length === 1 && of(card)[0].style === style)?.dataset.title || say('Your own picture');
function send(next) { root().dataset.mix = JSON.stringify(next); draw(); trigger('select', { value: JSON.stringify(next) }); }
function weights(now) {
  const box = root().querySelector('[data-weights]'), key = JSON.stringify(now.map((part) => part.style));
  if (now.length < 2) { box.dataset.key = ''; return box.replaceChildren(); }
  if (box.dataset.key === key) return;  // a slider that is being moved stays
  box.dataset.key = key;
  box.replaceChildren(...now.map((part, at) => {
    const name = title(part.style), row = make('label'), range = make('input', { type: 'range', min: 0.05, max: 1, step: 0.05, value: part.weight, ariaLabel: say('Weight of {name}', { name }) });
    const out = make('button', { type: 'button', textContent: '×', ariaLabel: say('Take {name} out', { name }) });
    range.addEventListener('change', () => send(mix().map((other, place) => (place === at ? { ...other, weight: +range.value } : other))));
    out.onclick = (event) => { event.preventDefault(); send(mix().filter((_, place) => place !== at).map((other, _, left) => (left.length === 1 ? { ...other, weight: 1 } : other))); };
    row.append(make('span', { textContent: name }), range, out); return row;
  }));
}
function draw() {
  if (!root()) return;
  const box = root().querySelector('[data-blend]'), now = mix();
  if (blend === null) blend = box.checked;
  box.checked = blend;
  for (const card of cards()) {
    const own = of(card), pressed = String(same(own, now) || (now.length > 1 && own.length === 1 && now.some((part) => part.style === own[0].style)));
    if (card.ariaPressed !== pressed) card.ariaPressed = pressed;
  }
  weights(now);
  tiles();
}
element.addEventListener('click', (event) => {
  const gone = event.target.closest('[data-delete]'), card = event.target.closest('.card');
  if (event.target.closest('[data-none]')) {
    send([]);
  } else if (gone) {
    const id = gone.dataset.delete;
    trigger('delete', { value: id });
    tell(say('The style was deleted.'), { label: say('Undo'), act: () => trigger('undo', { value: id }) });
  } else if (card) {
    const own = of(card), now = mix();
    if (!blend || own.length > 1 || !now.length || named(now[0]) !== named(own[0])) return send(own);
    const there = now.some((part) => part.style === own[0].style);
    if (there && now.length === 1) return;
    const next = there ? now.filter((part) => part.style !== own[0].style) : [...now.slice(0, MOST - 1), { style: own[0].style, weight: 0.5 }];
    send(next.length === 1 ? [{ ...next[0], weight: 1 }] : next.map((part) => ({ ...part, weight: part.weight === 1 && now.length === 1 ? 0.5 : part.weight })));
  }
});
element.addEventListener('change', (event) => {
  if (!event.target.matches('[data-blend]')) return;
  blend = event.target.checked;
  if (!blend && mix().length > 1) send([{ ...mix()[0], weight: 1 }]);
});
element.addEventListener('keydown', (event) => {
  const all = cards(), at = all.indexOf(event.target.closest('.card'));
  if (at < 0) return;
  const row = all.filter((card) => card.getBoundingClientRect().top === all[at].getBoundingClientRect().top).length || 1;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row }[event.key];
  if (to === undefined || !all[to]) return;
  event.preventDefault(); all[to].focus();
});
// Thumbnails of one's own picture, as they get ready
let known = { source: '', ready: [] };
function tiles() {
  const ready = new Set(known.ready);
  for (const picture of element.querySelectorAll('img[data-tile]')) {
    const there = ready.has(picture.dataset.tile), address = there ? '/api/v1/image/styles/' + known.source + '/' + picture.dataset.tile : picture.dataset.plain;
    if (known.source && picture.getAttribute('src') !== address && address) { picture.src = address; picture.hidden = false; }
    picture.classList.toggle('waiting', !!known.source && !there);
  }
}
window.seisei.styles = (told) => { known = told; tiles(); };
// Gradio changes what is drawn in its place, attributes too: pressed cards and thumbnails are put right again
watch('value', () => { blend = mix().length > 1 || blend; draw(); });
draw();
