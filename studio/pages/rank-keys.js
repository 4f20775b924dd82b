/** @typedef {{ act: 'place' | 'best', answer: number } | { act: 'done' | 'back' | 'tie' | 'all_bad' | 'skip' | 'comment' | 'undo' | 'guideline' | 'keys' }} Action */

const LETTERS = /** @type {const} */ ({
  enter: 'done',
  backspace: 'back',
  t: 'tie',
  x: 'all_bad',
  s: 'skip',
  c: 'comment',
  u: 'undo',
  g: 'guideline',
  '?': 'keys',
});

/**
 * What a key means on the ranking page, or null. Digits count by their place on the keyboard too, since Shift and a digit
 * give another character on each layout.
 * @param {KeyboardEvent} event
 * @returns {Action | null}
 */
export function actionOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return null;
  const target = event.target instanceof Element ? event.target : document.body;
  // Enter on a button, a link or a summary is that one's.
  if (event.key === 'Enter' && target.closest('button, a, summary')) return null;
  const digit = /^(?:Digit|Numpad)([1-4])$/.exec(event.code)?.[1] ?? /^[1-4]$/.exec(event.key)?.[0];
  if (digit !== undefined) return { act: event.shiftKey ? 'best' : 'place', answer: Number(digit) - 1 };
  const act = /** @type {Record<string, (typeof LETTERS)[keyof typeof LETTERS]>} */ (LETTERS)[event.key.toLowerCase()];
  return act === undefined ? null : { act };
}
