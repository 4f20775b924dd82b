import { ask, Refused, tell } from './api.js';
import { AnswerCard } from './answer-card.js';
import { el, kbd } from './dom.js';
import { openOutbox } from './outbox.js';
import { judgeDialog, keysDialog } from './rank-dialogs.js';
import { RankStats } from './rank-stats.js';
import { safeText } from './safe-text.js';
import { openSession } from './session.js';

/**
 * @typedef {{ role: string, content: string }} Turn
 * @typedef {{ id: string, prompt: Turn[], answers: { name: string, text: string }[] }} Task
 * @typedef {{ id: string, task: Task }} Past
 */

const RENEW_MS = 45_000;
const POLL_MS = 1500;
const JUDGE = 'garner.rank.judge';
const KEYS_OFF = 'garner.rank.keys-off';
const ROLES = /** @type {Record<string, string>} */ ({
  user: 'Question',
  assistant: 'Answer so far',
  system: 'Instruction',
});

/** The page on which a person compares answers: everything by key, everything by mouse, nothing lost. */
class RankPage extends HTMLElement {
  /** @type {Task | null} */ task = null;
  /** @type {Task | null} */ ahead = null;
  /** Names of the answers that have a rank so far. @type {string[]} */ placed = [];
  /** @type {Past[]} */ past = [];
  session = '';
  judge = '';
  shownAt = 0;
  more = false;
  /** @type {string | null} */ note = null;
  /** @type {any} */ progress = null;
  asking = false;
  /** The server said that there is nothing for this tab now. */
  ended = false;
  /** @type {number[]} */ timers = [];
  leave = new AbortController();

  /** @type {AnswerCard[]} */ cards = [];

  constructor() {
    super();
    this.guidelineText = el('div', { class: 'text' });
    this.guideline = el(
      'details',
      { class: 'guideline', open: true },
      el('summary', {}, 'Guideline', kbd('G')),
      this.guidelineText,
    );
    this.heading = el('h1', { id: 'prompt-title', tabindex: -1, 'aria-describedby': 'prompt-text' }, 'Prompt');
    this.turns = el('div', { class: 'turns', id: 'prompt-text' });
    this.prompt = el('section', { class: 'prompt', 'aria-labelledby': 'prompt-title' }, this.heading, this.turns);
    this.answers = el('div', { class: 'answers' });
    this.comment = el('textarea', { id: 'comment', rows: 2, maxlength: 20_000 });
    this.commentBox = el(
      'div',
      { class: 'comment', hidden: true },
      el('label', { for: 'comment' }, 'Comment on this comparison'),
      this.comment,
    );
    this.doneButton = this.button('Enter', 'Done', () => this.finish(), 'choose');
    this.undoButton = this.button('U', 'Undo', () => this.undo());
    this.toolbar = el(
      'div',
      { class: 'verdicts', role: 'toolbar', 'aria-label': 'Verdict' },
      this.doneButton,
      this.button('T', 'Tie', () => this.decide('tie')),
      this.button('X', 'All bad', () => this.decide('all_bad')),
      this.button('S', 'Skip', () => this.decide('skip')),
      this.button('C', 'Comment', () => this.openComment()),
      this.undoButton,
      this.button('?', 'Keys', () => this.keys.showModal(), 'quiet help'),
    );
    this.waiting = el('p', { class: 'waiting', role: 'status' }, 'Looking for the first comparison …');
    this.status = el('p', { class: 'status', role: 'status', 'aria-live': 'polite' });
    this.trouble = el('p', { class: 'notice', role: 'alert', hidden: true });
    this.parked = el('p', { class: 'status', role: 'status', hidden: true });
    this.stats = new RankStats();
    this.keysOff = localStorage.getItem(KEYS_OFF) !== null;
    this.keys = keysDialog(!this.keysOff, (on) => {
      this.keysOff = !on;
      if (on) localStorage.removeItem(KEYS_OFF);
      else localStorage.setItem(KEYS_OFF, '1');
    });
    this.who = judgeDialog(
      () => this.judge,
      (name) => void this.changeJudge(name),
    );
    this.judgeButton = el('button', { type: 'button', class: 'quiet judge', onclick: () => this.who.open() });
    this.outbox = openOutbox({
      stored: (answer) => this.showProgress(answer.progress),
      refused: (message) => this.say(`Not counted: ${message}.`),
      state: ({ waiting, trouble, parked }) => this.showTrouble(waiting, trouble, parked),
    });
    this.work = el('div', { class: 'work', hidden: true }, this.prompt, this.answers, this.commentBox, this.toolbar);
  }

  connectedCallback() {
    document.querySelector('studio-bar .aside')?.replaceChildren(this.judgeButton);
    this.replaceChildren(
      this.trouble,
      this.guideline,
      this.waiting,
      this.work,
      this.status,
      this.parked,
      this.stats,
      this.keys,
      this.who.dialog,
    );
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
    this.judge = localStorage.getItem(JUDGE) ?? about.judge;
    this.showJudge();
    this.guideline.hidden = about.guideline === null;
    if (about.guideline !== null) this.guidelineText.replaceChildren(safeText(about.guideline));
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
        this.status.textContent = error.message;
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }

  // ── what is on the page ──────────────────────────────────────────────────────

  /**
   * @param {string} key
   * @param {string} text
   * @param {() => void} onclick
   * @param {string} [kind]
   */
  button(key, text, onclick, kind = 'quiet') {
    return el('button', { type: 'button', class: kind, onclick }, kbd(key), el('span', {}, text));
  }

  /** @param {Task | null} task */
  show(task) {
    this.task = task;
    this.placed = [];
    this.comment.value = '';
    this.commentBox.hidden = true;
    this.work.hidden = task === null;
    this.waiting.hidden = task !== null;
    this.undoButton.disabled = this.past.length === 0;
    if (task === null) {
      this.showWaiting();
      return;
    }
    this.turns.replaceChildren(
      ...task.prompt.map((turn) =>
        el(
          'div',
          { class: `turn ${turn.role === 'user' ? 'user' : 'other'}` },
          task.prompt.length > 1 && el('span', { class: 'role' }, ROLES[turn.role] ?? turn.role),
          el('div', { class: 'text' }, safeText(turn.content)),
        ),
      ),
    );
    this.cards = task.answers.map((answer, i) => {
      const card = new AnswerCard();
      card.fill({
        number: i + 1,
        of: task.answers.length,
        text: answer.text,
        onplace: () => this.place(i),
        onbest: () => this.best(i),
      });
      return card;
    });
    this.answers.dataset['count'] = String(task.answers.length);
    this.answers.replaceChildren(...this.cards);
    this.showRanks();
    this.shownAt = performance.now();
    this.heading.focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }

  showRanks() {
    this.cards.forEach((card, i) => card.rank(this.placed.indexOf(this.task?.answers[i]?.name ?? '')));
    this.doneButton.hidden = this.task?.answers.length === 2;
    this.doneButton.disabled = this.placed.length === 0;
  }

  showWaiting() {
    const p = this.progress;
    const words = !this.trouble.hidden
      ? 'Waiting for the server, to go on.'
      : !this.ended || p === null
        ? 'Looking for the next comparison …'
        : this.more
          ? 'The next answers are being written …'
          : p.tasks === 0
            ? 'There is nothing to compare.'
            : p.mine === p.tasks
              ? 'You have seen every comparison. Thank you.'
              : 'Nothing is left for you now: the rest is judged, or open in another tab. What a closed tab held is free again within three minutes.';
    this.waiting.textContent = this.note ? `${words} (${this.note})` : words;
  }

  /** @param {any} progress */
  showProgress(progress) {
    this.progress = progress;
    this.stats.show(progress, this.more);
    document.title = `${progress.mine}/${progress.tasks} · Rank · garner studio`;
    if (this.task === null) this.showWaiting();
  }

  /**
   * @param {number} waiting
   * @param {string | null} trouble
   * @param {number} parked
   */
  showTrouble(waiting, trouble, parked) {
    this.parked.hidden = parked === 0;
    this.parked.textContent = `This browser keeps ${parked === 1 ? 'a judgement' : `${parked} judgements`} about other comparisons, to be sent when a page with those is open again.`;
    this.trouble.hidden = trouble === null;
    if (this.task === null) this.showWaiting();
    if (trouble === null) return;
    const many = waiting === 1 ? '1 judgement waits' : `${waiting} judgements wait`;
    this.trouble.textContent = `Not stored yet: ${trouble}. ${many} in this browser and will be sent again by itself.`;
  }

  showJudge() {
    this.judgeButton.replaceChildren(
      el('span', {}, el('span', { class: 'label' }, 'Judge '), el('bdi', {}, this.judge)),
    );
  }

  /** @param {string} text */
  say(text) {
    this.status.textContent = text;
  }

  // ── tasks ────────────────────────────────────────────────────────────────────

  /** Takes the next task, and the one after it, so that the judge never waits for the server. */
  async fill() {
    if (this.asking || (this.task !== null && this.ahead !== null)) return;
    this.asking = true;
    try {
      while (this.task === null || this.ahead === null) {
        const judge = this.judge;
        const answer = await ask('rank/next', { session: this.session, judge });
        if (judge !== this.judge) continue;
        this.take(answer);
        this.ended = answer.task === null;
        if (this.ended) {
          if (this.task === null) this.showWaiting();
          break;
        }
        if (this.task === null) this.show(answer.task);
        else if (this.task.id !== answer.task.id) this.ahead = answer.task;
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (this.task === null) this.waiting.textContent = `Waiting for the server, to go on: ${error.message}.`;
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
    localStorage.setItem(JUDGE, name);
    this.judge = name;
    this.past = [];
    this.ahead = null;
    this.showJudge();
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
    this.say(
      this.placed.length === 0
        ? 'No ranks.'
        : `Answer ${i + 1}: ${at === -1 ? `place ${this.placed.length}` : 'rank taken back'}.`,
    );
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
        comment: this.comment.value.trim() || null,
        ms: Math.round(performance.now() - this.shownAt),
      })
      .then(() => this.fill());
    this.past.push({ id, task });
    this.ended = false;
    this.say(words(verdict, order, names));
    this.show(this.ahead);
    this.ahead = null;
  }

  undo() {
    const last = this.past.pop();
    if (!last) {
      this.say('There is nothing to undo in this tab.');
      return;
    }
    const id = crypto.randomUUID();
    void this.outbox
      .put({
        ...this.line(id, last.task),
        verdict: 'retract',
        retracts: last.id,
        order: [],
        shown: [],
        comment: null,
        ms: null,
      })
      // It is this tab's again, before anybody else is given it.
      .then(() => ask('rank/next', { session: this.session, judge: this.judge, task: last.task.id }))
      .catch(() => {});
    // One task is held ahead, not two: the later one goes back.
    if (this.task && this.ahead)
      void ask('rank/release', { session: this.session, task: this.ahead.id }).catch(() => {});
    if (this.task) this.ahead = this.task;
    this.show(last.task);
    this.say('Taken back. Judge it anew.');
  }

  /**
   * @param {string} id
   * @param {Task} task
   */
  line(id, task) {
    return { id, session: this.session, judge: this.judge, task: task.id, retracts: null };
  }

  openComment() {
    this.commentBox.hidden = false;
    this.comment.focus();
  }

  // ── keys ─────────────────────────────────────────────────────────────────────

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.isComposing || this.keys.open || this.who.dialog.open) return;
    if (target === this.comment) {
      if (event.key === 'Escape') {
        this.heading.focus();
        event.preventDefault();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    // Enter on a button, link or summary is that button's.
    if (event.key === 'Enter' && target.closest('button, a, summary')) return;
    if (this.keysOff && event.key !== '?') return;
    const digit =
      /^(?:Digit|Numpad)([1-4])$/.exec(event.code)?.[1] ?? (/^[1-4]$/.test(event.key) ? event.key : undefined);
    if (digit !== undefined) {
      if (event.shiftKey) this.best(Number(digit) - 1);
      else this.place(Number(digit) - 1);
    } else if (!this.onLetter(event.key)) return;
    event.preventDefault();
  }

  /** @param {string} key */
  onLetter(key) {
    switch (key.toLowerCase()) {
      case 'enter':
        this.finish();
        return true;
      case 'backspace':
        this.placed.pop();
        this.showRanks();
        return true;
      case 't':
        this.decide('tie');
        return true;
      case 'x':
        this.decide('all_bad');
        return true;
      case 's':
        this.decide('skip');
        return true;
      case 'c':
        if (this.task) this.openComment();
        return true;
      case 'u':
        this.undo();
        return true;
      case 'g':
        this.guideline.open = !this.guideline.open;
        return true;
      case '?':
        this.keys.showModal();
        return true;
      default:
        return false;
    }
  }
}

/**
 * What was judged, for the line that is read aloud.
 * @param {string} verdict
 * @param {string[][]} order
 * @param {string[]} names
 */
function words(verdict, order, names) {
  const number = (/** @type {string} */ name) => names.indexOf(name) + 1;
  const said =
    verdict === 'ranked'
      ? order.map((group) => group.map(number).join(' = ')).join(', then ')
      : { tie: 'a tie', all_bad: 'all bad', skip: 'skipped' }[verdict];
  return `Judged: ${said}. U takes it back.`;
}

customElements.define('rank-page', RankPage);
