// A picture with a mask painted over it, on a plain canvas: no WebGL, any pointer, the keyboard. `element`, `props`, `trigger` and `watch` are Gradio's.
// props.value is JSON {image, mask}, both keys of inputs; mask "?" is one that is painted and not with the studio yet. Each stroke is kept, so that undoing draws the others again.
const { say, tell } = window.seisei;
const root = element.querySelector('.painter'), MOST = 4e6, WAY = '?';  // MOST pixels of the mask's canvas: phones allow no large ones
const make = (tag, more = {}, ...parts) => { const made = Object.assign(document.createElement(tag), more); made.append(...parts); return made; };
const SIGNS = { Brush: 'M20 3l-9 10 2 2L22 5zM9 14c-3 0-4 2-4 4s-1 2-2 2c1 1 3 2 5 2 3 0 5-2 5-5z', Eraser: 'M15 4l6 6-9 10H7l-4-4zM9 10l6 6', Undo: 'M8 5L3 10l5 5M3 10h11a6 6 0 0 1 0 12H9', Redo: 'M16 5l5 5-5 5M21 10H10a6 6 0 0 0 0 12h5', 'Clear the mask': 'M6 7h12l-1 14H7zM9 4h6l1 2H8z', 'Take the picture away': 'M6 6l12 12M18 6L6 18' };
function button(name, act) {
  const sign = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  sign.setAttribute('viewBox', '0 0 24 24'); sign.setAttribute('aria-hidden', 'true'); path.setAttribute('d', SIGNS[name]); sign.append(path);
  return make('button', { type: 'button', ariaLabel: say(name), title: say(name), onclick: act }, sign);
}
const picture = make('img', { alt: say('Picture'), draggable: false }), canvas = make('canvas', { tabIndex: 0 }), pen = canvas.getContext('2d'), ring = make('i', { hidden: true });
const file = make('input', { type: 'file', accept: 'image/png,image/jpeg,image/webp,image/gif', hidden: true }), choose = make('button', { type: 'button', className: 'choose', textContent: say(root.dataset.empty) });
const thickness = make('input', { type: 'range', min: 1, max: 50, value: 12, ariaLabel: say('Brush size'), title: say('Brush size') }), stage = make('div', { className: 'stage' }, picture, canvas, ring), hint = make('p', { textContent: say('Paint over what is to be made anew.') });
canvas.setAttribute('role', 'application'); canvas.ariaLabel = say('Mask: arrow keys move the brush, space paints, with Shift the arrows paint');
const brush = button('Brush', () => tool(false)), eraser = button('Eraser', () => tool(true)), back = button('Undo', () => step(done, undone)), again = button('Redo', () => step(undone, done)), clear = button('Clear the mask', () => finish({ clear: true })), away = button('Take the picture away', () => { put('', ''); show({}); trigger('clear', {}); });
const bar = make('div', { className: 'bar', role: 'toolbar', ariaLabel: say('Mask') }, brush, eraser, thickness, back, again, clear);
if (!('fixed' in root.dataset)) bar.append(away);
root.replaceChildren(file, choose, stage, bar, hint);

// -- what is told to the studio
let last = '', pending = null, lost = false;
const held = () => JSON.parse(props.value || '{}');
function put(image, mask) { last = props.value = image ? JSON.stringify({ image, mask }) : ''; }
async function sent(blob) {
  const answer = await fetch('/api/v1/inputs', { method: 'POST', body: blob, signal: AbortSignal.timeout(120000) }), told = await answer.json();
  if (!answer.ok) throw new Error(say(told.error.message) + ' ' + say(told.error.hint));
  return told.key;
}
const wrong = (error) => tell(error.name === 'TimeoutError' || error instanceof TypeError ? say('The studio does not answer.') : error.message);
function grey() {  // the mask as a picture: white where it is painted, black elsewhere
  const whole = make('canvas', { width: canvas.width, height: canvas.height }), over = whole.getContext('2d');
  over.drawImage(canvas, 0, 0); over.globalCompositeOperation = 'source-in'; over.fillStyle = '#fff'; over.fillRect(0, 0, whole.width, whole.height);
  over.globalCompositeOperation = 'destination-over'; over.fillStyle = '#000'; over.fillRect(0, 0, whole.width, whole.height);
  return new Promise((got) => whole.toBlob(got, 'image/png'));
}
let changes = 0;
function changed() {
  const { image } = held();
  changes++; lost = false; put(image, done.length ? WAY : given.key);
  if (done.length && !pending) pending = send(image).finally(() => { pending = null; });
}
async function send(image) {  // once more where it was changed meanwhile
  for (let before = -1; before !== changes && held().image === image && held().mask === WAY;) {
    before = changes; lost = false;
    try { const key = await sent(await grey()); if (before === changes && held().image === image) { put(image, key); root.dispatchEvent(new Event('change', { bubbles: true })); } }
    catch (error) { lost = true; return wrong(error); }
  }
}
// What is pressed while the mask is on its way waits for it
const panel = () => root.closest('[role=tabpanel]');
const waits = (target) => (pending || lost) && root.offsetParent && panel()?.contains(target) && !root.contains(target);
async function arrived() { if (lost && !pending) changed(); await pending; }
window.addEventListener('click', (event) => {
  const pressed = event.isTrusted && event.target.closest?.('button');
  if (!pressed || !waits(pressed)) return;
  event.preventDefault(); event.stopImmediatePropagation();
  arrived().then(() => pressed.click());
}, true);
// Ctrl+Enter is the page's Generate wherever one is, Shift+Enter a textarea's own
const sends = (event) => event.key === 'Enter' && (event.ctrlKey || event.metaKey || (event.shiftKey && event.target.matches?.('textarea') && !event.target.getAttribute('aria-activedescendant')));
window.addEventListener('keydown', (event) => {
  if (!event.isTrusted || !sends(event) || !(pending || lost) || !root.offsetParent || !panel()?.contains(event.target)) return;
  event.preventDefault(); event.stopImmediatePropagation();
  const { key, ctrlKey, metaKey, shiftKey } = event, kind = ctrlKey || metaKey ? 'keydown' : 'keypress';
  arrived().then(() => event.target.dispatchEvent(new KeyboardEvent(kind, { key, ctrlKey, metaKey, shiftKey, bubbles: true, cancelable: true })));
}, true);

// -- what is painted
let done = [], undone = [], stroke = null, erasing = false, given = { key: '', mask: null }, touch = 0;
const wide = () => Math.max(1, thickness.value / 100 * Math.min(canvas.width, canvas.height));
function tile() {  // stripes are seen on any picture
  const side = Math.max(8, Math.round(Math.max(canvas.width, canvas.height) / 40)), small = make('canvas', { width: side, height: side }), over = small.getContext('2d');
  over.fillStyle = '#ff2e7e'; over.fillRect(0, 0, side, side); over.strokeStyle = '#fff'; over.lineWidth = side / 4;
  for (const shift of [-side, 0, side]) { over.beginPath(); over.moveTo(shift, side); over.lineTo(shift + side, 0); over.stroke(); }
  return pen.createPattern(small, 'repeat');
}
let stripes = null;
function draw(part, from) {  // a stroke from that point on
  if (part.clear) return pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.globalCompositeOperation = part.erase ? 'destination-out' : 'source-over'; pen.strokeStyle = stripes ??= tile(); pen.lineCap = 'round'; pen.lineWidth = part.wide;
  for (let at = from; at < part.points.length; at++) { const [x, y] = part.points[Math.max(0, at - 1)]; pen.beginPath(); pen.moveTo(x, y); pen.lineTo(...part.points[at]); pen.stroke(); }
}
function redraw() {
  pen.globalCompositeOperation = 'source-over'; pen.clearRect(0, 0, canvas.width, canvas.height);
  if (given.mask) { pen.drawImage(given.mask, 0, 0); pen.globalCompositeOperation = 'source-in'; pen.fillStyle = stripes ??= tile(); pen.fillRect(0, 0, canvas.width, canvas.height); }
  for (const part of done) draw(part, 0);
}
function look() {
  const there = Boolean(held().image);
  root.toggleAttribute('data-there', there); choose.hidden = there; stage.hidden = bar.hidden = !there; hint.hidden = !there || done.length > 0 || Boolean(given.mask);
  back.disabled = !done.length; again.disabled = !undone.length; clear.disabled = !done.length && !given.mask;
  brush.ariaPressed = String(!erasing); eraser.ariaPressed = String(erasing);
}
function tool(erase) { erasing = erase; look(); }
function finish(part) { done.push(part); undone = []; if (part.clear) draw(part); changed(); look(); }
function step(from, to) { if (!from.length) return; to.push(from.pop()); redraw(); changed(); look(); }
const place = (event) => { const box = canvas.getBoundingClientRect(); return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height]; };
let spot = [0, 0];
function point(at) { spot = at; const size = wide() / canvas.width * 100; Object.assign(ring.style, { left: at[0] / canvas.width * 100 + '%', top: at[1] / canvas.height * 100 + '%', width: size + '%' }); }
canvas.addEventListener('pointerdown', (event) => {
  if (event.button && event.button !== 5) return;  // 5: a pen's eraser
  if (stroke) { stroke = null; redraw(); return; }  // a second finger: the page is moved, not the brush
  event.preventDefault(); canvas.focus({ preventScroll: true }); touch = event.pointerId;
  try { canvas.setPointerCapture(touch); } catch { /* a pointer that is gone already */ }
  stroke = { erase: erasing || event.button === 5, wide: wide(), points: [place(event)] }; draw(stroke, 0); point(stroke.points[0]);
});
canvas.addEventListener('pointermove', (event) => {
  point(place(event)); ring.hidden = event.pointerType === 'touch';
  if (!stroke || event.pointerId !== touch) return;
  const from = stroke.points.length, all = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(all.length ? all : [event]).map(place)); draw(stroke, from);
});
canvas.addEventListener('pointerup', (event) => { if (stroke && event.pointerId === touch) { const part = stroke; stroke = null; finish(part); } });
canvas.addEventListener('pointercancel', () => { if (stroke) { stroke = null; redraw(); } });
canvas.addEventListener('pointerleave', () => { ring.hidden = true; }); canvas.addEventListener('blur', () => { ring.hidden = true; });
canvas.addEventListener('focus', () => { if (canvas.matches(':focus-visible')) { point(spot[0] ? spot : [canvas.width / 2, canvas.height / 2]); ring.hidden = false; } });
thickness.addEventListener('input', () => point(spot));
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
canvas.addEventListener('keydown', (event) => {
  const way = WAYS[event.key], from = spot;
  if (way) {
    const hop = Math.max(1, wide() / 2);
    point([Math.min(canvas.width, Math.max(0, spot[0] + way[0] * hop)), Math.min(canvas.height, Math.max(0, spot[1] + way[1] * hop))]);
  } else if (event.key !== ' ') return;
  event.preventDefault(); ring.hidden = false;
  if (event.key === ' ' || event.shiftKey) { const part = { erase: erasing, wide: wide(), points: [from, spot] }; draw(part, 0); finish(part); }
});
root.addEventListener('keydown', (event) => {
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && (key === 'z' || key === 'y')) { event.preventDefault(); if (key === 'y' || event.shiftKey) step(undone, done); else step(done, undone); }
  if (event.target === canvas && (key === '[' || key === ']')) { thickness.value = Number(thickness.value) + (key === ']' ? 2 : -2); point(spot); }
});

// -- the picture
async function decoded(key) { const image = new Image(); image.src = '/api/v1/image/inputs/' + key; await image.decode(); return image; }
async function show({ image = '', mask = '' }) {
  last = image ? JSON.stringify({ image, mask }) : ''; done = []; undone = []; stroke = null; lost = false; given = { key: mask, mask: null }; stripes = null; spot = [0, 0];
  look();
  if (!image) return pen.clearRect(0, 0, canvas.width, canvas.height);
  root.setAttribute('aria-busy', 'true');
  try {
    const shown = await decoded(image), lies = mask && mask !== WAY ? await decoded(mask) : null;
    if (held().image !== image || done.length) return;
    const wide = shown.naturalWidth, high = shown.naturalHeight, scale = Math.min(1, Math.sqrt(MOST / (wide * high)));
    picture.src = shown.src; canvas.width = Math.max(1, Math.round(wide * scale)); canvas.height = Math.max(1, Math.round(high * scale)); stage.style.setProperty('--shape', wide / high); stage.style.aspectRatio = wide + '/' + high;
    if (lies) given.mask = alpha(lies);
    redraw(); look();
  } catch { tell(say('This picture can’t be shown here; it is used nevertheless, without a mask.')); }
  finally { root.removeAttribute('aria-busy'); }
}
function alpha(lies) {  // grey as transparency
  const whole = make('canvas', { width: canvas.width, height: canvas.height }), over = whole.getContext('2d');
  over.drawImage(lies, 0, 0, whole.width, whole.height);
  const all = over.getImageData(0, 0, whole.width, whole.height), bytes = all.data;
  for (let at = 0; at < bytes.length; at += 4) bytes[at + 3] = bytes[at];
  over.putImageData(all, 0, 0);
  return whole;
}
async function take(chosen) {
  if (!chosen) return;
  root.setAttribute('aria-busy', 'true');
  try { const key = await sent(chosen); put(key, ''); show({ image: key }); trigger('upload', {}); }
  catch (error) { wrong(error); }
  finally { root.removeAttribute('aria-busy'); file.value = ''; }
}
file.addEventListener('change', () => take(file.files[0])); choose.addEventListener('click', () => file.click());
if (root.closest('#image-editor')) window.seisei.take = (given) => take(given).then(() => root.scrollIntoView({ block: 'center' }));  // a picture that was dropped elsewhere
if (!('fixed' in root.dataset)) {
  for (const kind of ['dragover', 'drop']) root.addEventListener(kind, (event) => {
    if (![...(event.dataTransfer?.items || [])].some((item) => item.kind === 'file')) return;
    event.preventDefault(); event.stopPropagation(); document.body.classList.remove('seisei-drag');
    if (kind === 'drop') take(event.dataTransfer.files[0]);
  });
  document.addEventListener('paste', (event) => {
    const pasted = root.offsetParent && [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith('image/'));
    if (pasted) { event.preventDefault(); take(pasted); }
  });
} else choose.disabled = true;
watch('value', () => { if ((props.value || '') !== last) show(held()); });
show(held());
