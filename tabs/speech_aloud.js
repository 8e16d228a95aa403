// A button on each answer that reads it aloud. `element` and `trigger` are Gradio's; speech_aloud.py answers with the address of the sound.
const { say } = window.seisei;
const SIGN = '<svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true"><path fill="currentColor" d="M3 9v6h4l5 5V4L7 9zm12.5-1.2v8.4a4.6 4.6 0 0 0 0-8.4zm0-4v2.1a6.6 6.6 0 0 1 0 12.2v2.1a8.6 8.6 0 0 0 0-16.4z"/></svg>';
const STOP = '<svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true"><path fill="currentColor" d="M6 6h12v12H6z"/></svg>';
const audio = new Audio();
let row = -1, waiting = false, wanted = 0;
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
function stop() { audio.pause(); audio.removeAttribute('src'); if (waiting) trigger('stop'); row = -1; waiting = false; show(); }
function speak(at) {
  const again = at === row; if (row >= 0) stop(); if (again) return;
  row = at; waiting = true; wanted++; show(); trigger('input', { value: at });
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
  const told = element.querySelector('i[data-row]'); if (!told || told.dataset.seen) return;
  told.dataset.seen = '1';
  if (Number(told.dataset.row) !== row) return;  // of a reading that was stopped meanwhile
  waiting = false;
  if (!told.dataset.play) { row = -1; return show(); }
  audio.src = told.dataset.play; audio.play().catch(() => { row = -1; show(); }); show();
}
audio.onended = () => { row = -1; show(); };
document.addEventListener('seisei-sound', (event) => { if (event.detail.playing && row >= 0) stop(); });  // one voice at a time
new MutationObserver(answered).observe(element, { childList: true, subtree: true });
let soon = false;
new MutationObserver(() => { if (!soon) { soon = true; requestAnimationFrame(() => { soon = false; decorate(); }); } }).observe(document.body, { childList: true, subtree: true });
decorate();
