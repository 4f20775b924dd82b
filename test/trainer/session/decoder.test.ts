import { expect, test } from 'vitest';
import { configOfDepth, type ModelConfig } from '../../../trainer/model/config.ts';
import { weightsOf } from '../../../trainer/model/weights.ts';
import { openDecoder, openSession } from '../../../trainer/session.ts';
import { distance, normals } from '../ops/harness.ts';

const config: ModelConfig = configOfDepth(2, {
  vocabulary: 37,
  context: 80,
  width: 48,
  heads: 6,
  keyValueHeads: 2,
  headSize: 10,
  tiedEmbeddings: false,
});

/** Weights far from their start, so that attention is sharp and places matter. */
const weights = new Map(
  weightsOf(config).map(({ name, shape }, i) => [
    name,
    Float32Array.from(
      normals(
        shape.reduce((n, d) => n * d, 1),
        i + 1,
        shape.length > 1 ? 0.3 : 1,
      ),
    ),
  ]),
);
const tokens = Array.from({ length: 75 }, (_, i) => (i * i + 3 * i) % config.vocabulary);
const open = (engine: 'cpu' | 'reference', length = 75) =>
  openDecoder(config, (name) => weights.get(name)!, { length, threads: 2, engine });

/** −ln p of every token but the first, from the decoder's logits. */
function lossesOf(engine: 'cpu' | 'reference', first: number): { losses: number[]; last: Float32Array } {
  const decoder = open(engine);
  const losses: number[] = [];
  let logits = decoder.feed(tokens.slice(0, first));
  for (let i = first; i < tokens.length; i++) {
    const most = Math.max(...logits);
    const total = logits.reduce((sum, z) => sum + Math.exp(z - most), 0);
    losses.push(most + Math.log(total) - logits[tokens[i]!]!);
    logits = decoder.feed([tokens[i]!]);
  }
  return { losses, last: Float32Array.from(logits) };
}

test.each(['cpu', 'reference'] as const)(
  '%s: token by token it predicts what the whole forward pass predicts',
  (engine) => {
    const session = openSession(config, { batch: 1, sequence: 74, threads: 2, engine, seed: 1 });
    for (const { name, weight } of session.tensors) weight.set(weights.get(name)!);
    const { losses } = lossesOf(engine, 1);
    for (const place of [0, 1, 30, 31, 32, 63, 64, 73]) {
      const targets = Int32Array.from({ length: 74 }, (_, i) => (i === place ? tokens[i + 1]! : -1));
      const { lossSum } = session.evaluate(Int32Array.from(tokens.slice(0, 74)), targets);
      expect(Math.abs(losses[place]! / lossSum - 1), `token ${place}`).toBeLessThan(1e-5);
    }
    session.close();
  },
);

test('a prompt in chunks ends in the logits of the same tokens one by one', () => {
  const { last } = lossesOf('cpu', 1);
  for (const first of [2, 32, 33, 34, 65, 75]) {
    const whole = lossesOf('cpu', first);
    expect(distance(whole.last, last), `${first} at once`).toBeLessThan(1e-5);
  }
  expect(distance(lossesOf('reference', 40).last, last)).toBeLessThan(1e-5);
});

test('after a reset it knows nothing of what was before', () => {
  const decoder = open('cpu', 10);
  const fresh = Float32Array.from(decoder.feed([5, 6]));
  decoder.feed([1, 2, 3]);
  decoder.reset();
  expect(decoder.feed([5, 6])).toEqual(fresh);
});

test('what it cannot hold or does not know is refused', () => {
  const decoder = open('cpu', 4);
  expect(() => decoder.feed([37])).toThrow(/vocabulary has 37/);
  expect(() => decoder.feed([0.5])).toThrow(/vocabulary has 37/);
  expect(() => decoder.feed([])).toThrow(/no tokens/);
  expect(() => decoder.feed([1, 2, 3, 4, 5])).toThrow(/holds 4/);
  decoder.feed([1, 2, 3, 4]);
  expect(() => decoder.feed([1])).toThrow(/holds 4/);
  expect(() => openDecoder(config, () => new Float32Array(3), { length: 4, threads: 1, engine: 'cpu' })).toThrow(
    /asks for/,
  );
});
