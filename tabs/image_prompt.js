// Writing prompts: suggestions after "<", "__" and within a word, heavier and lighter with Ctrl and the arrows. `element` is Gradio's; the boxes are found by their ids.
const { say } = window.seisei;
window.seisei.prompt?.end();
const ended = new AbortController(), on = (target, kind, act) => target.addEventListener(kind, act, { signal: ended.signal, capture: true });
const BOXES = '#image-prompt textarea, #image-negative textarea';
const MOST = 8, STEP = 0.1, KEPT = 700;  // milliseconds
let names = null, asked = 0, list = null, box = null, found = [], at = 0;

function write(target, text, start, end = start) {
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(target), 'value').set.call(target, text);
  target.setSelectionRange(start, end);
  target.dispatchEvent(new Event('input', { bubbles: true }));
}
function known() {
  if (names && Date.now() - asked < 20000) return names;
  asked = Date.now();
  names = fetch('/api/v1/image/words').then((answer) => answer.ok ? answer.json() : Promise.reject()).catch(() => { names = null; return {}; });
  return names;
}
// What is being written at the cursor: its beginning, the letters so far, and where to look
function begun(text, cursor) {
  const before = text.slice(0, cursor);
  let match = /<(?:l(?:o(?:r(?:a)?)?)?:?)?([^<>]*)$/.exec(before);
  if (match && !/:[^:]*:/.test(match[0])) return { start: match.index, letters: '<lora:'.startsWith(match[0]) ? '' : match[0].replace(/^<(lora:)?/, ''), kinds: ['lora'], every: true };
  match = /(?:^|[^\w])__([\w./-]*)$/.exec(before);
  if (match) return { start: cursor - match[1].length - 2, letters: match[1], kinds: ['wildcard'], every: true };
  match = /([\p{L}\p{N}_.-]{2,})$/u.exec(before);
  return match && { start: match.index, letters: match[1], kinds: ['embedding', 'style', 'lora', 'wildcard'], every: false };
}
const put = { lora: (one) => '<lora:' + one.name + ':1>' + (one.more ? ' ' + one.more : ''), wildcard: (one) => '__' + one.name + '__', embedding: (one) => one.name, style: (one) => one.name };
let turn = 0;  // of several that wait for the names only the newest speaks, and none after the list was closed
function close() { turn++; list?.remove(); list = null; found = []; if (box) { box.removeAttribute('aria-activedescendant'); box.removeAttribute('aria-controls'); } }
async function suggest(target) {
  const mine = ++turn, all = await known();
  if (mine !== turn) return;
  const place = begun(target.value, target.selectionStart);
  if (!place || target.selectionStart !== target.selectionEnd || document.activeElement !== target) return close();
  const letters = place.letters.toLowerCase();
  const hits = place.kinds.flatMap((kind) => (all[kind] || []).map((one) => ({ ...one, kind })));
  found = hits.filter((one) => one.name.toLowerCase().includes(letters) && (place.every || one.name.toLowerCase() !== letters))
    .sort((a, b) => b.name.toLowerCase().startsWith(letters) - a.name.toLowerCase().startsWith(letters)).slice(0, MOST).map((one) => ({ ...one, start: place.start }));
  if (!found.length) return close();
  box = target; at = 0; draw();
}
const KINDS = { lora: 'LoRA', embedding: 'Embedding', wildcard: 'Wildcard', style: 'Style' };
function draw() {
  const fresh = !list;
  if (fresh) { list = document.createElement('ul'); list.id = 'image-suggestions'; list.setAttribute('role', 'listbox'); list.ariaLabel = say('Suggestions'); document.body.append(list); }
  list.replaceChildren(...found.map((one, number) => {
    const item = document.createElement('li');
    item.id = 'image-suggestion-' + number; item.setAttribute('role', 'option'); item.ariaSelected = String(number === at);
    item.append(Object.assign(document.createElement('b'), { textContent: one.name }), Object.assign(document.createElement('span'), { textContent: say(KINDS[one.kind]) }));
    item.onmousedown = (event) => { event.preventDefault(); at = number; take(); };
    return item;
  }));
  box.setAttribute('aria-controls', list.id); box.setAttribute('aria-autocomplete', 'list'); box.setAttribute('aria-activedescendant', 'image-suggestion-' + at);
  stand();
}
// Below its box, which may have been scrolled
function stand() {
  const where = box.getBoundingClientRect();
  if (where.bottom < 0 || where.top > innerHeight) return close();
  Object.assign(list.style, { left: where.left + 'px', width: where.width + 'px', top: Math.min(where.bottom + 2, innerHeight - list.offsetHeight - 44) + 'px' });
}
function take() {
  const one = found[at], target = box, end = target.selectionStart;
  close();
  if (one.kind === 'style') { write(target, target.value.slice(0, one.start).replace(/[ ,]+$/, '') + target.value.slice(end), one.start); window.seisei.style?.(one.name); return; }
  const text = put[one.kind](one), rest = target.value.slice(end).replace(/^[\w:.]*>/, '');
  write(target, target.value.slice(0, one.start) + text + rest, one.start + text.length);
}
// (word:1.1): the selection, the brackets around the cursor, or the word under it
function weigh(target, by) {
  const text = target.value; let start = target.selectionStart, end = target.selectionEnd;
  if (start === end) {
    const open = text.lastIndexOf('(', start), shut = text.indexOf(')', start), inside = open >= 0 && shut >= 0 && !text.slice(open + 1, start).includes(')') && /^[^()]*:[\d.]+$/.test(text.slice(open + 1, shut));
    if (inside) { start = open; end = shut + 1; }
    else { while (start > 0 && !/[\s,()[\]<>:]/.test(text[start - 1])) start--; while (end < text.length && !/[\s,()[\]<>:]/.test(text[end])) end++; }
  } else {
    const around = /^\($/.test(text[start - 1] || '') && /^:[\d.]+\)/.exec(text.slice(end));
    if (around) { start--; end += around[0].length; }
    while (end > start && /\s/.test(text[end - 1])) end--;
  }
  if (start === end) return;
  const network = /^<(lora|lyco):([^:>]+):?([\d.]*)>$/.exec(text.slice(Math.max(0, text.lastIndexOf('<', start)), text.indexOf('>', end - 1) + 1));
  if (network) {
    const from = text.lastIndexOf('<', start), to = text.indexOf('>', end - 1) + 1, made = '<' + network[1] + ':' + network[2] + ':' + number((parseFloat(network[3] || '1') || 0) + by) + '>';
    return write(target, text.slice(0, from) + made + text.slice(to), from, from + made.length);
  }
  const old = /^\(([\s\S]*):([\d.]+)\)$/.exec(text.slice(start, end));
  const inner = old ? old[1] : text.slice(start, end), weight = Math.max(0, Math.round((old ? parseFloat(old[2]) : 1) * 100 + by * 100) / 100);
  const made = weight === 1 ? inner : '(' + inner + ':' + number(weight) + ')';
  write(target, text.slice(0, start) + made + text.slice(end), weight === 1 ? start : start + 1, weight === 1 ? start + inner.length : start + 1 + inner.length);
}
const number = (value) => String(Math.max(0, Math.round(value * 100) / 100));
on(document, 'input', (event) => { if (event.target.matches(BOXES) && event.isTrusted) suggest(event.target); });
on(document, 'keydown', (event) => {
  if (!event.target.matches(BOXES)) return;
  if ((event.ctrlKey || event.metaKey) && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) { event.preventDefault(); close(); return weigh(event.target, event.key === 'ArrowUp' ? STEP : -STEP); }
  if (!list || event.isComposing) return;
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { at = (at + (event.key === 'ArrowDown' ? 1 : found.length - 1)) % found.length; draw(); }
  else if ((event.key === 'Enter' && !event.ctrlKey && !event.metaKey && !event.shiftKey) || event.key === 'Tab') take();
  else if (event.key === 'Escape') close();
  else return;
  event.preventDefault(); event.stopImmediatePropagation();
});
on(document, 'focusout', (event) => { if (event.target === box) close(); });
for (const kind of ['scroll', 'resize']) on(window, kind, () => { if (list) stand(); });
on(document, 'click', (event) => {
  const place = event.target.closest?.('[data-place]'), target = document.querySelector('#image-' + (place?.dataset.box || 'prompt') + ' textarea');
  if (place && target) { target.focus(); target.setSelectionRange(+place.dataset.place, +place.dataset.place + 1); }
});
// What one changes in the form is kept a moment later, generated or not
let keeping = 0;
for (const kind of ['input', 'change', 'click']) on(document, kind, (event) => {
  if (!event.target.closest?.('#image-form, #image-actions') || event.target.closest('#image-keep')) return;
  clearTimeout(keeping); keeping = setTimeout(() => document.getElementById('image-keep')?.click(), KEPT);
});
window.seisei.style = (name) => trigger('select', { value: name });
// For cards: a text goes in at the cursor of the prompt, or out again where it is there
function toggle(text, words) {
  const target = document.querySelector('#image-prompt textarea'), whole = target.value, name = /^<(\w+:[^:>]+)/.exec(text);
  const there = name ? new RegExp('\\s*<' + name[1].replace(/[.*+?^${}()|[\]\\]/g, '\\$&') + '(:[^>]*)?>') : new RegExp('(,\\s*)?(?<![\\w-])' + text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') + '(?![\\w-])');
  if (there.test(whole)) {
    let left = whole.replace(there, '');
    for (const word of words) left = left.replace(word, '');
    left = left.replace(/\s+,/g, ',').replace(/(,\s*){2,}/g, ', ').replace(/ {2,}/g, ' ').replace(/^[,\s]+|[,\s]+$/g, '');
    write(target, left, left.length); return false;
  }
  const cursor = document.activeElement === target || target.dataset.cursor ? +(target.dataset.cursor ?? whole.length) : whole.length, before = whole.slice(0, cursor), after = whole.slice(cursor);
  const fresh = words.filter((word) => !whole.includes(word)).join(', '), made = text + (fresh && (name ? ' ' : ', ') + fresh);
  const put = (before && !/[\s,]$/.test(before) ? (name ? ' ' : ', ') : '') + made + (after && !/^[\s,]/.test(after) ? ' ' : '');
  write(target, before + put + after, (before + put).length); return true;
}
const holds = (text) => { const whole = document.querySelector('#image-prompt textarea')?.value || '', name = /^<\w+:[^:>]+/.exec(text); return name ? whole.includes(name[0] + ':') || whole.includes(name[0] + '>') : whole.includes(text); };
window.seisei.prompt = { toggle, holds, write, end: () => { close(); ended.abort(); } };
