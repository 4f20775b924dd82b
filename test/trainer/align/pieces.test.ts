import { expect, test } from 'vitest';
import { answerPiece, answersTo, prefixPiece, scorePiece, type Answer } from '../../../trainer/align/answers.ts';
import { reportHeldOut, type HeldOutPair } from '../../../trainer/align/held-out.ts';
import { ngramMargins } from '../../../trainer/align/ngrams.ts';
import { dealPrompts } from '../../../trainer/align/pairs.ts';
import { layPieces, placesOf, sumsOf, sumsOfMany, type Piece } from '../../../trainer/align/pieces.ts';
import { itemStream } from '../../../trainer/align/stream.ts';
import type { ChatTemplate } from '../../../trainer/chat/template.ts';
import { fromHuggingFace, toHuggingFace } from '../../../trainer/checkpoint/config.ts';
import { alone } from '../../../trainer/collectives/alone.ts';
import { configOfDepth, scoring } from '../../../trainer/model/config.ts';
import { openLearner } from '../../../trainer/parallel/open.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import { openDecoder } from '../../../trainer/session.ts';

const V = 31;
const config = configOfDepth(1, { vocabulary: V, context: 16, width: 16, heads: 2, keyValueHeads: 2, headSize: 8 });
const shape = { rows: 2, sequence: 16, data: 1, padding: 0 };
const learner = () =>
  openLearner(
    config,
    { batch: 2, sequence: 16, threads: 1, engine: 'reference', seed: 3, documents: true, parallel: ALONE },
    alone(),
  );

const pieces: Piece[] = Array.from({ length: 11 }, (_, p) => {
  const tokens = Array.from({ length: 3 + ((p * 5) % 12) }, (_, i) => (p * 7 + i * i) % V);
  return { tokens, targets: tokens.map((t, i) => (i < 2 ? -1 : (t + p) % V)) };
});

test('a piece has the same values wherever it lies, alone or packed', () => {
  const model = learner();
  const laid = layPieces(pieces, shape);
  expect(laid.slots % 2).toBe(0);
  expect(laid.slots * shape.rows).toBeLessThan(pieces.length);
  const sums = sumsOf(model, laid);
  pieces.forEach((piece, p) => {
    const [one] = sumsOf(model, layPieces([piece], shape));
    expect(Math.abs(sums[p]! - one!)).toBeLessThan(1e-5);
    expect(one!).toBeGreaterThan(0);
  });
  const places = placesOf(model, laid);
  places.forEach((values, p) => {
    expect(values.slice(0, 2)).toEqual(new Float64Array(2));
    expect(values.reduce((a, b) => a + b, 0)).toBe(sums[p]);
  });
  const many = sumsOfMany(model, pieces, shape, 4);
  many.forEach((sum, p) => expect(Math.abs(sum - sums[p]!)).toBeLessThan(1e-5));
  model.close();
});

test('scales reach the places of their pieces, and no others: the losses say so', () => {
  const model = learner();
  const laid = layPieces(pieces, shape);
  const places = placesOf(model, laid);
  const scale = (p: number, i: number) => (p === 4 ? 0 : (p - 5) * (i - 1));
  const { lossSum, tokens } = model.accumulate(laid.slots, laid.fill(scale));
  const wanted = places.reduce((sum, values, p) => values.reduce((s, v, i) => s + scale(p, i) * v, sum), 0);
  expect(lossSum).toBeCloseTo(wanted, 4);
  expect(tokens).toBe(pieces.reduce((n, p) => n + p.targets.filter((t) => t >= 0).length, 0));
  model.close();
});

/** One id a character; marks 1, 2 and 3. */
const chat = {
  prompt: (turns: readonly { content: string }[]) => [...turns.flatMap((t) => [1, ...idsOf(t.content), 3]), 2],
  render: (turns: readonly { role: string; content: string }[]) => {
    const [answer, before] = [turns.at(-1)!, turns.slice(0, -1)];
    const ids = [...before.flatMap((t) => [1, ...idsOf(t.content), 3]), 2, ...idsOf(answer.content), 3, 0];
    const first = ids.length - 2 - answer.content.length;
    return { ids, learned: ids.map((_, i) => i >= first && i < ids.length - 1) };
  },
} as unknown as ChatTemplate;
const idsOf = (text: string) => [...text].map((c) => c.charCodeAt(0) - 90);

test('an answer has its end of turn; what does not fit goes from the prompt first, then from the end', () => {
  const ask = (prompt: string, answers: string[], room: number) =>
    answersTo(chat, [{ role: 'user', content: prompt }], answers, room);
  const [a, b] = ask('ab', ['cd', 'e'], 20) as [Answer, Answer];
  expect(a).toEqual({ ids: [1, 7, 8, 3, 2, 9, 10, 3], prompt: 5, cut: false });
  expect(b.ids).toEqual([1, 7, 8, 3, 2, 11, 3]);
  expect(answerPiece(a)).toEqual({ tokens: [1, 7, 8, 3, 2, 9, 10], targets: [-1, -1, -1, -1, 9, 10, 3] });
  expect(scorePiece(b)).toEqual({ tokens: b.ids, targets: [-1, -1, -1, -1, -1, -1, 0] });
  // Both lose the same of the prompt.
  const cut = ask('ab', ['cdcd', 'e'], 8);
  expect(cut.map((x) => [x.ids.length, x.prompt, x.cut])).toEqual([
    [8, 3, true],
    [5, 3, true],
  ]);
  const long = ask('abab', ['cdcdcdcdcd'], 8)[0]!;
  expect(long).toMatchObject({ prompt: 2, cut: true });
  expect(long.ids).toHaveLength(8);
});

test('scores are asked for after each part of an answer; a short one is asked several times at one place', () => {
  const answer = { ids: [9, 9, 1, 2, 3, 4, 5, 6], prompt: 2, cut: false };
  expect(prefixPiece(answer, 4).places).toEqual([3, 4, 6, 7]);
  expect(prefixPiece(answer, 1)).toEqual({ piece: scorePiece(answer), places: [7] });
  expect(prefixPiece({ ids: [9, 9, 1], prompt: 2, cut: false }, 3).places).toEqual([2, 2, 2]);
});

test('prompts are dealt whole, part by part of each source alike', () => {
  const items = Array.from({ length: 100 }, (_, i) => ({ source: i < 60 ? 'a' : 'b', prompt: `p${i >> 1}` }));
  const parts = dealPrompts(items, 5, 1);
  items.forEach((_, i) => expect(parts[i]).toBe(parts[i ^ 1]));
  for (let part = 0; part < 5; part++) {
    expect(parts.slice(0, 60).filter((p) => p === part)).toHaveLength(12);
    expect(parts.slice(60).filter((p) => p === part)).toHaveLength(8);
  }
  expect(dealPrompts(items, 5, 2)).not.toEqual(parts);
});

test('each epoch shows every item once, in another order', () => {
  const stream = itemStream([3, 5, 7, 9], 3, 1);
  const all = [1, 2, 3, 4].flatMap((step) => stream(step));
  for (const from of [0, 4, 8]) expect(all.slice(from, from + 4).toSorted((a, b) => a - b)).toEqual([3, 5, 7, 9]);
  expect(new Set([0, 4, 8].map((from) => all.slice(from, from + 4).join())).size).toBeGreaterThan(1);
});

test('held-out pairs are counted against the rule of length, by part', () => {
  const pair = (source: string, right: boolean, longer: boolean): HeldOutPair => ({
    id: '',
    source,
    fold: 0,
    chosen: right ? 1 : 0,
    rejected: right ? 0 : 1,
    chosen_length: longer ? 2 : 1,
    rejected_length: longer ? 1 : 2,
    ngrams: longer ? 1 : -1,
  });
  const report = reportHeldOut([
    ...Array.from({ length: 8 }, (_, i) => pair('a', i < 6, i < 2)),
    ...Array.from({ length: 8 }, (_, i) => pair('b', i < 4, i < 6)),
  ]);
  expect(report).toMatchObject({
    pairs: 16,
    accuracy: 10 / 16,
    longer: 0.5,
    longer_or_shorter: 0.75,
    ngrams: 0.5,
    over_longer: 2 / 16,
  });
  expect(report.parts['a']).toMatchObject({ accuracy: 0.75, longer: 0.25, longer_or_shorter: 0.75, over_longer: 0.5 });
  // differences of part b: two of the eight are −1, the others 0
  expect(report.parts['b']!.over_longer).toBe(-0.25);
  expect(report.parts['b']!.over_longer_error).toBeCloseTo(Math.sqrt(1.5 / 7 / 8), 12);
});

test('the regression on n-grams finds which words are preferred', () => {
  const answer = (ids: number[]) => ({ ids: [0, 0, ...ids], prompt: 2, cut: false });
  const pairs = Array.from({ length: 40 }, (_, i) => ({
    chosen: answer([5 + (i % 7), 20, 3]),
    rejected: answer([5 + ((i * 3) % 7), 21, 3]),
  }));
  const all = pairs.map((_, i) => i);
  const margins = ngramMargins(pairs, { train: all.slice(0, 30), held: all.slice(30) }, 1);
  expect(margins).toHaveLength(10);
  expect(margins.every((m) => m > 0)).toBe(true);
  expect(ngramMargins(pairs, { train: [], held: [1] }, 1)).toEqual([0]);
});

test('a scalar head is a model for classification to Transformers, comes back as one, and writes no text', () => {
  const reward = scoring(config);
  const keys = JSON.parse(JSON.stringify(toHuggingFace(reward, 3))) as Record<string, unknown>;
  expect(keys).toMatchObject({ architectures: ['LlamaForSequenceClassification'], num_labels: 1, pad_token_id: 3 });
  expect(fromHuggingFace('config.json', keys)).toEqual(reward);
  expect(() => fromHuggingFace('config.json', { ...keys, id2label: { 0: 'a', 1: 'b' } })).toThrow(
    'more than one label',
  );
  const weights = () => new Float32Array(V * 64);
  expect(() => openDecoder(reward, weights, { length: 8, threads: 1, engine: 'reference' })).toThrow(
    'a reward model scores answers and writes none',
  );
});
