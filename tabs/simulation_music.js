// A result as music: which series are heard, on which scale, how fast. The form stands below the buttons of the result, `row`; pressed again it goes.
const sonified = {};  // what was chosen last
async function sonify(job, row) {
  const open = row.parentElement.querySelector(':scope > .sim-music'); if (open) { open.remove(); return; }
  const told = await offered(job), note = make('span', { className: 'sim-told', role: 'status' });
  const names = told.series.map((one) => one.name), kept = (sonified.voices || []).filter((name) => names.includes(name)), chosen = kept.length ? kept : names.slice(0, 3);
  const boxes = told.series.map((one) => make('label', { className: 'sim-heard' }, make('input', { type: 'checkbox', value: one.name, checked: chosen.includes(one.name) }), make('span', {}, one.title)));
  const inputs = boxes.map((box) => box.firstChild), heard = () => inputs.filter((box) => box.checked);
  const limit = () => { for (const box of inputs) box.disabled = !box.checked && heard().length >= told.most; play.disabled = !heard().length; };
  const scale = make('select', {}, ...told.scales.map((one) => make('option', { value: one.name, textContent: one.title }))); if (sonified.scale) scale.value = sonified.scale;
  const number = (name) => { const about = told.numbers[name], box = make('input', { type: 'number', min: about.minimum, max: about.maximum, step: 1, value: sonified[name] || about.default }); return [box, make('label', {}, make('span', {}, about.title), box)]; };
  const [tempo, tempoLabel] = number('tempo'), [notes, notesLabel] = number('notes');
  const play = make('button', { type: 'submit', textContent: say('Make music') });
  const form = make('form', { className: 'sim-music' }, make('fieldset', {}, make('legend', {}, say('Series')), ...boxes), make('label', {}, make('span', {}, say('Musical scale')), scale), tempoLabel, notesLabel, play, note);
  for (const box of inputs) box.onchange = limit;
  form.onsubmit = async (event) => {
    event.preventDefault(); play.disabled = true; note.textContent = say('Working …');
    Object.assign(sonified, { voices: heard().map((box) => box.value), scale: scale.value, tempo: +tempo.value, notes: +notes.value });
    try { const [id] = await finished((await asked(`jobs/${job}/music`, sonified)).job); note.textContent = ''; if (id) await window.seisei.piece(id); } catch (error) { note.textContent = `${say(error.told?.message || 'That did not work.')} ${say(error.told?.hint || '')}`; }
    limit();
  };
  limit(); row.after(form); inputs[0].focus();
}
async function offered(job) {  // what can be chosen
  const answer = await fetch(`${AT}jobs/${job}/music`), told = await answer.json(); if (!answer.ok) throw Object.assign(new Error(told.error.message), { told: told.error }); return told;
}
async function finished(job) {  // what it made
  for (let tries = 0; tries < 2000; tries++) {
    const told = await (await fetch(`/api/v1/jobs/${job}`)).json();
    if (!['queued', 'running'].includes(told.state)) { if (told.error) throw Object.assign(new Error(told.error.message), { told: told.error }); return told.outputs || []; }
    await new Promise((done) => setTimeout(done, 300));
  }
  return [];
}
