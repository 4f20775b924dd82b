import { findGpu } from '../trainer/plan/gpus.ts';
import { recomputed } from '../trainer/plan/flops.ts';
import { memoryPerGpu, type Layout } from '../trainer/plan/memory.ts';
import { findModel } from '../trainer/plan/models.ts';
import { FAMILIES, type Shape } from '../trainer/plan/shape.ts';
import { simulateStep, type StepResult } from '../trainer/plan/simulate/step.ts';

/** A training step whose speed is published. What its source does not say is assumed alike for all rows of a group. */
export interface PublishedStep {
  group: string;
  name: string;
  shape: Shape;
  gpu: string;
  /** Data, tensor, pipeline, context. */
  mesh: readonly [number, number, number, number];
  /** Sequences of a step. */
  batch: number;
  sequence: number;
  /** 0: the largest power of two that divides the share and fits by the planner's memory. */
  microBatch: number;
  /** Chunks of layers on a stage; as many as a stage has layers: one layer each. */
  chunks: number;
  layout?: Partial<Layout>;
  overlapTensor?: boolean;
  /** Share of the peak [%]: of the model's FLOPs, or with recomputation's. */
  published: number;
  counts: 'MFU' | 'HFU';
}

const narayanan = (name: string, model: string, mesh: PublishedStep['mesh'], batch: number, published: number) => ({
  group: 'Narayanan 2021',
  name,
  shape: findModel(model),
  gpu: 'a100',
  mesh,
  batch,
  sequence: 2048,
  microBatch: mesh[2] === 1 ? 0 : mesh[2] < 16 ? 2 : 1,
  // As many, up to the three of Korthikanti et al., as divide a stage's layers.
  chunks: [3, 2, 1].find((v) => mesh[2] > 1 && (findModel(model).layers / mesh[2]) % v === 0) ?? 1,
  layout: { attention: 'matrix', recompute: 'full', sequenceParallel: false, zero: 0 } as const,
  published: (100 * published) / 312,
  counts: 'HFU' as const,
});

const korthikanti = (
  model: string,
  mesh: PublishedStep['mesh'],
  batch: number,
  microBatch: number,
  chunks: number,
  published: number,
) => ({
  group: 'Korthikanti 2022',
  name: `${model}, ${mesh[1] * mesh[2]} A100`,
  shape: findModel(model),
  gpu: 'a100',
  mesh,
  batch,
  sequence: 2048,
  microBatch,
  chunks,
  layout: { attention: 'matrix', recompute: 'selective' } as const,
  published,
  counts: 'MFU' as const,
});

/** Megatron-Core's README of 2024: vocabulary 131,072, T 4,096; sizes fit embeddings that are not tied. */
const core = (heads: number, width: number, layers: number): Shape => ({
  ...FAMILIES.megatron,
  tied: false,
  layers,
  width,
  heads,
  keyValueHeads: heads,
  headSize: width / heads,
  feedForward: 4 * width,
  vocabulary: 131_072,
  positions: 4096,
});
const megatron = (
  group: string,
  name: string,
  shape: Shape,
  mesh: PublishedStep['mesh'],
  batch: number,
  published: number,
) => ({
  group,
  name: `${name}, ${mesh[0] * mesh[1] * mesh[2]} H100`,
  shape,
  gpu: 'h100',
  mesh,
  batch,
  sequence: 4096,
  microBatch: mesh[2] === 1 ? 0 : 1,
  chunks: mesh[2] === 1 ? 1 : shape.layers / mesh[2],
  overlapTensor: true,
  published,
  counts: 'MFU' as const,
});
const gpt3 = core(96, 12288, 96);
const strong = (data: number, published: number) =>
  megatron('GPT-3, strong scaling', 'GPT-3 177B', gpt3, [data, 8, 6, 1], 1152, published);
const weak = (name: string, shape: Shape, tensor: number, pipeline: number, batch: number, tflops: number) =>
  megatron('Megatron-Core', name, shape, [48, tensor, pipeline, 1], batch, (100 * tflops) / 989.4);

const llama3 = (mesh: PublishedStep['mesh'], batch: number, sequence: number, published: number) => ({
  group: 'Llama 3',
  name: `405B, ${mesh[0] * mesh[1] * mesh[2] * mesh[3]} H100, T ${sequence}`,
  shape: findModel('llama3.1-405b'),
  gpu: 'h100',
  mesh,
  batch,
  sequence,
  microBatch: 1,
  // One layer a chunk, one less on both ends: 128 chunks.
  chunks: 8,
  published,
  counts: 'MFU' as const,
});

const node = (
  model: string,
  gpu: string,
  data: number,
  batchTokens: number,
  microBatch: number,
  published: number,
  layout: Partial<Layout> = {},
  sequence = findModel(model).sequence,
) => ({
  group: 'Data parallel alone',
  name: `${model}, ${data} ${gpu}`,
  shape: findModel(model),
  gpu,
  mesh: [data, 1, 1, 1] as const,
  batch: batchTokens / sequence,
  sequence,
  microBatch,
  chunks: 1,
  layout,
  published,
  counts: 'MFU' as const,
});

/** Megatron-LM's examples/llama in fp8, of the fp8 peak; the batch is assumed. */
const fp8 = (model: string, mesh: PublishedStep['mesh'], chunks: number, tflops: number) => ({
  group: 'Megatron fp8',
  name: `${model}, ${mesh[0] * mesh[1] * mesh[2] * mesh[3]} H100`,
  shape: findModel(model),
  gpu: 'h100',
  mesh,
  batch: 64 * mesh[0],
  sequence: 8192,
  microBatch: 1,
  chunks,
  layout: { precision: 'fp8' } as const,
  overlapTensor: true,
  published: (100 * tflops) / 1979,
  counts: 'MFU' as const,
});

export const PUBLISHED_STEPS: readonly PublishedStep[] = [
  llama3([64, 8, 16, 1], 2048, 8192, 43),
  llama3([128, 8, 16, 1], 2048, 8192, 41),
  llama3([8, 8, 16, 16], 128, 131_072, 38),
  strong(2, 47),
  strong(48, 44),
  strong(96, 42),
  weak('1.7B', core(16, 2048, 24), 1, 1, 192, 408.8),
  weak('7.1B', core(32, 4096, 30), 2, 1, 192, 465.9),
  weak('16B', core(48, 6144, 32), 4, 1, 192, 489.1),
  weak('32B', core(56, 7168, 48), 8, 1, 192, 459.6),
  weak('70B', core(64, 8192, 84), 8, 2, 384, 419.7),
  weak('119B', core(80, 10240, 92), 8, 4, 768, 420.5),
  weak('314B', core(128, 16384, 96), 8, 8, 1536, 474.4),
  weak('462B', core(144, 18432, 112), 8, 16, 3072, 459.9),
  korthikanti('megatron-22b', [1, 8, 1, 1], 4, 4, 1, 41.5),
  korthikanti('megatron-175b', [1, 8, 8, 1], 64, 1, 3, 51.4),
  korthikanti('megatron-530b', [1, 8, 35, 1], 280, 1, 3, 56.0),
  korthikanti('megatron-1t', [1, 8, 64, 1], 512, 1, 1, 56.3),
  narayanan('1.7B, 32 A100', 'megatron-1.7b', [32, 1, 1, 1], 512, 137),
  narayanan('3.6B, 64 A100', 'megatron-3.6b', [32, 2, 1, 1], 512, 138),
  narayanan('7.5B, 128 A100', 'megatron-7.5b', [32, 4, 1, 1], 512, 142),
  narayanan('18B, 256 A100', 'megatron-18b', [32, 8, 1, 1], 1024, 135),
  narayanan('39B, 512 A100', 'megatron-39b', [32, 8, 2, 1], 1536, 138),
  narayanan('76B, 1,024 A100', 'megatron-76b', [32, 8, 4, 1], 1792, 140),
  narayanan('146B, 1,536 A100', 'megatron-145b', [24, 8, 8, 1], 2304, 148),
  narayanan('310B, 1,920 A100', 'megatron-310b', [15, 8, 16, 1], 2160, 155),
  narayanan('530B, 2,520 A100', 'megatron-530b', [9, 8, 35, 1], 2520, 163),
  narayanan('1T, 3,072 A100', 'megatron-1t', [6, 8, 64, 1], 3072, 163),
  fp8('llama3.1-8b', [4, 1, 1, 2], 1, 800),
  fp8('llama3.1-70b', [2, 4, 8, 1], 5, 780),
  fp8('llama3.1-405b', [8, 8, 8, 2], 8, 834),
  node('llm.c-124m', 'a100', 8, 524_288, 64, 59.8),
  node('llm.c-774m', 'a100', 8, 524_288, 16, 64.2),
  node('llm.c-1558m', 'h100', 8, 1_048_576, 16, 48.6),
  node('nanochat-d32', 'h100', 8, 524_288, 8, 50.9),
  node('tinyllama-1.1b', 'a100-40gb', 16, 2 ** 21, 8, 56, { zero: 3 }),
  node('llama3-8b', 'h100-96gb', 8, 16 * 8192, 2, 39, { zero: 3, recompute: 'selective' }, 8192),
  node('llama3-8b', 'h100-96gb', 128, 256 * 8192, 2, 38.1, { zero: 3, recompute: 'selective' }, 8192),
];

/** The layout of a row, what is not said filled in. */
export function layoutOf(row: PublishedStep): Layout {
  const [data, tensor, pipeline, context] = row.mesh;
  const share = row.batch / data;
  const layout: Layout = {
    mesh: { data, tensor, pipeline, context },
    zero: 1,
    microBatch: row.microBatch,
    microBatches: share / row.microBatch,
    sequence: row.sequence,
    recompute: 'none',
    attention: 'flash',
    precision: 'bf16',
    chunks: row.chunks,
    sequenceParallel: tensor > 1,
    ...row.layout,
  };
  if (row.microBatch > 0) return layout;
  for (let microBatch = 1, best = layout; ; microBatch *= 2) {
    const next = { ...layout, microBatch, microBatches: share / microBatch };
    const fits = memoryPerGpu(row.shape, next).total <= findGpu(row.gpu).memory;
    if (microBatch > 1 && (!fits || share % microBatch !== 0)) return best;
    best = next;
  }
}

/** Simulates a row; `share` is in the row's own count [%]. */
export function simulateRow(row: PublishedStep, seed = 1): StepResult & { share: number; layout: Layout } {
  const layout = layoutOf(row);
  const schedule = layout.chunks > 1 ? 'interleaved' : '1f1b';
  const step = { shape: row.shape, gpu: findGpu(row.gpu), layout, schedule, overlapTensor: row.overlapTensor ?? false };
  const result = simulateStep({ ...step, schedule, seed });
  const again = row.counts === 'HFU' ? recomputed(row.shape, row.sequence, layout.recompute, layout.attention) : 0;
  return { ...result, layout, share: 100 * result.mfu * (1 + again) };
}
