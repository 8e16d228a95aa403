// The pictures of a run: a click makes one large, another or Escape shows all again; arrows go to the next. `element` and `trigger` are Gradio's.
const { say, tell, dialog } = window.seisei;
const view = () => element.closest('.image-view') || element, sheet = () => element.querySelector('.image-sheet');
const all = () => [...element.querySelectorAll('button[data-output]')].filter((button) => !button.hidden);
const working = () => !!element.querySelector('[aria-busy]');
// The picture that is marked, and whether it is large, outlive what a job at work draws anew
let zoomed = '', known = '', worked = false;  // known: the one that the studio takes for chosen; of a job that ends, its newest
function mark() {
  const here = all(), asked = here.find((button) => button.dataset.output === view().dataset.chosen), now = asked || (working() ? null : here.at(-1));
  for (const button of here) button.toggleAttribute('aria-current', button === now);
  sheet()?.toggleAttribute('data-large', here.length > 1 && !!now && now.dataset.output === zoomed);
  if (worked && !working()) known = here.at(-1)?.dataset.output;
  worked = working();
  if (now && !worked && now.dataset.output !== known) { known = now.dataset.output; setTimeout(() => trigger('select', { value: known })); }
}
function choose(button) {
  zoomed = zoomed === button.dataset.output ? '' : button.dataset.output;
  view().dataset.chosen = known = button.dataset.output;
  mark();
  trigger('select', { value: known });
}
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-output]'), example = event.target.closest('button[data-example]'), task = event.target.closest('button[data-task]');
  if (example) trigger('input', { value: example.dataset.example });
  if (task?.dataset.opens) window.seisei.image.go(task.dataset.opens);
  else if (task) trigger('apply', { value: task.dataset.task });
  if (button) choose(button);
});
new MutationObserver(mark).observe(element, { childList: true, subtree: true, attributes: true, attributeFilter: ['aria-busy', 'aria-current', 'data-large', 'data-output', 'hidden'] });
mark();
element.addEventListener('input', (event) => { if (event.target.matches('.image-compare input')) event.target.parentElement.style.setProperty('--at', event.target.value + '%'); });
element.addEventListener('keydown', (event) => {
  const places = all(), at = places.indexOf(event.target.closest('button[data-output]'));
  if (at < 0) return;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1 }[event.key];
  if (event.key === 'Escape' && sheet()?.hasAttribute('data-large')) { event.stopPropagation(); zoomed = ''; mark(); }  // it would stop a job
  else if (to !== undefined && places[to]) { event.preventDefault(); places[to].focus(); places[to].click(); }
});

// What the buttons below do, for all pages of the tab
const make = (tag, more = {}) => Object.assign(document.createElement(tag), more);
const file = (id) => '/api/v1/outputs/' + id + '/file';
const post = (act, id) => fetch('/api/v1/outputs/' + act, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ids: [id] }) });
const shown = (id, on) => { for (const button of document.querySelectorAll('button[data-output="' + id + '"]')) if (button.closest('.image-sheet')) button.hidden = !on; };
async function copy(text, told) {
  try { await navigator.clipboard.writeText(text); }
  catch { const box = make('textarea', { value: text }); document.body.append(box); box.select(); document.execCommand('copy'); box.remove(); }
  tell(say(told));
}
function slider(before, after) {
  const box = make('div', { className: 'image-compare' }), range = make('input', { type: 'range', min: 0, max: 100, value: 50, ariaLabel: say('Before and after') });
  box.append(make('img', { src: after, alt: say('After') }), make('img', { src: before, alt: say('Before'), className: 'before' }), range);
  range.addEventListener('input', () => box.style.setProperty('--at', range.value + '%'));
  return box;
}
async function compare(id) {
  const found = await (await fetch('/api/v1/outputs?kind=image&limit=13')).json(), here = all().map((button) => button.dataset.output);
  const others = [...new Set([...here, ...found.map((output) => output.id)])].filter((other) => other !== id).slice(0, 12);
  if (!others.length) return tell(say('There is no other picture to compare with.'));
  const place = make('div'), strip = make('div', { className: 'image-pick' });
  const show = (other) => { place.replaceChildren(slider(file(other), file(id))); for (const button of strip.children) button.ariaPressed = String(button.dataset.other === other); };
  for (const other of others) {
    const button = make('button', { type: 'button', ariaLabel: say('Compare with this one') }); button.dataset.other = other;
    button.append(make('img', { src: '/api/v1/outputs/' + other + '/thumb', alt: '' })); button.onclick = () => show(other); strip.append(button);
  }
  dialog('Compare', place, strip); show(others[0]);
}
// The picture that the buttons below a view mean: the one that was clicked, else its newest
function chosen(view) {
  const box = document.querySelector(view), here = [...box.querySelectorAll('button[data-output]')].filter((button) => !button.hidden).map((button) => button.dataset.output);
  return here.includes(box.dataset.chosen) ? box.dataset.chosen : here.at(-1) || box.querySelector('[data-after]')?.dataset.after;
}
window.seisei.image = {
  act: (name, view) => { const id = chosen(view); if (id) window.seisei.image[name](id); },
  compare,
  save: (id) => { const link = make('a', { href: file(id) + '?download', download: '' }); link.click(); },
  link: (id) => copy(location.origin + file(id), 'The link is copied.'),
  settings: async (id) => { const output = await (await fetch('/api/v1/outputs/' + id)).json(); copy(output.metadata.facts.parameters || JSON.stringify(output.metadata.params, null, 1), 'The settings are copied.'); },
  trash: async (id) => {
    if (!(await post('trash', id)).ok) return;
    shown(id, false);
    tell(say('{n} moved to the trash.', { n: 1 }), { label: say('Undo'), act: async () => { await post('untrash', id); shown(id, true); } });
  },
  seeded: (n) => tell(say('The next pictures begin with the seed {n}.', { n })),
  wanted: () => { const box = document.getElementById('image-editor'); box?.scrollIntoView({ block: 'center' }); box?.querySelector('.choose')?.focus({ preventScroll: true }); tell(say('Give your picture here, then press Generate.')); },
  go: (mode) => document.querySelector('#image-modes [role=tab][data-tab-id="' + mode + '"]')?.click(),
};
// Buttons that are only a sign get their names
function names() { for (const [id, name] of [['image-swap', 'Turn the shape'], ['image-star', 'Favourite'], ['image-nine', 'Draw nine']]) { const box = document.getElementById(id), button = box?.matches('button') ? box : box?.querySelector('button'); if (button) { button.ariaLabel = say(name); button.title = say(name); } } }
names(); setTimeout(names, 300);
new MutationObserver(names).observe(element, { childList: true, subtree: true });
