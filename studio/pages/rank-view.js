import { AnswerCard } from './answer-card.js';
import { el, kbd } from './dom.js';
import { RankStats } from './rank-stats.js';
import { safeText } from './safe-text.js';

/**
 * @typedef {{ role: string, content: string }} Turn
 * @typedef {{ id: string, prompt: Turn[], answers: { name: string, text: string }[] }} Task
 */

/** What a judge can ask for by a button. @typedef {'done' | 'tie' | 'all_bad' | 'skip' | 'comment' | 'undo' | 'keys' | 'judge'} Wish */

const ROLES = new Map([
  ['user', 'Question'],
  ['assistant', 'Answer so far'],
  ['system', 'Instruction'],
]);

/**
 * The elements of the ranking page, and how they show what the page knows. It decides nothing.
 * @param {{ wish: (wish: Wish) => void, place: (answer: number) => void, best: (answer: number) => void }} on
 */
export function rankView(on) {
  /** @param {string} key @param {string} text @param {Wish} wish */
  const button = (key, text, wish, kind = 'quiet') =>
    el('button', { type: 'button', class: kind, onclick: () => on.wish(wish) }, kbd(key), el('span', {}, text));

  const guidelineText = el('div', { class: 'text' });
  const guideline = el(
    'details',
    { class: 'guideline', open: true },
    el('summary', {}, 'Guideline', kbd('G')),
    guidelineText,
  );
  const heading = el('h1', { id: 'prompt-title', tabindex: -1, 'aria-describedby': 'prompt-text' }, 'Prompt');
  const turns = el('div', { class: 'turns', id: 'prompt-text' });
  const answers = el('div', { class: 'answers' });
  const comment = el('textarea', { id: 'comment', rows: 2, maxlength: 20_000 });
  const commentBox = el(
    'div',
    { class: 'comment', hidden: true },
    el('label', { for: 'comment' }, 'Comment on this comparison'),
    comment,
  );
  const doneButton = button('Enter', 'Done', 'done', 'choose');
  const undoButton = button('U', 'Undo', 'undo');
  const toolbar = el(
    'div',
    { class: 'verdicts', role: 'toolbar', 'aria-label': 'Verdict' },
    doneButton,
    button('T', 'Tie', 'tie'),
    button('X', 'All bad', 'all_bad'),
    button('S', 'Skip', 'skip'),
    button('C', 'Comment', 'comment'),
    undoButton,
    button('?', 'Keys', 'keys', 'quiet help'),
  );
  const prompt = el('section', { class: 'prompt', 'aria-labelledby': 'prompt-title' }, heading, turns);
  const work = el('div', { class: 'work', hidden: true }, prompt, answers, commentBox, toolbar);
  const waiting = el('p', { class: 'waiting', role: 'status' }, 'Looking for the first comparison …');
  const status = el('p', { class: 'status', role: 'status', 'aria-live': 'polite' });
  const trouble = el('p', { class: 'notice', role: 'alert', hidden: true });
  const parked = el('p', { class: 'status', role: 'status', hidden: true });
  const stats = new RankStats();
  const judge = el('button', { type: 'button', class: 'quiet judge', onclick: () => on.wish('judge') });
  /** @type {AnswerCard[]} */
  let cards = [];

  return {
    parts: [trouble, guideline, waiting, work, status, parked, stats],
    /** For the bar on top. */
    judge,
    comment,
    heading,
    stats,
    inTrouble: () => !trouble.hidden,
    toggleGuideline: () => void (guideline.open = !guideline.open),

    /** @param {string | null} text */
    showGuideline(text) {
      guideline.hidden = text === null;
      if (text !== null) guidelineText.replaceChildren(safeText(text));
    },

    /**
     * @param {Task | null} task
     * @param {boolean} canUndo
     */
    show(task, canUndo) {
      comment.value = '';
      commentBox.hidden = true;
      work.hidden = task === null;
      waiting.hidden = task !== null;
      undoButton.disabled = !canUndo;
      if (task === null) return;
      turns.replaceChildren(...task.prompt.map((turn) => turnOf(turn, task.prompt.length > 1)));
      cards = task.answers.map((answer, i) => {
        const card = new AnswerCard();
        card.fill({
          number: i + 1,
          of: task.answers.length,
          text: answer.text,
          onplace: () => on.place(i),
          onbest: () => on.best(i),
        });
        return card;
      });
      answers.dataset['count'] = String(task.answers.length);
      answers.replaceChildren(...cards);
      heading.focus({ preventScroll: true });
      scrollTo({ top: 0 });
    },

    /** @param {number[]} places of each answer, counted from 0; −1 for none */
    showRanks(places) {
      cards.forEach((card, i) => card.rank(places[i] ?? -1));
      doneButton.hidden = places.length === 2;
      doneButton.disabled = places.every((p) => p === -1);
    },

    openComment() {
      commentBox.hidden = false;
      comment.focus();
    },

    /** @param {string} text */
    say: (text) => void (status.textContent = text),
    /** @param {string} text */
    wait: (text) => void (waiting.textContent = text),

    /** @param {string} name */
    showJudge: (name) =>
      judge.replaceChildren(el('span', {}, el('span', { class: 'label' }, 'Judge '), el('bdi', {}, name))),

    /** @param {{ waiting: number, trouble: string | null, parked: number }} outbox */
    showOutbox(outbox) {
      parked.hidden = outbox.parked === 0;
      const kept = outbox.parked === 1 ? 'a judgement' : `${outbox.parked} judgements`;
      parked.textContent = `This browser keeps ${kept} about other comparisons, to be sent when a page with those is open again.`;
      trouble.hidden = outbox.trouble === null;
      if (outbox.trouble === null) return;
      const many = outbox.waiting === 1 ? '1 judgement waits' : `${outbox.waiting} judgements wait`;
      trouble.textContent = `Not stored yet: ${outbox.trouble}. ${many} in this browser and will be sent again by itself.`;
    },
  };
}

/**
 * @param {Turn} turn
 * @param {boolean} named one of several
 */
const turnOf = (turn, named) =>
  el(
    'div',
    { class: `turn ${turn.role === 'user' ? 'user' : 'other'}` },
    named && el('span', { class: 'role' }, ROLES.get(turn.role) ?? safeText(turn.role)),
    el('div', { class: 'text' }, safeText(turn.content)),
  );
