// A form as HTML: what it holds goes to Python whenever a control changes. A number that was emptied stays what it was. `element` and `trigger` are Gradio's.
function held() {
  const found = {};
  for (const input of element.querySelectorAll('[data-name]')) found[input.dataset.name] = input.type === 'checkbox' ? input.checked : input.value;
  return found;
}
element.addEventListener('change', (event) => {
  const input = event.target;
  if (input.type === 'number' && input.value === '') input.value = input.dataset.last ?? input.defaultValue;
  if (input.type === 'number') input.dataset.last = input.value;
  const card = input.closest('.learn-card');
  if (input.dataset.name?.endsWith('|kind')) card.querySelector('.learn-bell').hidden = !['normal', 'log-normal'].includes(input.value);
  if (input.dataset.name?.endsWith('|series')) card.toggleAttribute('data-used', Boolean(input.value));
  trigger('apply', { value: held() });
});
