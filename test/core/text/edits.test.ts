import { expect, test } from 'vitest';
import { applyEdits } from '../../../core/text/edits.ts';

test('edits in any order give the edited text', () => {
  const edits = [
    { start: 6, end: 11, replacement: '<B>' },
    { start: 0, end: 5, replacement: '' },
    { start: 11, end: 11, replacement: '!' },
  ];
  expect(applyEdits('hello world', edits)).toBe(' <B>!');
  expect(applyEdits('hello', [])).toBe('hello');
});

test.each([
  {
    why: 'overlap',
    edits: [
      [0, 3],
      [2, 4],
    ],
  },
  { why: 'past the end', edits: [[3, 9]] },
  { why: 'end before start', edits: [[3, 2]] },
])('$why is a bug of the caller', ({ edits }) => {
  const made = edits.map(([start, end]) => ({ start: start!, end: end!, replacement: '' }));
  expect(() => applyEdits('hello', made)).toThrow('applyEdits');
});
