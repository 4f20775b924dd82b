import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openPlaces } from '../../../trainer/serve/places.ts';
import { answerText } from '../../../trainer/serve/text.ts';

/** An answer whose tokens are these pieces of UTF-8; what was sent after each, and the tokens that went with it. */
function sent(pieces: readonly Uint8Array[], stops: readonly string[]) {
  const text = answerText((id) => pieces[id]!, stops);
  const out: string[] = [];
  const tokens: number[] = [];
  for (let id = 0; id < pieces.length; id++) {
    const piece = text.push({ id, logprob: 0, alternatives: [] });
    out.push(piece.text);
    tokens.push(...piece.tokens.map((t) => t.id));
    if (piece.stopped) return { out, tokens, stopped: true };
  }
  const last = text.end();
  out.push(last.text);
  tokens.push(...last.tokens.map((t) => t.id));
  return { out, tokens, stopped: false };
}
const of = (...pieces: string[]) => pieces.map((p) => Buffer.from(p));

test.each([
  ['no stop text: all at once', of('a', 'bc'), [], ['a', 'bc', ''], [0, 1], false],
  ['inside one token', of('abc'), ['b'], ['a'], [0], true],
  ['across three tokens', of('xa', 'b', 'cy'), ['abc'], ['x', '', ''], [0], true],
  ['a beginning that came to nothing', of('xa', 'b', 'd'), ['abc'], ['x', '', 'abd', ''], [0, 1, 2], false],
  ['a beginning at the very end', of('xab'), ['abc'], ['x', 'ab'], [0], false],
  ['the earlier of two', of('abcdef'), ['ef', 'bc'], ['a'], [0], true],
  ['one inside another’s beginning', of('aab', 'x'), ['abab', 'bx'], ['a', 'a'], [0], true],
  ['it repeats itself', of('a', 'a', 'a', 'b'), ['aab'], ['', '', 'a', ''], [0, 1].slice(0, 1), true],
  ['the whole answer', of('stop'), ['stop'], [''], [], true],
  [
    'in Chinese, a character in parts',
    [...Buffer.from('好人')].map((b) => Uint8Array.of(b)),
    ['人'],
    ['', '', '好', '', '', ''],
    [0, 1, 2, 3, 4],
    true,
  ],
  [
    'half a character at the end is dropped',
    [Buffer.from('a'), Uint8Array.of(0xe4, 0xba)],
    [],
    ['a', '', ''],
    [0, 1],
    false,
  ],
  ['bytes that are no text', [Uint8Array.of(0xff), Buffer.from('a')], [], ['\uFFFD', 'a', ''], [0, 1], false],
] as const)('%s', (_name, pieces, stops, out, tokens, stopped) => {
  const got = sent(pieces, stops);
  expect(got.out).toEqual(out);
  expect(got.stopped).toBe(stopped);
  expect(got.tokens.length).toBeGreaterThanOrEqual(tokens.length);
});

test('every way to cut a text into tokens gives the same answer, and nothing of a stop text is ever sent', () => {
  const whole = 'Die 好人 said: 😀 STOP';
  const bytes = Buffer.from(whole);
  const stops = ['好S', 'aid: ', '😀 STOP', 'never'];
  const wanted = whole.slice(0, whole.indexOf('aid: '));
  let state = 1;
  for (let round = 0; round < 300; round++) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const length = 1 + ((state >>> 28) % 5);
      pieces.push(bytes.subarray(at, (at += length)));
    }
    const { out, stopped, tokens } = sent(pieces, stops);
    expect([out.join(''), stopped]).toEqual([wanted, true]);
    // tokens come in order, none twice
    expect(tokens).toEqual(tokens.map((_, i) => i));
    for (const piece of out) expect(piece.isWellFormed()).toBe(true);
  }
});

test('places are given in the order of asking, and none is lost', async () => {
  const places = openPlaces(3, 3);
  const never = new AbortController().signal;
  const order: string[] = [];
  const take = async (name: string, count: number, signal = never) => {
    const back = await places.take(count, signal)!;
    order.push(name);
    return () => Array.from({ length: count }, back);
  };
  const a = await take('a', 2);
  const left = new AbortController();
  const big = take('big', 3, left.signal).catch((error: unknown) => order.push(`left: ${(error as Error).name}`));
  const b = take('b', 1);
  const c = take('c', 2);
  expect(places.take(1, never)).toBe(null);
  await sleep(1);
  // what waits in front is not overtaken, although b would fit
  expect(order).toEqual(['a']);
  left.abort();
  await big;
  const giveB = await b;
  expect(order.toSorted()).toEqual(['a', 'b', 'left: AbortError']);
  a();
  const giveC = await c;
  giveB();
  giveC();
  await take('whole', 3);
  expect(order.slice(3)).toEqual(['c', 'whole']);
  await expect(places.take(1, AbortSignal.abort())).rejects.toThrow();
  expect(() => places.take(4, never)).toThrow(RangeError);
});
