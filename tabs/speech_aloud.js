// A button on each answer that reads it aloud. `element` and `trigger` are Gradio's; speech_aloud.py answers with the address of the sound.
const { say } = window.seisei;
const SIGN = '<svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true"><path fill="currentColor" d="M3 9v6h4l5 5V4L7 9zm12.5-1.2v8.4a4.6 4.6 0 0 0 0-8.4zm0-4v2.1a6.6 6.6 0 0 1 0 12.2v2.1a8.6 8.6 0 0 0 0-16.4z"/></svg>';
const STOP = '<svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true"><path fill="currentColor" d="M6 6h12v12H6z"/></svg>';
const audio = new Audio(), REST = 300;  // milliseconds between two sentences
const NOTHING = { sentences: [], begins: [], whole: '' };
let row = -1, turn = 0, working = false, waiting = false, told = NOTHING, at = -1, rest = 0, seen = '';  // `working`: the job goes on; `waiting`: nothing sounds; `at`: the sentence that sounds
const view = () => document.getElementById('chat-view');
const answers = () => [...(view()?.querySelectorAll('.message-row') || [])];
function show() {
  const all = answers(), writing = document.querySelector('#chat-note [data-writing]') ? all.length - 1 : -1;
  for (const [at, message] of all.entries()) {
    const button = message.querySelector('.aloud'); if (!button) continue;
    if (button.hidden !== (at === writing)) button.hidden = at === writing;  // an answer can be read when it has ended
    const on = at === row, label = say(on ? 'Stop reading' : 'Read this aloud');
    if (button.dataset.on === String(on) && button.getAttribute('aria-busy') === String(on && waiting)) continue;
    button.dataset.on = String(on); button.ariaPressed = String(on); button.setAttribute('aria-busy', String(on && waiting)); button.ariaLabel = button.title = label; button.innerHTML = on ? STOP : SIGN;
  }
}
function end() { clearTimeout(rest); audio.pause(); audio.removeAttribute('src'); row = -1; working = waiting = false; told = NOTHING; at = -1; show(); }
function stop() { if (working) trigger('stop'); end(); }
function speak(chosen) {
  const again = chosen === row; if (row >= 0) stop(); if (again) return;
  row = chosen; working = waiting = true; show(); trigger('input', { value: [chosen, ++turn] });
}
// The next sentence, from the whole once that is there, which then plays to its end; else it is waited for
function next() {
  const begin = at < 0 ? 0 : told.begins[at + 1];
  if (told.whole && begin === undefined) return end();
  const src = told.whole ? told.whole + '#t=' + begin : told.sentences[at + 1];
  waiting = !src; show(); if (!src) return;
  at = told.whole ? Infinity : at + 1;
  audio.src = src; audio.play().catch(() => { if (audio.error === null && audio.paused && row >= 0 && !waiting) end(); });
}
function decorate() {
  for (const message of answers()) {
    if (!message.classList.contains('bot-row') || message.querySelector('.aloud') || message.querySelector('.thought, .thought-group')) continue;
    const place = message.querySelector('.message.bot'); if (!place || message.querySelector('textarea') || place.textContent.trim() === '…') continue;  // … stands for an answer that has not begun
    const button = Object.assign(document.createElement('button'), { type: 'button', className: 'aloud' });
    button.onclick = (event) => { event.stopPropagation(); speak(answers().indexOf(message)); };
    place.append(button);
  }
  show();
}
function answered() {
  const answer = element.querySelector('i[data-turn]'); if (!answer || answer.outerHTML === seen) return;
  seen = answer.outerHTML;
  if (row < 0 || Number(answer.dataset.turn) !== turn) return;  // of a reading that was stopped meanwhile
  if (!answer.dataset.play) return end();
  told = JSON.parse(answer.dataset.play); working = !told.whole;
  if (waiting) next();
}
audio.onended = () => { if (at === Infinity) end(); else rest = setTimeout(next, REST); };
audio.onerror = () => { if (row < 0) return; if (at === Infinity) return end(); at--; waiting = true; if (told.whole) next(); };  // the sentence went when the whole came
document.addEventListener('seisei-sound', (event) => { if (event.detail.playing && row >= 0) stop(); });  // one voice at a time
new MutationObserver(answered).observe(element, { childList: true, subtree: true, attributes: true });  // the next answer of a stream may be the same node with other attributes
let soon = false;
new MutationObserver(() => { if (!soon) { soon = true; requestAnimationFrame(() => { soon = false; decorate(); }); } }).observe(document.body, { childList: true, subtree: true });
decorate();
