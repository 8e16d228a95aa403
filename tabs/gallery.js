// The gallery's grid: a click opens, a tick picks, Shift picks a range; what is picked is moved or downloaded together.
// `element` and `trigger` are Gradio's; window.seisei brings words, messages and questions.
const { say, tell, ask } = window.seisei;
const picked = new Set();
let last = '', focused = '';  // the card that has the keyboard

const boxes = () => [...element.querySelectorAll('input[data-pick]')];
const cards = () => [...element.querySelectorAll('button[data-output]')];
const inTrash = () => !!element.querySelector('.gallery-grid[data-trash]');
const button = (label, act, more = {}) => { const made = Object.assign(document.createElement('button'), { type: 'button', textContent: say(label), ...more }); made.onclick = act; return made; };
const refresh = () => document.getElementById('gallery-fresh')?.click();

async function send(act, ids) {
  const answer = await fetch('/api/v1/outputs/' + act, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ids }) });
  const told = await answer.json();
  if (!answer.ok) { tell(told.error.message + ' ' + told.error.hint); return 0; }
  refresh();
  return told.count;
}
async function move(act, back, sentence, ids) {
  const count = await send(act, ids);
  picked.clear(); draw();
  if (count) tell(say(sentence, { n: count }), back && { label: say('Undo'), act: () => send(back, ids) });
}
const trash = (ids) => move('trash', 'untrash', '{n} moved to the trash.', ids);
const restore = (ids) => move('untrash', 'trash', '{n} put back.', ids);
const purge = (ids) => ask(say('Delete for good?'), say('{n} outputs and their files are deleted. This can not be undone.', { n: ids.length }), say('Delete'), () => move('purge', '', '{n} deleted.', ids));
async function emptyTrash() {
  const found = await (await fetch('/api/v1/outputs?shelf=trash&limit=200')).json();
  if (found.length) purge(found.map((output) => output.id));
}

function draw() {
  const here = new Set(boxes().map((box) => box.dataset.pick));
  for (const id of [...picked]) if (!here.has(id)) picked.delete(id);
  for (const box of boxes()) box.checked = picked.has(box.dataset.pick);
  if (focused && document.activeElement === document.body) cards().find((card) => card.dataset.output === focused)?.focus({ preventScroll: true });  // a grid that is drawn anew while one walks it
  element.classList.toggle('picking', picked.size > 0);
  const ids = [...picked], parts = [];
  if (ids.length) {
    parts.push(Object.assign(document.createElement('b'), { textContent: say('{n} picked', { n: ids.length }) }));
    if (inTrash()) parts.push(button('Put back', () => restore(ids)), button('Delete for good', () => purge(ids)));
    else parts.push(button('Download', () => { location.href = '/api/v1/outputs/zip?ids=' + ids.join(','); }), button('Move to trash', () => trash(ids)));
    if (ids.length < here.size) parts.push(button('Pick all on this page', () => { here.forEach((id) => picked.add(id)); draw(); }));
    parts.push(button('Pick none', () => { picked.clear(); draw(); }));
  } else if (inTrash()) parts.push(button('Empty the trash', emptyTrash));
  document.getElementById('gallery-picked')?.replaceChildren(...parts);  // outside the grid, whose content is Gradio's
}

element.addEventListener('click', (event) => {
  const box = event.target.closest('input[data-pick]'), card = event.target.closest('button[data-output]');
  if (box) {
    const all = boxes(), from = all.findIndex((other) => other.dataset.pick === last), to = all.indexOf(box);
    const range = event.shiftKey && from >= 0 ? all.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
    for (const other of range) box.checked ? picked.add(other.dataset.pick) : picked.delete(other.dataset.pick);
    last = box.dataset.pick;
    draw();
  } else if (card) {
    for (const other of cards()) other.toggleAttribute('aria-current', other === card);
    trigger('select', { value: card.dataset.output });
    if (innerWidth < 768) setTimeout(() => document.getElementById('gallery-large')?.scrollIntoView({ block: 'start', behavior: 'smooth' }), 300);
  }
});
element.addEventListener('keydown', (event) => {
  const all = cards(), at = all.indexOf(event.target.closest('button[data-output]'));
  if (at < 0) return;
  const columns = all.filter((card) => card.offsetTop === all[0].offsetTop || card.getBoundingClientRect().top === all[0].getBoundingClientRect().top).length || 1;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    if (all[to]) { all[to].focus(); all[to].click(); }
  } else if (event.key === 'Delete') {
    event.preventDefault();
    const ids = picked.size ? [...picked] : [all[at].dataset.output];
    inTrash() ? purge(ids) : trash(ids);
  } else if (event.key === 'x') boxes()[at].click();
});
element.addEventListener('focusin', (event) => { focused = event.target.closest('button[data-output]')?.dataset.output || ''; });
element.addEventListener('focusout', (event) => { if (event.target.isConnected && event.relatedTarget !== null) focused = ''; });
element.ownerDocument.addEventListener('pointerdown', (event) => { if (!element.contains(event.target)) focused = ''; });
new MutationObserver(draw).observe(element, { childList: true, subtree: true });
draw();
