// Speech: the readings over the words, the person's dictionary, and what can be fetched. `element` and `trigger` are Gradio's; music_speech_words.py draws.
const { say } = window.seisei;
const make = (tag, more = {}, ...parts) => { const made = Object.assign(document.createElement(tag), more); made.append(...parts); return made; };

// A word becomes a small form; Enter keeps the new reading, Escape leaves it as it was
function correct(word) {
  const was = word.dataset.reading, box = make('input', { value: was, ariaLabel: say('Reading') + ': ' + word.dataset.word, size: Math.max(6, was.length + 2) });
  const keep = make('button', { type: 'button', textContent: say('Save') }), drop = make('button', { type: 'button', textContent: '×', ariaLabel: say('Cancel') });
  const form = make('span', { className: 'fix' }, make('b', { textContent: word.dataset.word }), box, keep, drop);
  const back = () => { if (form.isConnected) { form.replaceWith(word); word.focus(); } };
  const save = () => { if (box.value.trim() !== was) trigger('input', { value: { word: word.dataset.word, reading: box.value.trim() } }); else back(); };
  keep.onclick = save; drop.onclick = back;
  box.onkeydown = (event) => { if (event.key === 'Enter' && !event.isComposing) { event.preventDefault(); event.stopPropagation(); save(); } else if (event.key === 'Escape') { event.stopPropagation(); back(); } };
  word.replaceWith(form); box.focus(); box.select();
}
const rows = () => [...element.querySelectorAll('.speech-table tbody tr')].map((row) => [...row.querySelectorAll('input')].map((box) => box.value.trim()));
const send = (all) => trigger('select', { value: JSON.stringify(all.filter(([word, reading]) => word && reading)) });

async function fetchModel(button) {
  button.disabled = true;
  const answer = await fetch('/api/v1/provision/retry?model=' + button.dataset.fetch, { method: 'POST' });
  if (!answer.ok) { button.disabled = false; const told = await answer.json(); return window.seisei.tell(say(told.error.message) + ' ' + say(told.error.hint)); }
  const bar = make('progress', { max: 1, ariaLabel: button.textContent }); button.after(bar);
  for (;;) {
    await new Promise((done) => setTimeout(done, 700));
    const step = (await (await fetch('/api/v1/status')).json()).provision.find((one) => one.id === 'starter');
    if (step && step.fraction > 0) bar.value = step.fraction;
    if (!step || step.state === 'done' || step.state === 'failed') { bar.remove(); button.disabled = false; if (step && step.state === 'failed') window.seisei.tell(step.note); trigger('apply', { value: button.dataset.fetch }); return; }
  }
}

element.addEventListener('click', (event) => {
  const word = event.target.closest('.word'), gone = event.target.closest('[data-delete]'), add = event.target.closest('[data-add]'), wish = event.target.closest('[data-fetch]');
  if (word) correct(word);
  if (gone) { gone.closest('tr').remove(); send(rows()); }
  if (add) send(rows());
  if (wish) fetchModel(wish);
});
element.addEventListener('keydown', (event) => { if (event.key === 'Enter' && !event.isComposing && event.target.closest('.speech-table')) { event.preventDefault(); send(rows()); } });
element.addEventListener('change', (event) => { const row = event.target.closest('.speech-table tr'); if (row && !row.classList.contains('new')) send(rows()); });
