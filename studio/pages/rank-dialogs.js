import { el, kbd } from './dom.js';

const KEYS = [
  [['1', '2', '3', '4'], 'this answer comes next in rank; the last one follows by itself'],
  [['⇧1', '…', '⇧4'], 'this answer is the best, the others are not ranked'],
  [['Enter'], 'done: answers without a rank share the last place'],
  [['Backspace'], 'take the last rank back'],
  [['T'], 'tie: all are equally good'],
  [['X'], 'all are bad'],
  [['S'], 'skip: not for me'],
  [['C'], 'write a comment; Esc leaves it'],
  [['U'], 'undo the last judgement'],
  [['G'], 'show or hide the guideline'],
  [['?'], 'this list'],
];

/**
 * The list of keys, and the switch for those who speak to their computer or press keys by accident.
 * @param {boolean} on
 * @param {(on: boolean) => void} onswitch
 */
export function keysDialog(on, onswitch) {
  const close = el('button', { type: 'button', class: 'choose', onclick: () => dialog.close() }, 'Close');
  const box = el('input', { type: 'checkbox', id: 'single-keys', checked: on });
  box.addEventListener('change', () => onswitch(box.checked));
  const dialog = el(
    'dialog',
    { 'aria-labelledby': 'keys-title' },
    el('h2', { id: 'keys-title' }, 'Keys'),
    el(
      'dl',
      { class: 'keys' },
      ...KEYS.map(([keys, meaning]) =>
        el(
          'div',
          {},
          el('dt', {}, .../** @type {string[]} */ (keys).map((k) => el('kbd', {}, k))),
          el('dd', {}, String(meaning)),
        ),
      ),
    ),
    el('label', { class: 'switch', for: 'single-keys' }, box, ' Single keys are on'),
    el('div', { class: 'buttons' }, close),
  );
  return dialog;
}

/**
 * Asks who judges.
 * @param {() => string} current
 * @param {(name: string) => void} onname
 */
export function judgeDialog(current, onname) {
  const field = el('input', {
    type: 'text',
    id: 'judge-name',
    maxlength: 100,
    autocomplete: 'off',
    spellcheck: 'false',
  });
  const done = () => {
    const name = field.value.trim();
    if (name !== '') onname(name);
    dialog.close();
  };
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    done();
  });
  const dialog = el(
    'dialog',
    { 'aria-labelledby': 'judge-title' },
    el('h2', { id: 'judge-title' }, 'Who judges in this tab?'),
    el('label', { for: 'judge-name' }, 'Name'),
    field,
    el('p', { class: 'hint' }, 'Each judge sees a prompt once. Judgements are stored under this name.'),
    el(
      'div',
      { class: 'buttons' },
      el(
        'button',
        { type: 'button', class: 'quiet', onclick: () => dialog.close() },
        kbd('Esc'),
        el('span', {}, 'Cancel'),
      ),
      el('button', { type: 'button', class: 'choose', onclick: done }, kbd('Enter'), el('span', {}, 'Judge')),
    ),
  );
  return {
    dialog,
    open() {
      field.value = current();
      dialog.showModal();
      field.select();
    },
  };
}
