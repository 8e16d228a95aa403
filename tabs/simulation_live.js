// The one live view of this page: its job, its frames, what was asked of it. Stages show it; frames are fetched one at a time, and only while somebody sees one.
const AT = '/api/v1/simulation/', SENT = 60, USER = 'seisei-simulation-paused';
const post = (path, given = {}) => fetch(AT + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(given) });
async function asked(path, given) { const answer = await post(path, given), told = await answer.json(); if (!answer.ok) throw Object.assign(new Error(told.error?.message || ''), { told: told.error || {} }); return told; }
const live = {
  model: null, own: '', values: {}, seed: 0, speed: 1, job: '', head: null, rows: new Float64Array(0), pixels: null, ended: '', busy: false, left: false, stages: new Set(), waiting: [], timer: 0, frames: 0, asleep: false,
  get running() { return !!this.head?.running && !this.left; },
  tell(what) { for (const stage of this.stages) stage.heard(what); },
  // -- begin ------------------------------------------------------------------------------------------------------
  async open(wish) {
    if (this.busy) { this.next = wish; return; }
    this.busy = true; this.ended = ''; this.tell('busy');
    try {
      const told = await asked('live', { model: wish.model, own: wish.own || '', values: wish.values || {}, seed: wish.seed ?? -1, speed: this.speed, replaces: this.job, ...(wish.changes ? { changes: wish.changes, steps: wish.steps || 0 } : {}) });
      this.take(told);
    } catch (error) { this.refuse(error); }
    this.busy = false;
    if (this.next) { const next = this.next; this.next = null; await this.open(next); }
  },
  take(told) {
    const other = told.model.id !== this.model?.id || told.own !== this.own;
    Object.assign(this, { model: told.model, own: told.own, values: told.values, seed: told.seed, job: told.job, head: null, ended: '', left: false, came: true });
    if (other) { this.waiting = []; this.pixels = null; this.rows = new Float64Array(0); }
    this.tell('model'); desk.changed();
  },
  refuse(error) { const told = error.told || {}; this.problem = { message: told.message || say('The studio does not answer. Is it still running?'), hint: told.hint || '', field: (told.field || '').replace('values.', '') }; this.tell('problem'); if (!this.job) tell(`${this.problem.message} ${this.problem.hint}`); },
  async wake() {  // at the first look: what goes on since the page was left, or what is on the desk
    if (this.job || this.busy || this.woken) return;
    this.woken = true;
    const going = desk.linked ? {} : await (await fetch(AT + 'live')).json().catch(() => ({}));
    if (this.job || this.busy) return;  // somebody chose meanwhile
    if (going.job) { this.take(going); if (!sessionStorage.getItem(USER)) this.send('pause', false); } else await this.open(desk.wish());
  },
  // -- ask --------------------------------------------------------------------------------------------------------
  send(name, value) {
    if (name === 'set') this.waiting = this.waiting.filter(([other, was]) => other !== 'set' || was[0] !== value[0]);
    this.waiting.push([name, value]);
    if (!this.timer) this.timer = setTimeout(() => this.flush(), SENT);
  },
  async flush() {
    this.timer = 0;
    if (!this.head) return;  // it has not begun: its first frame sends them
    const updates = this.waiting.splice(0);
    if (!this.job || !updates.length) return;
    const answer = await post(`live/${this.job}`, { updates }).catch(() => null);
    if (answer && !answer.ok) { const told = await answer.json().catch(() => ({})); if (answer.status !== 404) this.refuse({ told: told.error }); }
  },
  set(name, value) { this.came = false; this.values = { ...this.values, [name]: value }; this.send('set', [name, value]); desk.changed(); },
  pause(on) { this.left = false; on ? sessionStorage.setItem(USER, '1') : sessionStorage.removeItem(USER); this.ended ? this.again() : this.send('pause', on); if (this.head) this.head = { ...this.head, running: !on }; this.tell('frame'); },
  toggle() { this.pause(this.running); },
  step() { sessionStorage.setItem(USER, '1'); this.send('step', 1); },
  reset(values, seed) { this.came = false; this.values = { ...this.values, ...(values || {}) }; if (seed !== undefined) this.seed = seed; sessionStorage.removeItem(USER); this.left = false; if (this.ended) return this.again(); this.send('reset', { values: this.values, seed: this.seed }); this.tell('values'); desk.changed(); },
  again() { return this.open({ model: this.model.id, own: this.own, values: this.values, seed: this.seed }); },
  pace(value) { this.came = false; this.speed = value; this.send('speed', value); },
  // -- frames -----------------------------------------------------------------------------------------------------
  seen() { return !document.hidden && [...this.stages].some((stage) => stage.view.isConnected && stage.view.offsetParent); },
  async loop() {
    for (;;) {
      if (!this.seen()) { this.leave(); await new Promise((done) => setTimeout(done, 200)); continue; }
      await this.wake();
      if (this.left) { this.left = false; this.send('pause', false); }
      if (!this.job || this.ended || this.busy) { await new Promise((done) => setTimeout(done, 100)); continue; }
      const job = this.job;
      try {
        const answer = await fetch(`${AT}live/${job}?after=${this.head?.frame || 0}`, { cache: 'no-store' });
        if (job !== this.job) continue;
        if (answer.status === 200) { this.read(await answer.arrayBuffer()); await new Promise(requestAnimationFrame); }
        else if (answer.status === 204) { if (answer.headers.get('x-state') === 'queued') this.tell('queued'); }
        else if (answer.status === 410 || answer.status === 404) { const told = await answer.json().catch(() => ({})); if (job === this.job && !this.busy) await this.over(told); }  // another one that takes its place has ended it
      } catch { await new Promise((done) => setTimeout(done, 1000)); }
    }
  },
  leave() { if (this.head?.running && !this.left && !this.ended) { this.left = true; this.send('pause', true); } },
  read(buffer) {
    const size = new DataView(buffer).getUint32(0, true), head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size))), columns = this.model.series.length + 1, at = 4 + size;
    if (this.head && head.frame < this.head.frame) return;
    this.rows = new Float64Array(buffer, at, head.rows * columns);
    this.pixels = head.width ? { width: head.width, height: head.height, bytes: new Uint8Array(buffer, at + 8 * head.rows * columns, 3 * head.width * head.height) } : null;
    this.head = head; this.seed = head.checkpoint.seed; this.frames++; this.problem = head.problem.message ? head.problem : null;
    if (this.came) { this.came = false; this.values = { ...head.values, ...head.wished }; this.speed = head.checkpoint.speed; for (const what of ['values', 'pace']) this.tell(what); desk.changed(); }  // a view that goes on was changed on its way
    if (this.waiting.length && !this.timer) this.flush();
    this.tell('frame');
  },
  async over(told) {
    const { job } = this;
    if (told.checkpoint) { try { const resumed = await asked(`live/${job}/resume`); if (job === this.job && !this.busy) this.take(resumed); return; } catch { /* it is said below */ } }
    if (job !== this.job) return;
    this.ended = told.message || say('This view has ended.'); this.head = this.head && { ...this.head, running: false };
    this.problem = { message: this.ended, hint: told.hint || '', field: '' }; this.tell('frame'); this.tell('problem');
  },
};
const ECHO = 30000;  // milliseconds in which what the states say may be this page's own word: a busy machine repeats it late
// What stands on the desk, for the other pages: the server's states follow, with a moment's rest between.
const desk = {
  element: null, trigger: null, timer: 0,
  told() { try { return JSON.parse(this.element.querySelector('[data-desk]').dataset.desk); } catch { return null; } },
  link() { const text = new URLSearchParams(location.search).get('simulation'); if (!text) return null; try { return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (one) => one.charCodeAt(0)))); } catch { tell(say('This link holds no simulation.')); return null; } },
  wish() { const linked = this.linked; this.linked = null; return linked?.model ? linked : this.told() || {}; },
  key(told) { return JSON.stringify([told.model, told.own || '', Object.entries(told.values || {}).sort(([one], [other]) => (one < other ? -1 : 1))]); },
  get now() { return this.key({ model: live.model?.id, own: live.own, values: live.values }); },
  sent: new Map(),  // what the states will say in a moment, perhaps twice, because it comes from here: by when it was sent
  changed() { clearTimeout(this.timer); this.timer = setTimeout(() => { const told = this.told(), now = this.now; if (!live.model || (told && this.key(told) === now)) return; this.sent.set(now, Date.now()); this.trigger('apply', { value: { model: live.model.id, own: live.own, values: live.values } }); }, 400); },
  heard() {
    const told = this.told(); if (!told) return;
    const key = this.key(told), fresh = told.restored && told.stamp !== this.stamp;
    if (!fresh && (Date.now() - (this.sent.get(key) || 0) < ECHO || key === this.now || !live.job)) return;
    clearTimeout(this.timer); this.stamp = told.stamp; live.woken = true; live.open(told);
  },
};
export function start(element, trigger, watch) {
  document.addEventListener('seisei-sonify', ({ detail }) => sonify(detail.job, detail.row).catch((error) => detail.told(`${say(error.told?.message || 'That did not work.')} ${say(error.told?.hint || '')}`)));  // other pages' buttons
  desk.element = element; desk.trigger = trigger; desk.stamp = desk.told()?.stamp; desk.linked = desk.link();
  watch('value', () => setTimeout(() => desk.heard()));
  if (desk.linked?.model) { const linked = { own: '', values: {}, ...desk.linked }; setTimeout(() => trigger('apply', { value: linked })); }  // the other pages don't wait for the live view
  if (desk.linked) show('run');
  if (!live.asleep) { live.asleep = true; live.loop(); }
}
function show(page) { const go = (tries) => { const tab = document.querySelector(`#simulation-modes [role=tab][data-tab-id="${page}"]`); if (tab) tab.click(); else if (tries) setTimeout(() => go(tries - 1), 100); }; go(300); }
