import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadWeights, saveCheckpoint } from '../../../trainer/checkpoint/checkpoint.ts';
import { packedChats } from '../../../trainer/chat/pack.ts';
import type { RenderedChat } from '../../../trainer/chat/template.ts';
import { TARGETS, type Lora } from '../../../trainer/lora/lora.ts';
import { configOfDepth, type ModelConfig } from '../../../trainer/model/config.ts';
import { parametersOf } from '../../../trainer/model/size.ts';
import type { Learner } from '../../../trainer/parallel/learner.ts';
import { sampleMany } from '../../../trainer/sample/many.ts';
import { openBatchDecoder } from '../../../trainer/session/batch-decoder.ts';
import { answerLoss, openAt, ROWS, runCourse, SEQUENCE, weightsIn, windows, type Weights } from '../../align/course.ts';
import { instructData, type Instruct } from '../../align/instruct.ts';
import { median, type BenchOptions, type Figure } from '../../harness.ts';

/** Steps of 2,048 tokens each. */
const SIZES = {
  whole: { pretrain: 1000, finetune: 1500, lora: 100, seeds: [1, 2, 3], questions: 60 },
  quick: { pretrain: 6, finetune: 6, lora: 2, seeds: [1], questions: 4 },
};
const VOCABULARY = 4096;
const PRETRAIN_RATE = 3e-3;
const FINETUNE_RATE = 2e-3;
/** Rates that both sides of the comparison with adapters may choose from. */
const GRID = [5e-4, 1.5e-3, 4.5e-3, 1.35e-2];
const NEW_TOKENS = 256;
const THREADS = 2;

/** Fine-tuning and adapters on ../shared/data/instruct, on a model that is pretrained here on plain text. */
export async function* finetune({ quick, say }: BenchOptions): AsyncGenerator<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'garner-bench-'));
  try {
    const data = await instructData(folder, VOCABULARY);
    if (!data) {
      say('fine-tuning: ../shared/data/instruct or ../shared/data/text is absent: nothing is measured');
      return;
    }
    const sizes = quick ? SIZES.quick : SIZES.whole;
    const config = configOfDepth(4, {
      vocabulary: data.vocabulary.size,
      context: SEQUENCE,
      width: 192,
      heads: 6,
      keyValueHeads: 6,
      headSize: 32,
    });
    if (parametersOf(config) < 2_500_000) throw new Error('the model is too small');
    say(
      `${data.train.length} conversations to learn, ${data.refused} that the template cannot express, ${data.plain.length} tokens of plain text, ${parametersOf(config)} parameters`,
    );
    const base = openAt(config, null, 1);
    runCourse(base, windows(data.plain, 0), { steps: sizes.pretrain, peak: PRETRAIN_RATE, decay: 0.1, say });
    const weights = weightsIn(base);
    yield* losses(data, base, weights, sizes, quick, say);
    base.close();
    yield* adapterSize(data, config, weights, quick);
    yield* fullRank(data, config, weights, sizes, quick, say);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Sizes = (typeof SIZES)['whole'];
const figure = (of: Omit<Figure, 'bench'>): Figure => ({ bench: 'align', ...of });
/** A quick run learns too little to be held against anything. */
const bar = (quick: boolean, text: string) => (quick ? {} : { bar: text });

async function* losses(
  data: Instruct,
  base: Learner,
  weights: Weights,
  sizes: Sizes,
  quick: boolean,
  say: (text: string) => void,
): AsyncGenerator<Figure> {
  const { config } = base;
  const padding = data.vocabulary.endOfText;
  const course = { steps: sizes.finetune, peak: FINETUNE_RATE, decay: 0, say };
  const control = openAt(config, weights, 1);
  runCourse(control, windows(data.plain, sizes.pretrain * ROWS * SEQUENCE), course);
  const tuned = openAt(config, weights, 1);
  const samples = packedChats(data.train, { sequence: SEQUENCE, padding, seed: 1 });
  runCourse(tuned, samples, course);

  const sets = { gsm8k: data.test.get('gsm8k')!, all: [...data.test.values()].flat() };
  const bars = { gsm8k: '>= 0.2', all: '>= 0.1' };
  for (const name of ['gsm8k', 'all'] as const) {
    const of = (learner: Learner) => answerLoss(learner, sets[name], padding);
    const [before, after, other] = [of(base), of(tuned), of(control)];
    const note = `base ${before.toFixed(3)}, control ${other.toFixed(3)}, fine-tuned ${after.toFixed(3)} nats; ${sets[name].length} conversations held out`;
    const below = (metric: string, value: number, least: string) =>
      figure({ case: `fine-tuning, ${name}`, metric, value, unit: 'share', ...bar(quick, least), note });
    yield below('answer loss below the base', 1 - after / before, bars[name]);
    yield below('answer loss below a control on plain text', 1 - after / other, '>= 0.05');
  }
  for (const [source, chats] of data.test)
    if (chats.length > 0) {
      const [before, after] = [answerLoss(base, chats, padding), answerLoss(tuned, chats, padding)];
      say(`${source}: ${before.toFixed(3)} to ${after.toFixed(3)} nats on ${chats.length}`);
    }
  yield* answers(data, tuned, sizes, quick, say);
  control.close();
  tuned.close();
}

async function* answers(
  data: Instruct,
  tuned: Learner,
  sizes: Sizes,
  quick: boolean,
  say: (text: string) => void,
): AsyncGenerator<Figure> {
  const { vocabulary, chat } = data;
  const stop = [chat.end, vocabulary.endOfText];
  const decoder = openBatchDecoder(tuned.config, (name) => tuned.collect(name, 'weight')!, {
    slots: 32,
    rows: 64,
    length: SEQUENCE,
    threads: THREADS,
    engine: 'cpu',
    never: vocabulary.specials.filter((id) => !stop.includes(id)),
  });
  for (const source of ['gsm8k', 'made']) {
    const asked = data.questions
      .filter((q) => q.source === source && q.ids.length + NEW_TOKENS <= SEQUENCE)
      .slice(0, sizes.questions);
    const sampled = sampleMany(
      decoder,
      asked.map((q) => q.ids),
      { tokens: NEW_TOKENS, temperature: 0.7, topK: 0, topP: 1, seed: 1, stop },
    );
    const texts = sampled.map(({ ids }) => ids.filter((id) => !stop.includes(id)));
    const write = (ids: number[]) => Buffer.concat(ids.map((id) => vocabulary.bytes(id))).toString();
    say(`${source}, an answer: ${JSON.stringify(write(texts[0]!))}`);
    const length = median(texts.map((ids) => ids.length)) / median(asked.map((q) => q.reference));
    const of = (metric: string, value: number, unit: string, least: string) =>
      figure({ case: `answers, ${source} (${asked.length})`, metric, value, unit, ...bar(quick, least) });
    yield of(
      'end by themselves',
      share(sampled, ({ ids }) => stop.includes(ids.at(-1)!)),
      'share',
      '>= 0.9',
    );
    yield of(
      'empty',
      share(texts, (ids) => write(ids).trim() === ''),
      'share',
      '== 0',
    );
    yield of('median length, of the references’, at least', length, '×', '>= 0.5');
    yield of('median length, of the references’, at most', length, '×', '<= 2');
  }
  decoder.close();
}

const share = <T>(all: readonly T[], has: (one: T) => boolean) => all.filter(has).length / all.length;

const adapters = (data: Instruct, rank: number, alpha: number): Lora => ({
  rank,
  alpha,
  targets: TARGETS,
  rows: data.chat.marks,
});

/** Rank 4: what its file takes, and whether merged weights say the same. */
async function* adapterSize(
  data: Instruct,
  config: ModelConfig,
  weights: Weights,
  quick: boolean,
): AsyncGenerator<Figure> {
  const learner = openAt({ ...config, lora: adapters(data, 4, 8) }, weights, 1);
  const padding = data.vocabulary.endOfText;
  const samples = packedChats(data.train, { sequence: SEQUENCE, padding, seed: 1 });
  runCourse(learner, samples, { steps: quick ? 2 : 10, peak: 3e-3, decay: 0 });
  const state = { step: 1, samples: 0, tokens: 0, seed: 1, recipe: 'bench' };
  const path = await saveCheckpoint(data.folder, { learner, state, end: data.chat.end, beside: {} });
  const bytes = (name: string) => statSync(join(path, name)).size;
  const merged = openAt(config, null, 1);
  loadWeights(path, merged);
  const said = (of: Learner) => {
    const all: number[] = [];
    of.values(
      1,
      (_, into) => {
        for (let row = 0; row < ROWS; row++) samples.fill(row, into, row);
      },
      (_, values) => all.push(...values),
    );
    return all;
  };
  const [a, b] = [said(learner), said(merged)];
  yield figure({
    case: 'LoRA, rank 4 on all linears',
    metric: 'adapter, of the weights’ bytes',
    value: bytes('adapter/adapter_model.safetensors') / bytes('model.safetensors'),
    unit: 'share',
    bar: '<= 0.03',
  });
  yield figure({
    case: 'LoRA, rank 4 on all linears',
    metric: 'merged against adapters, worst log-probability',
    value: a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0),
    unit: 'nats',
    bar: '<= 0.00001',
  });
  learner.close();
  merged.close();
}

/** Adapters of full rank beside all weights, each side at its best rate by validation; on sums in words, an end never seen. */
async function* fullRank(
  data: Instruct,
  config: ModelConfig,
  weights: Weights,
  sizes: Sizes,
  quick: boolean,
  say: (text: string) => void,
): AsyncGenerator<Figure> {
  const padding = data.vocabulary.endOfText;
  const lora = adapters(data, config.width, config.width);
  const sides = { 'all weights': config, adapters: { ...config, lora } };
  const run = (side: ModelConfig, peak: number, seed: number) => {
    const learner = openAt(side, weights, seed);
    const samples = packedChats(data.train, { sequence: SEQUENCE, padding, seed });
    runCourse(learner, samples, { steps: sizes.lora, peak, decay: 0 });
    const of = (by: Map<string, RenderedChat[]>) => answerLoss(learner, [...by.values()].flat(), padding);
    const found = { validation: of(data.validation), test: of(data.test) };
    learner.close();
    return found;
  };
  const best = Object.entries(sides).map(([name, side]) => {
    const tried = GRID.map((peak) => ({ peak, ...run(side, peak, sizes.seeds[0]!) }));
    say(`${name}: ${tried.map((t) => `${t.validation.toFixed(4)} at ${t.peak}`).join(', ')} (validation)`);
    const { peak, test } = tried.reduce((a, b) => (b.validation < a.validation ? b : a));
    const tests = [test, ...sizes.seeds.slice(1).map((seed) => run(side, peak, seed).test)];
    say(`${name} at ${peak}, seeds ${sizes.seeds.join(', ')}: ${tests.map((t) => t.toFixed(4)).join(', ')} (test)`);
    return { peak, mean: tests.reduce((a, b) => a + b, 0) / tests.length };
  });
  const [all, low] = best as [(typeof best)[0], (typeof best)[0]];
  yield figure({
    case: `LoRA, full rank, ${sizes.lora} steps, ${sizes.seeds.length} seeds`,
    metric: 'answer loss, all held out',
    value: low.mean,
    unit: 'nats',
    rival: `all weights at ${all.peak}`,
    rivalValue: all.mean,
    ratio: low.mean / all.mean,
    ...bar(quick, '<= 1.02'),
    note: `adapters at ${low.peak}`,
  });
}
