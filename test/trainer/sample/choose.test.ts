import { expect, test } from 'vitest';
import { choose, uniform } from '../../../trainer/sample/choose.ts';
import { generate, textStream } from '../../../trainer/sample/generate.ts';
import type { Decoder } from '../../../trainer/session.ts';

const all = { temperature: 1, topK: 0, topP: 1 };
const logits = Float32Array.from([Math.log(0.1), Math.log(0.4), Math.log(0.2), Math.log(0.3)]);

/** Shares of each token over an even grid of draws. */
const shares = (choice: typeof all, of = logits) => {
  const counts = new Float64Array(of.length);
  for (let i = 0; i < 1000; i++) counts[choose(of, choice, (i + 0.5) / 1000)]! += 1 / 1000;
  return [...counts].map((c) => Math.round(c * 100) / 100);
};

test.each([
  ['plain', all, [0.1, 0.4, 0.2, 0.3]],
  ['top-k keeps the likeliest', { ...all, topK: 2 }, [0, 0.57, 0, 0.43]],
  ['top-k above the vocabulary changes nothing', { ...all, topK: 9 }, [0.1, 0.4, 0.2, 0.3]],
  ['top-p keeps the token that crosses it', { ...all, topP: 0.5 }, [0, 0.57, 0, 0.43]],
  ['top-p exactly reached', { ...all, topP: 0.4 - 1e-7 }, [0, 1, 0, 0]],
  ['top-k first, then top-p of what is left', { ...all, topK: 3, topP: 0.7 }, [0, 0.57, 0, 0.43]],
  ['half the temperature squares the odds', { ...all, temperature: 0.5 }, [0.03, 0.53, 0.13, 0.3]],
  ['temperature 0 is the likeliest', { ...all, temperature: 0 }, [0, 1, 0, 0]],
] as const)('%s', (_name, choice, expected) => {
  expect(shares(choice)).toEqual(expected);
});

test('equal logits: at temperature 0 the lowest id; at the border of top-k all stay', () => {
  const equal = Float32Array.of(1, 2, 2, 2, 0);
  expect(choose(equal, { ...all, temperature: 0 }, 0.99)).toBe(1);
  expect(shares({ ...all, topK: 2 }, equal)).toEqual([0, 0.33, 0.33, 0.33, 0].map((x) => expect.closeTo(x, 1)));
});

test('minus infinity is never drawn, and huge logits do not overflow', () => {
  expect(shares(all, Float32Array.of(-Infinity, 1000, -Infinity, 1000))).toEqual([0, 0.5, 0, 0.5]);
});

test('draws depend on seed, sequence and position alone, and are even', () => {
  const cells = new Float64Array(10);
  for (let i = 0; i < 10_000; i++) cells[Math.floor(uniform(3, i % 10, i) * 10)]!++;
  const chi2 = cells.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  expect(chi2).toBeLessThan(30);
  const draws = [uniform(1, 0, 0), uniform(2, 0, 0), uniform(1, 1, 0), uniform(1, 0, 1), uniform(2 ** 33, 0, 0)];
  expect(new Set(draws).size).toBe(5);
  expect(uniform(1, 0, 0)).toBe(draws[0]);
});

/** A decoder that always wants the id after the last one. */
const counting = (vocabulary: number, length: number): Decoder => {
  let held = 7;
  return {
    length,
    reset: () => void (held = 0),
    close() {},
    feed(tokens) {
      held += tokens.length;
      if (held > length) throw new RangeError('the decoder is full');
      return Float32Array.from({ length: vocabulary }, (_, i) => (i === tokens.at(-1)! + 1 ? 10 : 0));
    },
  };
};

const run = (room: number, over: object) => {
  const ids: number[] = [];
  const options = { temperature: 0, topK: 0, topP: 1, tokens: 5, seed: 1, sequence: 0, stop: [] as number[], ...over };
  const steps = generate(counting(20, room), [3], options);
  for (let next = steps.next(); ; next = steps.next()) {
    if (next.done) return [ids, next.value];
    ids.push(next.value);
  }
};

test('a text ends at a stop token, at its length, or where the context is full', () => {
  expect(run(100, {})).toEqual([[4, 5, 6, 7, 8], 'tokens']);
  expect(run(100, { stop: [6] })).toEqual([[4, 5], 'stop']);
  expect(run(3, {})).toEqual([[4, 5, 6], 'context']);
  expect(run(100, { never: [4] })).toEqual([[0, 1, 2, 3, 0].slice(0, 5), 'tokens']);
});

test('text never holds half a character', () => {
  const bytes = new TextEncoder().encode('a人😀b');
  const stream = textStream();
  expect([...bytes].map((b) => stream(Uint8Array.of(b)))).toEqual(['a', '', '', '人', '', '', '', '😀', 'b']);
  const broken = textStream();
  expect(broken(Uint8Array.of(0xe4, 0xba)) + broken(Uint8Array.of(0x41))).toBe('\uFFFDA');
});
