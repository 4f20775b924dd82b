import { ask, Refused, tell } from './api.js';
import { openOutbox } from './outbox.js';
import { judgeDialog, keysDialog } from './rank-dialogs.js';
import { actionOf } from './rank-keys.js';
import { rankView } from './rank-view.js';
import { judgedWords, waitingWords } from './rank-words.js';
import { openSession } from './session.js';

/**
 * @typedef {import('./rank-view.js').Task} Task
 * @typedef {{ id: string, task: Task }} Past
 */

const RENEW_MS = 45_000;
const POLL_MS = 1500;
const JUDGE = 'garner.rank.judge';
const KEYS_OFF = 'garner.rank.keys-off';

/** The page on which a person compares answers: everything by key, everything by mouse, nothing lost. */
class RankPage extends HTMLElement {
  /** What is judged now. @type {Task | null} */ task = null;
  /** What comes after it: the judge never waits for the server. @type {Task | null} */ ahead = null;
  /** Names of the answers that have a rank so far. @type {string[]} */ placed = [];
  /** What this tab has judged. @type {Past[]} */ past = [];
  session = '';
  judge = '';
  shownAt = 0;
  /** More answers are being sampled. */
  more = false;
  /** @type {string | null} */ note = null;
  /** @type {any} */ progress = null;
  asking = false;
  /** The server said that there is nothing for this tab now. */
  ended = false;
  keysOff = localStorage.getItem(KEYS_OFF) !== null;
  /** @type {ReturnType<typeof setInterval>[]} */ timers = [];
  leave = new AbortController();

  view = rankView({
    wish: (wish) => this.act(wish),
    place: (answer) => this.place(answer),
    best: (answer) => this.best(answer),
  });
  keys = keysDialog(!this.keysOff, (on) => {
    this.keysOff = !on;
    if (on) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, '1');
  });
  who = judgeDialog(
    () => this.judge,
    (name) => void this.changeJudge(name),
  );
  outbox = openOutbox({
    stored: (answer) => this.showProgress(answer.progress),
    refused: (message) => this.view.say(`Not counted: ${message}.`),
    state: (state) => {
      this.view.showOutbox(state);
      this.showWaiting();
    },
  });

  connectedCallback() {
    document.querySelector('studio-bar .aside')?.replaceChildren(this.view.judge);
    this.replaceChildren(...this.view.parts, this.keys, this.who.dialog);
    void this.begin();
  }

  disconnectedCallback() {
    this.leave.abort();
    for (const timer of this.timers) clearInterval(timer);
    tell('rank/release', { session: this.session });
  }

  async begin() {
    this.session = await openSession();
    const about = await this.patiently(() => ask('rank/about'));
    this.judge = sessionStorage.getItem(JUDGE) ?? about.judge;
    this.view.showJudge(this.judge);
    this.view.showGuideline(about.guideline);
    const signal = this.leave.signal;
    document.addEventListener('keydown', (event) => this.onKey(event), { signal });
    // A tab that goes gives back what it holds; what it has judged is in the outbox.
    addEventListener('pagehide', () => tell('rank/release', { session: this.session }), { signal });
    addEventListener('pageshow', (event) => event.persisted && location.reload(), { signal });
    this.timers.push(setInterval(() => void this.renew(), RENEW_MS));
    this.timers.push(setInterval(() => this.task === null && void this.fill(), POLL_MS));
    await this.outbox.send();
    await this.fill();
  }

  /**
   * The answer of the server, however long it takes.
   * @param {() => Promise<any>} question
   */
  async patiently(question) {
    for (let delay = 500; ; delay = Math.min(8000, delay * 2)) {
      try {
        return await question();
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.view.say(error.message);
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }

  // ── what is shown ────────────────────────────────────────────────────────────

  /** @param {Task | null} task */
  show(task) {
    this.task = task;
    this.placed = [];
    this.view.show(task, this.past.length > 0);
    this.showRanks();
    this.showWaiting();
    this.shownAt = performance.now();
  }

  showRanks() {
    this.view.showRanks((this.task?.answers ?? []).map((a) => this.placed.indexOf(a.name)));
  }

  showWaiting() {
    if (this.task !== null) return;
    const { ended, more, note, progress } = this;
    this.view.wait(waitingWords({ trouble: this.view.inTrouble(), ended, more, note, progress }));
  }

  /** @param {any} progress */
  showProgress(progress) {
    this.progress = progress;
    this.view.stats.show(progress, this.more);
    document.title = `${progress.mine}/${progress.tasks} · Rank · garner studio`;
    this.showWaiting();
  }

  // ── tasks ────────────────────────────────────────────────────────────────────

  /** Takes the next task, and the one after it. */
  async fill() {
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.task === null || this.ahead === null) {
        const judge = this.judge;
        const answer = await ask('rank/next', { session: this.session, judge });
        if (judge !== this.judge) continue;
        this.ended = answer.task === null;
        this.take(answer);
        if (this.ended) break;
        if (this.task === null) this.show(answer.task);
        else if (this.task.id !== answer.task.id) this.ahead = answer.task;
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (this.task === null) this.view.wait(`Waiting for the server, to go on: ${error.message}.`);
    } finally {
      this.asking = false;
    }
  }

  /** @param {any} answer */
  take(answer) {
    this.more = answer.more;
    this.note = answer.note;
    this.showProgress(answer.progress);
  }

  async renew() {
    try {
      this.take(await ask('rank/renew', { session: this.session, judge: this.judge }));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }

  /** @param {string} name */
  async changeJudge(name) {
    if (name === this.judge) return;
    sessionStorage.setItem(JUDGE, name);
    this.judge = name;
    this.past = [];
    this.ahead = null;
    this.ended = false;
    this.view.showJudge(name);
    await this.outbox.send();
    this.show(null);
    await this.patiently(() => ask('rank/release', { session: this.session }));
    await this.fill();
  }

  // ── verdicts ─────────────────────────────────────────────────────────────────

  /** @param {number} i */
  place(i) {
    const answers = this.task?.answers;
    const name = answers?.[i]?.name;
    if (!answers || name === undefined) return;
    const at = this.placed.indexOf(name);
    // A rank that is given again is taken back, with those after it.
    if (at !== -1) this.placed = this.placed.slice(0, at);
    else this.placed.push(name);
    if (this.placed.length === answers.length - 1) {
      const last = answers.find((a) => !this.placed.includes(a.name));
      if (last) this.placed.push(last.name);
      this.decide(
        'ranked',
        this.placed.map((n) => [n]),
      );
      return;
    }
    this.showRanks();
    this.view.say(`Answer ${i + 1}: ${at === -1 ? `place ${this.placed.length}` : 'rank taken back'}.`);
  }

  /** @param {number} i */
  best(i) {
    const answers = this.task?.answers;
    const name = answers?.[i]?.name;
    if (answers && name !== undefined)
      this.decide('ranked', [[name], answers.map((a) => a.name).filter((n) => n !== name)]);
  }

  /** Answers without a rank share the last place. */
  finish() {
    const answers = this.task?.answers;
    if (!answers || this.placed.length === 0) return;
    const rest = answers.map((a) => a.name).filter((n) => !this.placed.includes(n));
    this.decide('ranked', [...this.placed.map((n) => [n]), rest]);
  }

  /**
   * @param {'ranked' | 'tie' | 'all_bad' | 'skip'} verdict
   * @param {string[][]} [order]
   */
  decide(verdict, order = []) {
    const task = this.task;
    if (!task) return;
    const names = task.answers.map((a) => a.name);
    const id = crypto.randomUUID();
    void this.outbox
      .put({
        ...this.line(id, task),
        verdict,
        order: verdict === 'tie' ? [names] : order,
        shown: names,
        comment: this.view.comment.value.trim() || null,
        ms: Math.round(performance.now() - this.shownAt),
      })
      .then(() => this.fill());
    this.past.push({ id, task });
    this.ended = false;
    this.view.say(judgedWords(verdict, order, names));
    const next = this.ahead;
    this.ahead = null;
    this.show(next);
  }

  undo() {
    const last = this.past.pop();
    if (!last) {
      this.view.say('There is nothing to undo in this tab.');
      return;
    }
    const { session, judge } = this;
    const id = crypto.randomUUID();
    const retract = { verdict: 'retract', retracts: last.id, order: [], shown: [], comment: null, ms: null };
    void this.outbox
      .put({ ...this.line(id, last.task), ...retract })
      // It is this tab's again, before anybody else is given it.
      .then(() => ask('rank/next', { session, judge, task: last.task.id }))
      .catch(() => {});
    // One task is held ahead, not two: the later one goes back.
    if (this.task && this.ahead) void ask('rank/release', { session, task: this.ahead.id }).catch(() => {});
    if (this.task) this.ahead = this.task;
    this.show(last.task);
    this.view.say('Taken back. Judge it anew.');
  }

  /**
   * @param {string} id
   * @param {Task} task
   */
  line(id, task) {
    return { id, session: this.session, judge: this.judge, task: task.id, retracts: null };
  }

  // ── keys and buttons ─────────────────────────────────────────────────────────

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (this.keys.open || this.who.dialog.open) return;
    if (event.target === this.view.comment) {
      if (event.key !== 'Escape' || event.isComposing) return;
      this.view.heading.focus();
      event.preventDefault();
      return;
    }
    const action = actionOf(event);
    if (!action || (this.keysOff && action.act !== 'keys')) return;
    if (action.act === 'place') this.place(action.answer);
    else if (action.act === 'best') this.best(action.answer);
    else this.act(action.act);
    event.preventDefault();
  }

  /** @param {import('./rank-view.js').Wish | 'back' | 'guideline'} wish */
  act(wish) {
    if (wish === 'tie' || wish === 'all_bad' || wish === 'skip') this.decide(wish);
    else if (wish === 'done') this.finish();
    else if (wish === 'undo') this.undo();
    else if (wish === 'guideline') this.view.toggleGuideline();
    else if (wish === 'keys') this.keys.showModal();
    else if (wish === 'judge') this.who.open();
    else if (wish === 'comment') {
      if (this.task) this.view.openComment();
    } else {
      this.placed.pop();
      this.showRanks();
    }
  }
}

customElements.define('rank-page', RankPage);
