import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logProbabilities } from '../../../trainer/align/log-probabilities.ts';
import { layPieces, placesOf } from '../../../trainer/align/pieces.ts';
import { pieceOf } from '../../../trainer/align/grpo.ts';
import { promptSplits, type Prompt } from '../../../trainer/align/prompts.ts';
import { rewarded, rewardsOf, type Answered } from '../../../trainer/align/rewards.ts';
import { answerKl, rollOut, type RolloutParts } from '../../../trainer/align/rollouts.ts';
import { openScore } from '../../../trainer/align/score.ts';
import { openScorer } from '../../../trainer/align/scorer.ts';
import { bestOf, type Selection } from '../../../trainer/align/selection.ts';
import { askedSum, madeSums, numbersIn, type Asked } from '../../../trainer/align/sums.ts';
import { chatTemplate, type ChatTemplate } from '../../../trainer/chat/template.ts';
import { loadWeights, openModel, saveCheckpoint } from '../../../trainer/checkpoint/checkpoint.ts';
import { readConfig } from '../../../trainer/checkpoint/config.ts';
import { alone } from '../../../trainer/collectives/alone.ts';
import { scoring } from '../../../trainer/model/config.ts';
import { openLearner } from '../../../trainer/parallel/open.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import { openVocabulary, type Vocabulary } from '../../../trainer/sample/vocabulary.ts';
import { openBatchDecoder } from '../../../trainer/session/batch-decoder.ts';
import { toySums } from './toy-sums.ts';

describe('made sums', () => {
  const pair = ({ id }: Asked) =>
    id
      .match(/\d+/g)!
      .map(Number)
      .sort((a, b) => a - b)
      .join('+');
  test('no pair of one split is in another, in whatever order; both languages are asked', () => {
    const [train, selection, test_] = (['train', 'selection', 'test'] as const).map((s) => madeSums(s));
    const sets = [train!, selection!, test_!].map((list) => new Set(list.map(pair)));
    expect(sets.map((s) => s.size)).toEqual([3345, 150, 600]);
    expect(new Set(sets.flatMap((s) => [...s])).size).toBe(4095);
    expect(test_!.length).toBeGreaterThanOrEqual(1000);
    for (const list of [train!, selection!, test_!]) {
      const chinese = list.filter((a) => a.id.includes('-zh-')).length;
      expect(Math.abs(chinese / list.length - 0.5)).toBeLessThan(0.05);
      for (const { turns, reference } of list) expect(askedSum(turns[0]!.content)).toBe(Number(reference));
    }
  });

  test.each([
    ['What is 23 + 45?', 68],
    ['23加45等于多少？', 68],
    ['１２＋３０ 是多少', 42],
    ['What do 7 and 8 and 9 make?', 24],
    ['12 plus 30', 42],
    ['Is 12 a number?', null],
    ['', null],
  ])('%s asks for %s', (question, sum) => expect(askedSum(question)).toBe(sum));

  test.each([
    ['23 + 45 = 68.', [23, 45, 68]],
    ['答案是６８。', [68]],
    ['1,234 or 12,34', [1234, 12, 34]],
    ['none', []],
    ['-5', [-5]],
  ])('%s names %j', (text, numbers) => expect(numbersIn(text)).toEqual(numbers));
});

describe('rewards', () => {
  const answered = (answer: string, over: Partial<Answered> = {}): Answered => ({
    prompt: [{ role: 'user', content: 'What is 23 + 45?' }],
    answer,
    reference: null,
    finish: 'stop',
    tokens: 3,
    ...over,
  });
  const one = (name: Parameters<typeof rewardsOf>[0][number]['name'], settings = {}) =>
    rewardsOf([{ name, weight: 1, ...settings }])[0]!.reward!;
  test('the checker takes the last number, in any digits', () => {
    for (const right of ['68', '68.', 'It is 68.', '23 + 45 = 68', '答案是６８。'])
      expect(rewarded(one('sum'), answered(right))).toBe(1);
    for (const wrong of ['', '67', '68 or 69', '6 8', 'sixty', '680', '6.8'])
      expect([wrong, rewarded(one('sum'), answered(wrong))]).toEqual([wrong, 0]);
    expect(rewarded(one('sum'), answered('5', { reference: '5' }))).toBe(1);
  });
  test('ends, length, format and exact', () => {
    expect(rewarded(one('ends'), answered('', { finish: 'tokens' }))).toBe(0);
    expect(rewarded(one('length', { most: 2 }), answered('', { tokens: 3 }))).toBe(-0.5);
    expect(rewarded(one('format'), answered(' 68 '))).toBe(1);
    expect(rewarded(one('format', { as: 'sentence' }), answered('It is 68.'))).toBe(1);
    expect(rewarded(one('format', { as: 'json' }), answered('{"a":'))).toBe(0);
    expect(rewarded(one('exact'), answered(' Yes', { reference: 'yes' }))).toBe(1);
  });
  test('one that throws or gives no number is a reason, not an error', () => {
    const throws = () => {
      throw new Error('no');
    };
    expect(rewarded(throws, answered(''))).toBe('reward_threw');
    expect(rewarded(() => NaN, answered(''))).toBe('reward_is_no_number');
    expect(rewarded(() => undefined as unknown as number, answered(''))).toBe('reward_is_no_number');
    expect(rewarded(one('exact'), answered('x'))).toBe('reward_threw');
    expect(rewarded(one('sum'), answered('x', { prompt: [{ role: 'user', content: 'Hello' }] }))).toBe('reward_threw');
  });
});

test('the best checkpoint is within the distance that is allowed, and the earliest of equals', () => {
  const at = (after: number, pass: number, kl: number): Selection => ({
    after,
    pass_1: pass,
    pass_greedy: 0,
    reward: pass,
    reward_greedy: 0,
    kl,
    length: 1,
  });
  const all = [at(0, 0.9, 0), at(10, 0.4, 0.5), at(20, 0.6, 1), at(30, 0.6, 1.5), at(40, 0.8, 2.5)];
  expect(bestOf(all, 2)?.after).toBe(20);
  expect(bestOf(all, 3)?.after).toBe(40);
  expect(bestOf(all, 0.1)?.after).toBe(10);
  expect(bestOf([at(0, 1, 0)], 2)).toBe(null);
});

describe('answers of a model', () => {
  let folder = '';
  let vocabulary: Vocabulary;
  let chat: ChatTemplate;
  let parts: RolloutParts;
  let checkpoint = '';
  let prompts: Prompt[] = [];
  const open = (): RolloutParts['policy'] => {
    const config = readConfig(join(checkpoint, 'config.json'));
    const model = openModel(checkpoint, config);
    const options = { slots: 8, rows: 32, length: config.context, threads: 1, engine: 'cpu' } as const;
    return openBatchDecoder(config, model.weights, options);
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'garner-rollouts-'));
    checkpoint = (await toySums(folder)).checkpoint;
    vocabulary = openVocabulary(join(checkpoint, 'tokenizer.json'));
    chat = chatTemplate(vocabulary);
    prompts = (await promptSplits('sums', chat, { seed: 1, held: 5, room: 60 })).selection;
    parts = {
      policy: open(),
      reference: open(),
      vocabulary,
      rewards: rewardsOf([
        { name: 'sum', weight: 1 },
        { name: 'format', weight: 0.5 },
      ]),
      score: null,
      tokens: 8,
      stop: [chat.end, vocabulary.endOfText],
      share: { rank: 0, ranks: 1 },
      sum: (n) => Float64Array.from(n),
    };
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('they depend on the seed and the prompt alone, however many ranks share the prompts', () => {
    const whole = rollOut(prompts, { group: 3, seed: 7 }, parts);
    const written: Float64Array[] = [];
    for (const rank of [0, 1]) {
      const sum = (n: ArrayLike<number>) => {
        written.push(Float64Array.from(n));
        return Float64Array.from(n);
      };
      rollOut(prompts, { group: 3, seed: 7 }, { ...parts, share: { rank, ranks: 2 }, sum });
    }
    const both = written[0]!.map((x, i) => x + written[1]![i]!);
    const shared = rollOut(prompts, { group: 3, seed: 7 }, { ...parts, share: { rank: 1, ranks: 2 }, sum: () => both });
    expect(shared).toEqual(whole);
    expect(whole).toHaveLength(prompts.length * 3);
    expect(rollOut(prompts, { group: 3, seed: 8 }, parts).map((a) => a.ids)).not.toEqual(whole.map((a) => a.ids));
    expect(new Set(whole.map((a) => a.text)).size).toBeGreaterThan(4);
    for (const a of whole) {
      expect(a.logps).toHaveLength(a.ids.length);
      expect(answerKl(a)).toBe(0);
      expect(a.reward).toBe(a.rewards[0]! + a.rewards[1]! / 2);
    }
  });

  test('an answer whose reward throws has none, and the others theirs', () => {
    let calls = 0;
    const reward = () => {
      if (++calls === 2) throw new Error('no');
      return calls === 4 ? Infinity : calls;
    };
    const rewards = [{ name: 'odd', weight: 2, reward, checks: false }];
    const all = rollOut(prompts.slice(0, 1), { group: 5, seed: 7 }, { ...parts, rewards });
    expect(all.map((a) => [a.reward, a.fault])).toEqual([
      [2, null],
      [null, 'reward_threw'],
      [6, null],
      [null, 'reward_is_no_number'],
      [10, null],
    ]);
  });

  test('the sampler, the scorer and the training program give each token the same probability', () => {
    const all = rollOut(prompts, { group: 4, seed: 3 }, parts);
    const again = logProbabilities(
      parts.reference,
      all.map((a) => ({ prompt: a.prompt.ids, answer: a.ids })),
    );
    expect(again).toEqual(all.map((a) => a.logps));
    const config = readConfig(join(checkpoint, 'config.json'));
    const shape = { rows: 4, sequence: 64, data: 1, padding: vocabulary.endOfText };
    const options = { batch: 4, sequence: 64, threads: 1, engine: 'cpu', seed: 1, documents: true } as const;
    const learner = openLearner(config, { ...options, parallel: ALONE }, alone());
    loadWeights(checkpoint, learner);
    const pieces = all.map(pieceOf);
    const places = placesOf(learner, layPieces(pieces, shape));
    all.forEach(({ ids, logps }, i) => {
      const first = pieces[i]!.tokens.length - ids.length;
      logps.forEach((logp, t) => expect(Math.abs(logp + places[i]![first + t]!)).toBeLessThan(1e-5));
    });
    learner.close();
  });

  test('a reward model scores ids as garner score scores texts', async () => {
    const config = scoring(readConfig(join(checkpoint, 'config.json')));
    const options = { batch: 4, sequence: 64, threads: 1, engine: 'cpu', seed: 5, documents: true } as const;
    const learner = openLearner(config, { ...options, parallel: ALONE }, alone());
    loadWeights(checkpoint, learner);
    const beside = { 'tokenizer.json': readFileSync(join(checkpoint, 'tokenizer.json'), 'utf8'), 'chat_template.jinja': chat.jinja }; // prettier-ignore
    const state = { step: 1, samples: 0, tokens: 0, seed: 5, recipe: 'toy' };
    const saved = await saveCheckpoint(join(folder, 'reward'), { learner, state, end: chat.end, beside });
    learner.close();
    const shape = { rows: 4, sequence: 64, data: 1, padding: vocabulary.endOfText };
    const score = openScore({ checkpoint: saved, config }, shape, { ...options, parallel: ALONE });
    const got = score(prompts.map((p) => ({ prompt: p, ids: [...vocabulary.encode(p.reference!), chat.end] })));
    const scorer = openScorer(saved, { threads: 1 });
    const wanted = scorer.score(prompts.map((p) => ({ prompt: p.turns, answer: p.reference! })));
    scorer.close();
    wanted.forEach((w, i) => expect(Math.abs((w as { reward: number }).reward - got[i]!)).toBeLessThan(1e-5));
    expect(new Set(got.map((g) => g.toFixed(6))).size).toBe(prompts.length);
    const both = rewardsOf([
      { name: 'sum', weight: 1 },
      { name: 'model', weight: 3 },
    ]);
    for (const { rewards, reward } of rollOut(prompts, { group: 2, seed: 1 }, { ...parts, rewards: both, score }))
      expect(reward).toBe(rewards[0]! + 3 * rewards[1]!);
  });

  test('prompts of a file: what is none, too long or of tools is refused with its reason', async () => {
    const path = join(folder, 'prompts.jsonl');
    const lines = [
      { id: 'a', prompt: 'What is 1 + 2?', answer: 3 },
      { id: 'b', messages: [{ role: 'user', content: '你好' }] },
      { id: 'c', prompt: 'x'.repeat(500) },
      { id: 'd', messages: [{ role: 'tool', content: 'x' }, { role: 'user', content: 'y' }] }, // prettier-ignore
      { nothing: true },
    ];
    writeFileSync(path, `${lines.map((l) => JSON.stringify(l)).join('\n')}\nnot json\n`);
    const { train, selection, refused } = await promptSplits({ path }, chat, { seed: 1, held: 1, room: 60 });
    const all = [...train, ...selection];
    expect(all.map((p) => p.id).sort()).toEqual(['a', 'b']);
    expect(all.find((p) => p.id === 'a')!.reference).toBe('3');
    expect(refused.map((r) => `${r.location} ${r.reason}`).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'prompts.jsonl:3 too_long',
      'prompts.jsonl:4 template_has_no_tools',
      'prompts.jsonl:5 no_prompt',
      'prompts.jsonl:6 not_json',
    ]);
    writeFileSync(path, '{}\n');
    await expect(promptSplits({ path }, chat, { seed: 1, held: 1, room: 60 })).rejects.toThrow(/no line is a prompt/);
  });
});
