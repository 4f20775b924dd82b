import { afterAll, beforeAll, expect, test } from 'vitest';
import { configOfDepth, type ModelConfig } from '../../../trainer/model/config.ts';
import { weightsOf } from '../../../trainer/model/weights.ts';
import { openBatch, type Token } from '../../../trainer/sample/batch.ts';
import { sampleMany, type ManyOptions } from '../../../trainer/sample/many.ts';
import { openBatchDecoder } from '../../../trainer/session/batch-decoder.ts';
import { openSession } from '../../../trainer/session.ts';
import { normals } from '../ops/harness.ts';

const LENGTH = 288;
const config: ModelConfig = configOfDepth(2, {
  vocabulary: 67,
  context: LENGTH,
  width: 32,
  heads: 4,
  keyValueHeads: 2,
  headSize: 10,
  tiedEmbeddings: false,
});
type Weights = Map<string, Float32Array>;

/** Far from their start: attention is sharp and places matter. */
const random: Weights = new Map(
  weightsOf(config).map(({ name, shape }, i) => [
    name,
    Float32Array.from(
      normals(
        shape.reduce((n, d) => n * d, 1),
        i + 1,
        shape.length > 1 ? 0.2 : 1,
      ),
    ),
  ]),
);

/** Learned on a text that repeats with a drift, so that some tokens are all but certain. */
function trained(): Weights {
  const session = openSession(config, { batch: 4, sequence: 64, threads: 1, engine: 'cpu', seed: 1 });
  for (let step = 0; step < 60; step++) {
    const at = (row: number, i: number) => ((step * 4 + row) * 7 + i * 3 + (i % 5)) % config.vocabulary;
    const row = (shift: number) => Int32Array.from({ length: 256 }, (_, k) => at(k >> 6, (k & 63) + shift));
    session.zeroGradients();
    session.forwardBackward(row(0), row(1));
    session.update({
      learningRate: 5e-3,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: 0.1,
      clip: 1,
      gradientScale: 1 / 256,
      step: step + 1,
    });
  }
  const weights = new Map(session.tensors.map((t) => [t.name, t.weight.slice()]));
  session.close();
  return weights;
}

const MODELS: Record<string, Weights> = { random };
beforeAll(() => void (MODELS['trained'] = trained()));

const prompts = Array.from({ length: 9 }, (_, i) =>
  Array.from({ length: [1, 5, 31, 32, 33, 17, 2, 8, 32][i]! }, (_, k) => (i * 11 + k * 5) % config.vocabulary),
);
const plain: ManyOptions = { tokens: 256, temperature: 1, topK: 0, topP: 1, seed: 5, stop: [] };
const open = (weights: Weights, slots: number, rows = 64, engine: 'cpu' | 'reference' = 'cpu') =>
  openBatchDecoder(config, (name) => weights.get(name)!, { slots, rows, length: LENGTH, threads: 2, engine });

const bytesOf = (numbers: readonly number[]) => [...new BigUint64Array(Float64Array.from(numbers).buffer)];

test.each(['random', 'trained'])(
  '%s model: the training program gives each sampled token the same probability',
  (name) => {
    const weights = MODELS[name]!;
    const decoder = open(weights, 8);
    const length = LENGTH;
    for (const batch of [1, 8]) {
      const these = prompts.slice(0, batch).map((p) => p.slice(0, 32));
      const sampled = sampleMany(decoder, these, plain);
      expect(sampled.map((s) => [s.ids.length, s.finish])).toEqual(these.map(() => [256, 'tokens']));
      const session = openSession(config, { batch, sequence: length, threads: 2, engine: 'cpu', seed: 1 });
      for (const t of session.tensors) t.weight.set(weights.get(t.name)!);
      const rows = sampled.map(({ ids }, i) => [...these[i]!, ...ids]);
      const tokens = Int32Array.from(
        { length: batch * length },
        (_, k) => rows[Math.floor(k / length)]![k % length] ?? 0,
      );
      /** −ln p of token `at` of an answer, from the whole forward pass. */
      const lossOf = (row: number, at: number) => {
        const targets = new Int32Array(batch * length).fill(-1);
        targets[row * length + these[row]!.length + at - 1] = sampled[row]!.ids[at]!;
        return session.evaluate(tokens, targets).lossSum;
      };
      let worst = 0;
      for (let at = 0; at < 256; at++) {
        const row = at % batch;
        worst = Math.max(worst, Math.abs(sampled[row]!.logprobs[at]! + lossOf(row, at)));
      }
      expect(worst, `batch ${batch}`).toBeLessThan(1e-5);
      session.close();
    }
    decoder.close();
  },
);

test('temperature is applied before the probability is taken, top-k and top-p are not', () => {
  const hot = new Map(random);
  hot.set(
    'lm_head.weight',
    random.get('lm_head.weight')!.map((w) => w / 0.7),
  );
  const options = { ...plain, tokens: 40, topK: 5, topP: 0.8 };
  const [ours] = sampleMany(open(random, 2), [prompts[1]!], { ...options, temperature: 0.7 });
  const decoder = open(hot, 2);
  const [scaled] = sampleMany(decoder, [prompts[1]!], options);
  expect(ours!.ids).toEqual(scaled!.ids);
  ours!.logprobs.forEach((p, i) => expect(Math.abs(p - scaled!.logprobs[i]!)).toBeLessThan(1e-5));
  // of the whole distribution: all tokens at one place add up to 1
  const tokens: Token[] = [];
  const batch = openBatch(decoder);
  batch.add(
    { ...options, prompt: prompts[1]!, sequence: 0, alternatives: config.vocabulary },
    { token: (t) => void tokens.push(t), end() {} },
  );
  while (batch.step());
  for (const { alternatives } of tokens)
    expect(alternatives.reduce((sum, a) => sum + Math.exp(a.logprob), 0)).toBeCloseTo(1, 5);
});

test('an answer is the same to the last bit whatever is sampled beside it, in any batch, on any number of threads', () => {
  const wanted = sampleMany(open(random, 1, 1), prompts, plain);
  for (const [slots, rows] of [
    [2, 2],
    [4, 7],
    [9, 64],
    [64, 64],
  ] as const) {
    const got = sampleMany(open(random, slots, rows), prompts, plain);
    expect(got.map((s) => s.ids)).toEqual(wanted.map((s) => s.ids));
    expect(got.map((s) => bytesOf(s.logprobs))).toEqual(wanted.map((s) => bytesOf(s.logprobs)));
  }
  // other company, another order, and only the sequence says which draws are meant
  const backwards = prompts.toReversed();
  const got = sampleMany(open(random, 5), backwards, { ...plain, sequence: (i) => prompts.length - 1 - i });
  expect(got.toReversed().map((s) => [s.ids, bytesOf(s.logprobs)])).toEqual(
    wanted.map((s) => [s.ids, bytesOf(s.logprobs)]),
  );
});

test('sequences end and others go on; a stop token is the last id; a full context ends', () => {
  const free = sampleMany(open(random, 4), prompts, plain);
  const stop = [free[0]!.ids[20]!, free[3]!.ids[3]!];
  const got = sampleMany(open(random, 4), prompts, { ...plain, stop, tokens: 300 });
  expect(got.some((s) => s.finish === 'stop')).toBe(true);
  got.forEach(({ ids, finish, logprobs }, i) => {
    const at = free[i]!.ids.findIndex((id) => stop.includes(id));
    expect(logprobs).toHaveLength(ids.length);
    if (at >= 0) {
      expect(ids).toEqual(free[i]!.ids.slice(0, at + 1));
      expect(finish).toBe('stop');
    } else {
      expect(ids.slice(0, 256)).toEqual(free[i]!.ids);
      expect(finish).toBe(prompts[i]!.length + 299 < LENGTH ? 'tokens' : 'context');
      // the token after the last place still comes
      expect(ids.length).toBe(Math.min(300, LENGTH - prompts[i]!.length + 1));
    }
  });
});

// the prompt goes through three steps, or all of it through one
test.each([16, 64])('many answers to one prompt read it once, and are those of alone (%d rows)', (rows) => {
  const prompt = prompts[4]!;
  const group = Array.from({ length: 10 }, () => prompt);
  const decoder = open(random, 10, rows);
  let fed = 0;
  const counting = {
    ...decoder,
    step: (f: Parameters<typeof decoder.step>[0], d: Parameters<typeof decoder.step>[1]) => {
      fed += f.length;
      return decoder.step(f, d);
    },
  };
  const got = sampleMany(counting, group, { ...plain, tokens: 20 });
  // the first reads 33, the others one each, and every answer feeds 19 of its 20 tokens
  expect(fed).toBe(33 + 9 + 10 * 19);
  const alone = open(random, 1);
  group.forEach((_, i) => {
    const [one] = sampleMany(alone, [prompt], { ...plain, tokens: 20, sequence: () => i });
    expect([got[i]!.ids, bytesOf(got[i]!.logprobs)]).toEqual([one!.ids, bytesOf(one!.logprobs)]);
  });
  expect(new Set(got.map((s) => s.ids.join())).size).toBe(10);
});

test('the reference engine agrees', () => {
  const options = { ...plain, tokens: 12 };
  const some = prompts.slice(0, 3);
  const cpu = sampleMany(open(random, 3), some, options);
  const reference = sampleMany(open(random, 3, 64, 'reference'), some, options);
  expect(reference.map((s) => s.ids)).toEqual(cpu.map((s) => s.ids));
  reference.forEach((s, i) =>
    s.logprobs.forEach((p, k) => expect(Math.abs(p - cpu[i]!.logprobs[k]!)).toBeLessThan(1e-5)),
  );
});

test('other weights can be loaded, tokens be forbidden, a sequence be stopped from its listener', () => {
  const options = { slots: 2, rows: 8, length: LENGTH, threads: 1, engine: 'cpu', never: [1, 2, 3, 66] } as const;
  const decoder = openBatchDecoder(config, (name) => random.get(name)!, options);
  for (const topK of [0, 20]) {
    const ids = sampleMany(decoder, prompts, { ...plain, topK, temperature: 3 }).flatMap((s) => s.ids);
    expect(ids.filter((id) => [1, 2, 3, 66].includes(id))).toEqual([]);
    expect(new Set(ids).size).toBeGreaterThan(50);
  }
  decoder.load((name) => MODELS['trained']!.get(name)!);
  const [loaded] = sampleMany(decoder, [prompts[2]!], { ...plain, temperature: 0, tokens: 9 });
  const [fresh] = sampleMany(
    openBatchDecoder(config, (name) => MODELS['trained']!.get(name)!, options),
    [prompts[2]!],
    { ...plain, temperature: 0, tokens: 9 },
  );
  expect(loaded).toEqual(fresh);
  const batch = openBatch(decoder);
  let seen = 0;
  const stop = batch.add(
    { ...plain, prompt: [5], sequence: 0 },
    { token: () => void (++seen === 3 && stop()), end() {} },
  );
  while (batch.step());
  expect(seen).toBe(3);
  expect(batch.free()).toBe(2);
});

test('what cannot be is refused', () => {
  const decoder = open(random, 2);
  expect(() => sampleMany(decoder, [[]], plain)).toThrow(/prompt of 0 tokens/);
  expect(() => sampleMany(decoder, [Array.from({ length: 300 }, () => 1)], plain)).toThrow(/holds 1 to 288/);
  expect(() => sampleMany(decoder, [[67]], plain)).toThrow(/vocabulary has 67/);
  expect(() => decoder.step([{ slot: 2, position: 0, token: 0 }], [])).toThrow(/slot 2/);
  expect(() => decoder.step([{ slot: 0, position: 288, token: 0 }], [])).toThrow(/position 288/);
  expect(() => open(random, 8, 7)).toThrow(/cannot be opened/);
  expect(sampleMany(decoder, [[1]], { ...plain, tokens: 0 })).toEqual([{ ids: [], logprobs: [], finish: 'tokens' }]);
});

afterAll(() => MODELS['trained']?.clear());
