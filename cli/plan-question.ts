import { availableParallelism, totalmem } from 'node:os';
import { GarnerError } from '../core/errors.ts';
import { currentOutputs } from '../core/lake/lake.ts';
import { SPECIAL_TOKENS } from '../tokenizer/train/index.ts';
import { findGpu, type Gpu } from '../trainer/plan/gpus.ts';
import type { Question, Stated } from '../trainer/plan/plan.ts';
import { findModel, LEARNED_POSITIONS } from '../trainer/plan/models.ts';
import { FAMILIES, parametersOf, type Family, type Shape } from '../trainer/plan/shape.ts';
import { ranksOf as ranksIn } from '../trainer/parallel/mesh.ts';
import { microBatchOf, modelConfig, parallelOf } from '../trainer/stages/plan.ts';
import type { Options } from './command.ts';
import { lakeFor } from './lake.ts';
import { loadRecipe, type Recipe } from './pipeline.ts';

interface Ranks {
  gpu: Gpu;
  count: number;
  /** Bytes of a rank. */
  memory: number;
  sequenceParallel: boolean;
}

/** What is trained, before the hardware is known. */
interface Subject {
  name: string;
  shape: Shape;
  sequence: Stated<number>;
  tokens: Stated<number>;
  batchTokens: Stated<number>;
  lakeTokens: number | null;
  /** The processors that a recipe's ranks stand for, and how it lays its work out; null where the options name a GPU. */
  ranks: (Pick<Question, 'mesh' | 'zero' | 'recompute' | 'chunks' | 'microBatch'> & Ranks) | null;
}

const wrong = (what: string, hint: string, where?: string) => new GarnerError({ what, where, hint, fault: 2 });
const asked = 'asked for';

/** The question that a command line asks, and the name of what it asks about. Throws a GarnerError. */
export function questionOf(recipe: string | undefined, options: Options): { question: Question; name: string } {
  const subject = subjectOf(recipe, options);
  const { ranks } = subject;
  const gpu = ranks?.gpu ?? findGpu((options['gpu'] as string | undefined) ?? 'h100');
  const precision = (options['precision'] as Question['precision'] | undefined) ?? (gpu.peak.bf16 ? 'bf16' : 'fp32');
  const batch = options['batch'] as number | undefined;
  const rows = Math.max(1, Math.round(subject.batchTokens.value / subject.sequence.value));
  return {
    name: subject.name,
    question: {
      shape: subject.shape,
      sequence: subject.sequence,
      tokens: subject.tokens,
      rows:
        batch === undefined
          ? { value: rows, source: subject.batchTokens.source, asked: false }
          : { value: batch, source: asked, asked: true },
      gpu,
      gpus: (options['gpus'] as number | undefined) ?? ranks?.count ?? 1,
      precision,
      count: (options['flops'] as Question['count'] | undefined) ?? 'exact',
      attention: (options['attention'] as Question['attention'] | undefined) ?? 'flash',
      sequenceParallel: ranks?.sequenceParallel ?? options['sequenceParallel'] !== false,
      mfu: options['mfu'] as number | undefined,
      achieved: options['tflops'] === undefined ? undefined : (options['tflops'] as number) * 1e12,
      ...layoutOf(options, ranks),
      memory: options['gpuMemory'] === undefined ? ranks?.memory : (options['gpuMemory'] as number) * 1e9,
      price: options['price'] as number | undefined,
      pue: options['pue'] as number | undefined,
      carbon: options['carbon'] as number | undefined,
      failures: options['failures'] as number | undefined,
      lakeTokens: subject.lakeTokens,
    },
  };
}

/** What the options say of the layout, else what the recipe says of its ranks, as long as there are as many. */
function layoutOf(
  options: Options,
  ranks: Subject['ranks'],
): Pick<Question, 'mesh' | 'zero' | 'recompute' | 'chunks' | 'microBatch'> {
  const given = {
    mesh: options['mesh'] as Question['mesh'],
    zero: options['zero'] as Question['zero'],
    recompute: options['recompute'] as Question['recompute'],
    chunks: options['chunks'] as number | undefined,
    microBatch: options['microBatch'] as number | undefined,
  };
  const own = options['mesh'] === undefined && options['gpus'] === undefined ? ranks : null;
  return {
    mesh: given.mesh ?? own?.mesh,
    zero: given.zero ?? own?.zero,
    recompute: given.recompute ?? own?.recompute,
    chunks: given.chunks ?? own?.chunks,
    microBatch: given.microBatch ?? own?.microBatch,
  };
}

const SHAPE = ['layers', 'width', 'heads', 'kvHeads', 'feedForward', 'vocabulary'] as const;
const flagOf = (key: string) => `--${key.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

function subjectOf(recipe: string | undefined, options: Options): Subject {
  const byHand = SHAPE.filter((key) => options[key] !== undefined).map(flagOf);
  const named = [
    ...(recipe === undefined ? [] : [recipe]),
    ...(options['model'] === undefined ? [] : ['--model']),
    ...byHand.slice(0, 1),
  ];
  if (named.length > 1)
    throw wrong(`${named.join(' and ')} both name a model`, 'give a recipe, --model, or a shape by hand', 'argument');
  if (named.length === 0)
    throw wrong(
      'nothing is named to plan',
      'give a recipe, or --model llama-7b, or --layers, --width and --vocabulary',
      'argument',
    );
  if (recipe !== undefined) return ofRecipe(loadRecipe(recipe), recipe, options);
  const known = options['model'] === undefined ? undefined : findModel(options['model'] as string);
  const published = known ? `${known.name}: ${known.source}` : '';
  const given = options['tokens'] as number | undefined;
  const sequence = options['sequence'] as number | undefined;
  const family = options['family'] as Family | undefined;
  if (family !== undefined && known)
    throw wrong('--family is of a shape by hand', 'leave it out beside --model', 'argument');
  const learned = known ? known.positions : family && LEARNED_POSITIONS.includes(family) ? (sequence ?? 2048) : 0;
  const longer = learned > 0 && sequence !== undefined && sequence > learned;
  const shape = { ...(known ?? shapeByHand(options)), positions: longer ? sequence : learned };
  return {
    name: known?.name ?? 'the shape given',
    shape,
    sequence:
      sequence === undefined
        ? {
            value: known?.sequence ?? 2048,
            source: known ? `trained at: ${known.source}` : 'a usual length; set --sequence',
          }
        : {
            value: sequence,
            source: longer ? `asked for; the model’s ${learned} learned positions are lengthened` : asked,
          },
    tokens:
      given !== undefined
        ? { value: given, source: asked }
        : known?.tokens
          ? { value: known.tokens, source: published }
          : { value: Math.round(20 * parametersOf(shape)), source: 'Chinchilla: 20 a parameter (arXiv:2203.15556)' },
    batchTokens: known?.batchTokens ? { value: known.batchTokens, source: published } : usualBatch(parametersOf(shape)),
    lakeTokens: null,
    ranks: null,
  };
}

/** Tokens of a step by size, as GPT-3 took them; above 100 billion what Llama 3 405B grew to. */
function usualBatch(parameters: number): Stated<number> {
  const steps = [
    [1e9, 0.5e6],
    [5e9, 1e6],
    [20e9, 2e6],
    [100e9, 4e6],
  ] as const;
  const value = steps.find(([below]) => parameters < below)?.[1] ?? 16e6;
  return { value, source: 'usual for the size: GPT-3 (arXiv:2005.14165, table 2.1), Llama 3' };
}

/** A Llama-style model, or of another family: what is left open follows from the width. */
function shapeByHand(options: Options): Shape {
  const number = (key: (typeof SHAPE)[number]) => options[key] as number | undefined;
  const needed = (key: 'layers' | 'width' | 'vocabulary'): number => {
    const value = number(key);
    if (value === undefined)
      throw wrong(`${flagOf(key)} is missing`, 'a shape needs --layers, --width and --vocabulary', 'argument');
    return value;
  };
  const [layers, width, vocabulary] = [needed('layers'), needed('width'), needed('vocabulary')];
  const heads = number('heads') ?? Math.max(1, Math.round(width / 128));
  const keyValueHeads = number('kvHeads') ?? heads;
  if (width % heads !== 0)
    throw wrong(`a width of ${width} in ${heads} heads`, '--heads must divide --width', 'argument');
  if (heads % keyValueHeads !== 0)
    throw wrong(
      `${heads} heads cannot share ${keyValueHeads} key/value heads`,
      '--kv-heads must divide --heads',
      'argument',
    );
  const traits = FAMILIES[(options['family'] as Family | undefined) ?? 'llama'];
  return {
    ...traits,
    positions: 0,
    layers,
    width,
    heads,
    keyValueHeads,
    headSize: width / heads,
    feedForward: number('feedForward') ?? (traits.gated ? Math.ceil((8 * width) / 3 / 256) * 256 : 4 * width),
    vocabulary,
  };
}

/** A recipe's pretraining: on this machine's cores where no GPU is named. */
function ofRecipe(recipe: Recipe, path: string, options: Options): Subject {
  const p = recipe.pretrain;
  if (!p) throw wrong('the recipe trains no model', 'give it a section "pretrain"', path);
  const lake = lakeFor(options, recipe.name);
  const shards = shardsOf(lake, recipe.name);
  const sequence = (options['sequence'] as number | undefined) ?? p.sequence;
  const config = modelConfig(
    p.model,
    shards?.vocabulary ?? recipe.tokenizer!.vocabulary + SPECIAL_TOKENS.length,
    sequence,
  );
  const given = options['tokens'] as number | undefined;
  const written = p.steps === undefined ? p.tokens : p.steps * p.batch * sequence;
  const epochs = p.epochs ?? 1;
  const tokens: Stated<number> | undefined =
    given !== undefined
      ? { value: given, source: asked }
      : written !== undefined
        ? {
            value: written,
            source: p.steps === undefined ? 'the recipe' : `the recipe: ${p.steps} steps of ${p.batch} rows`,
          }
        : shards
          ? { value: Math.round(epochs * shards.train), source: `${epochs} passes over the lake’s train split` }
          : undefined;
  if (!tokens)
    throw wrong(
      'the recipe does not say how many tokens it trains on, and its lake has none yet',
      `give --tokens, set pretrain.steps, or run it until the shards: garner run ${path} --until shards`,
      path,
    );
  return {
    name: `${recipe.name} (${path})`,
    shape: { ...FAMILIES.llama, positions: 0, ...config, tied: config.tiedEmbeddings },
    sequence: { value: sequence, source: options['sequence'] === undefined ? 'the recipe' : asked },
    tokens,
    batchTokens: { value: p.batch * sequence, source: 'the recipe' },
    lakeTokens: shards?.all ?? null,
    ranks: options['gpu'] === undefined ? ranksOf(p, sequence) : null,
  };
}

/** The ranks of a recipe on this machine, each with its share of the cores and of the memory. */
function ranksOf(p: NonNullable<Recipe['pretrain']>, sequence: number): Subject['ranks'] {
  const { sequence: sequenceParallel, ...parallel } = parallelOf('pretrain', p);
  const count = ranksIn(parallel.mesh);
  return {
    gpu: coresOf(p.threads ?? Math.max(1, Math.floor(availableParallelism() / count))),
    count,
    memory: totalmem() / count,
    ...parallel,
    sequenceParallel,
    mesh: { ...parallel.mesh, context: 1 },
    microBatch: microBatchOf('pretrain', p, { ...parallel, sequence: sequenceParallel }, sequence),
  };
}

/** A rank of garner's trainer: some cores of this machine as one processor. */
function coresOf(threads: number): Gpu {
  const core = findGpu('cpu');
  return {
    ...core,
    label: `${threads} of this machine’s cores`,
    peak: { fp32: core.peak.fp32! * threads },
    power: core.power * threads,
    price: core.price * threads,
  };
}

/** Tokens of a recipe's shards, all of them and the train split's, and the rows of their vocabulary; null before they are made. */
function shardsOf(lake: string, recipe: string): { all: number; train: number; vocabulary: number } | null {
  let found: { all: number; train: number; vocabulary: number } | null = null;
  for (const output of currentOutputs(lake, recipe)) {
    if (output.stage !== 'shards') continue;
    for (const [file, facts] of Object.entries(output.facts)) {
      const { tokens, vocabulary } = Object(facts) as { tokens?: unknown; vocabulary?: unknown };
      if (typeof tokens !== 'number' || typeof vocabulary !== 'number') continue;
      found ??= { all: 0, train: 0, vocabulary };
      found.all += tokens;
      if (file.startsWith('train')) found.train += tokens;
    }
  }
  return found;
}
