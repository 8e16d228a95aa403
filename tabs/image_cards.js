// Cards: filtered as one types, by kind and family; a click puts a network into the prompt or takes it out. `element` and `trigger` are Gradio's.
let kind = '', wanted = '', others = false;
const all = () => [...element.querySelectorAll('.card')];
function sift() {
  const family = element.querySelector('.image-cards')?.dataset.family || '';
  let shown = 0;
  for (const card of all()) {
    const data = card.dataset, fits = data.kind === 'image' || others || !data.family || data.family === family;
    card.hidden = !(fits && (!kind || data.kind === kind) && data.find.includes(wanted));
    shown += !card.hidden;
    const pressed = String(data.kind === 'image' ? card.ariaPressed === 'true' : !!window.seisei.prompt?.holds(data.text));
    if (card.ariaPressed !== pressed) card.ariaPressed = pressed;
  }
  for (const button of element.querySelectorAll('[data-kind]:not(.card)')) button.ariaPressed = String(button.dataset.kind === kind);
  const none = element.querySelector('[data-none]'); if (none) none.hidden = shown > 0 || !all().length;
}
element.addEventListener('mousedown', (event) => { if (event.target.closest('.card')) event.preventDefault(); });  // the prompt keeps its cursor
element.addEventListener('click', (event) => {
  const card = event.target.closest('.card'), button = event.target.closest('[data-kind]:not(.card)');
  if (button) { kind = kind === button.dataset.kind ? '' : button.dataset.kind; return sift(); }
  if (!card) return;
  if (card.dataset.text) window.seisei.prompt.toggle(card.dataset.text, JSON.parse(card.dataset.words));
  else for (const other of all()) if (other.dataset.kind === 'image') other.ariaPressed = String(other === card);
  trigger('select', { value: card.dataset.key });
  sift();
});
element.addEventListener('input', (event) => {
  if (event.target.matches('[type=search]')) wanted = event.target.value.trim().toLowerCase();
  if (event.target.matches('[data-others]')) others = event.target.checked;
  sift();
});
document.addEventListener('input', (event) => { if (event.target.matches?.('#image-prompt textarea') && element.isConnected) sift(); });
new MutationObserver((changes) => {
  if (!changes.some((change) => [...change.addedNodes].some((node) => node.nodeType === 1))) return;
  const box = element.querySelector('[type=search]'), tick = element.querySelector('[data-others]');
  if (box) box.value = wanted; if (tick) tick.checked = others;
  sift();
}).observe(element, { childList: true, subtree: true });
sift();
