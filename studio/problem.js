// A refusal goes to the control of its field: folds open, the control is shown and focused, the sentence leaves when the value changes. `element`, `trigger` and `watch` are Gradio's.
const { say } = window.seisei;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const INPUTS = 'input[type=number], input:not([type=file]):not([type=range]):not([type=hidden]), textarea, input[type=range], canvas, button';
let note = null, round = 0;
async function found(id) {
  for (let tries = 0; tries < 200; tries++) { const box = id && document.getElementById(id); if (box) return box; await pause(50); }
  return null;
}
const isOpen = (fold) => fold.querySelector(':scope > [data-testid=accordion-content]')?.style.display !== 'none';
async function unfold(ids) {
  for (const id of ids) { const fold = await found(id); if (fold && !isOpen(fold)) { fold.querySelector(':scope > button.label-wrap')?.click(); await pause(60); } }
}
// What a control holds, as far as the page shows it; words in the page's language, as they come and go
const held = (box) => [...box.querySelectorAll('input, textarea')].map((input) => ['checkbox', 'radio'].includes(input.type) ? input.checked : say(input.value)).join('\n') + [...box.querySelectorAll('img')].map((img) => img.src).join();
function clear() {
  if (!note) return;
  for (const input of note.marked) { input.removeAttribute('aria-invalid'); input.removeAttribute('aria-describedby'); }
  clearInterval(note.timer); note.box.removeEventListener('pointerup', note.painted, true);
  note.box.classList.remove('studio-faulty'); note.text.remove(); note = null;
}
function gone() { clear(); element.querySelector('.studio-problem')?.remove(); }
function attach(box, carrier) {
  const text = carrier.cloneNode(true), inputs = [...box.querySelectorAll(INPUTS)], first = INPUTS.split(', ').map((kind) => box.querySelector(kind)).find(Boolean);
  text.id = 'fault-' + box.id; text.hidden = false; text.setAttribute('role', 'alert');
  const marked = inputs.filter((input) => input.matches('input, textarea'));
  for (const input of marked) { input.setAttribute('aria-invalid', 'true'); input.setAttribute('aria-describedby', text.id); }
  const before = held(box), painted = (event) => { if (event.target.closest('canvas')) gone(); };
  box.classList.add('studio-faulty'); if (marked.length) box.append(text); else box.after(text);  // a picture's control has a height of its own
  box.addEventListener('pointerup', painted, true);
  note = { box, text, marked, painted, timer: setInterval(() => { if (!box.isConnected || held(box) !== before) gone(); }, 200) };
  carrier.hidden = true;
  box.scrollIntoView({ block: 'center' });
  text.querySelector('[data-go]')?.remove(); text.tabIndex = -1;
  const opens = !first || first.matches('[role=combobox], canvas, button');  // its list would cover the sentence
  (opens ? text.querySelector('button') || text : first).focus({ preventScroll: true });
  wire(text);
}
async function place(carrier) {
  const mine = ++round;
  for (const id of JSON.parse(carrier.dataset.tabs)) { const tab = document.querySelector('[role=tab][data-tab-id="' + id + '"]'); if (tab && tab.ariaSelected !== 'true') { tab.click(); await pause(150); } }
  await unfold(JSON.parse(carrier.dataset.folds));
  const box = await found(carrier.dataset.at);
  if (mine === round && box && carrier.isConnected) attach(box, carrier);
}
function wire(text) {
  text.querySelector('[data-fix]')?.addEventListener('click', (event) => {
    const [values, swaps] = JSON.parse(event.currentTarget.dataset.fix), box = document.getElementById(element.querySelector('.studio-problem')?.dataset.at);
    for (const [field, [before, after]] of Object.entries(swaps)) values[field] = (box?.querySelector('textarea, input')?.value ?? '').replaceAll(before, after);
    trigger('apply', { value: values }); gone();
  });
  text.querySelector('[data-go]')?.addEventListener('click', () => { const carrier = element.querySelector('.studio-problem'); if (carrier) place(carrier); });
}
// Gradio draws into `element` and tells when it did
watch('value', () => {
  clear(); round++;
  const carrier = element.querySelector('.studio-problem');
  if (!carrier) return;
  wire(carrier);
  if (carrier.dataset.at && !carrier.querySelector('[data-go]')) place(carrier); else carrier.setAttribute('role', 'alert');
});
