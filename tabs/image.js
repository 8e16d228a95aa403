// The pictures of a run: a click makes one large, another or Escape shows all again; arrows go to the next. `element` and `trigger` are Gradio's.
const sheet = () => element.querySelector('.image-sheet');
const all = () => [...element.querySelectorAll('button[data-output]')];
function large(button) {
  const here = sheet();
  if (!here) return;
  for (const other of all()) other.toggleAttribute('aria-current', other === button);
  here.toggleAttribute('data-large', !!button && all().length > 1);
}
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-output]'), example = event.target.closest('button[data-example]');
  if (example) trigger('input', { value: example.dataset.example });
  if (!button) return;
  const again = button.hasAttribute('aria-current') && sheet().hasAttribute('data-large');
  large(again ? null : button);
  trigger('select', { value: button.dataset.output });
});
element.addEventListener('keydown', (event) => {
  const places = all(), at = places.indexOf(event.target.closest('button[data-output]'));
  if (at < 0) return;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1 }[event.key];
  if (event.key === 'Escape') large(null);
  else if (to !== undefined && places[to]) { event.preventDefault(); places[to].focus(); places[to].click(); }
});
