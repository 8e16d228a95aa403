// Where a result goes on: a report, the Music tab, the Image tab, the desk. `element` and `trigger` are Gradio's.
const say = (text) => window.seisei?.say ? window.seisei.say(text) : text;
const post = async (path) => { const answer = await fetch(path, { method: 'POST' }), told = await answer.json(); if (!answer.ok) throw new Error(`${say(told.error.message)} ${say(told.error.hint)}`); return told; };
const ended = async (job) => {
  for (let tries = 0; tries < 600; tries++) {
    const told = await (await fetch(`/api/v1/jobs/${job}`)).json();
    if (!['queued', 'running'].includes(told.state)) { if (told.error) throw new Error(`${say(told.error.message)} ${say(told.error.hint)}`); return told.outputs || []; }
    await new Promise((done) => setTimeout(done, 300));
  }
  return [];
};
const acts = {
  async report(button) {
    const [id] = await ended((await post(`/api/v1/simulation/jobs/${button.dataset.job}/report?address=${encodeURIComponent(location.origin)}`)).job);
    if (!id) return;
    const link = document.createElement('a'); link.href = `/api/v1/outputs/${id}/file?download=1`; link.download = ''; document.body.append(link); link.click(); link.remove();
    return say('The report is in the gallery as well.');
  },
  music(button) { document.dispatchEvent(new CustomEvent('seisei-sonify', { detail: { job: button.dataset.job, row: button.parentElement, told: (text) => { button.parentElement.querySelector('.experiment-told').textContent = text; } } })); },
  async picture(button) { await window.seisei.use(`/api/v1/simulation/outputs/${button.dataset.output}/picture`); },
};
element.addEventListener('click', async (event) => {
  const use = event.target.closest('[data-use]');
  if (use) return trigger('select', { value: JSON.parse(use.dataset.use) });
  const button = event.target.closest('[data-act]');
  if (!button || button.disabled) return;
  const told = button.parentElement.querySelector('.experiment-told');
  button.disabled = true; told.textContent = say('Working …');
  try { told.textContent = (await acts[button.dataset.act](button)) || ''; } catch (error) { told.textContent = error.message; }
  button.disabled = false;
});
