// A form of the Learn page: what it holds goes to Python whenever a control changes. `element` and `trigger` are Gradio's.
function held() {
  const found = {};
  for (const input of element.querySelectorAll('[data-name]')) found[input.dataset.name] = input.type === 'checkbox' ? input.checked : input.value;
  return found;
}
element.addEventListener('change', (event) => {
  const card = event.target.closest('.learn-card');
  if (event.target.dataset.name?.endsWith('|kind')) card.querySelector('.learn-bell').hidden = !['normal', 'log-normal'].includes(event.target.value);
  if (event.target.dataset.name?.endsWith('|series')) card.toggleAttribute('data-used', Boolean(event.target.value));
  trigger('apply', { value: held() });
});
