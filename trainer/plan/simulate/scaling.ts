import { GarnerError } from '../../../core/errors.ts';
import type { Gpu } from '../gpus.ts';
import { memoryPerGpu, type Layout } from '../memory.ts';
import { sizeOf } from '../mesh.ts';
import { parametersOf, type Shape } from '../shape.ts';
import { FAILURES } from './constants.ts';
import { expectedEffective } from './failures.ts';
import { simulateStep, type StepResult } from './step.ts';

/** What a scaling curve is drawn of: one model and batch, the mesh of `layout` with more and fewer data-parallel replicas. */
export interface ScalingQuestion {
  shape: Shape;
  gpu: Gpu;
  layout: Layout;
  /** Tensor-parallel collectives run beside the products. Absent: they do not. */
  overlapTensor?: boolean;
  /** Failures a GPU and hour. Absent: Llama 3's. */
  failures?: number;
  /** Bytes of a GPU. Absent: the GPU's own. */
  memory?: number;
  /** The most GPUs. Absent: 16,384. */
  most?: number;
  seed?: number;
}

export interface ScalingPoint extends StepResult {
  gpus: number;
  layout: Layout;
  /** Share of the time that is left beside failures, restarts and checkpoints. */
  effective: number;
  /** Whether it fits in a GPU's memory. */
  fits: boolean;
}

const MOST = 16_384;
/** Forwards of a step over all GPUs' stages and chunks that are simulated in seconds. */
const MOST_WORK = 1e6;
/** Fewer counts of replicas than these make no curve: then the batch may lose this share, what no replica can take. */
const FEW = 4;
const LEFT_OUT = 0.05;
/** Points stand at least so far apart. */
const APART = 1.45;

/**
 * Simulates the same step on ever more GPUs: the batch stays, each replica gets fewer micro-batches (strong scaling); a batch
 * of few divisors loses up to a twentieth. From one replica up to the most GPUs that the batch and the schedule allow; the layout's own count is always among them. Throws a
 * GarnerError where the schedule does not fit the layout itself.
 */
export function scalingCurve(question: ScalingQuestion): ScalingPoint[] {
  const { shape, gpu, layout, memory = gpu.memory, most = MOST } = question;
  const { mesh } = layout;
  const replica = sizeOf({ ...mesh, data: 1 });
  const pieces = mesh.data * layout.microBatches;
  checkSize(layout, pieces, most);
  const group = layout.chunks === 1 ? 1 : mesh.pipeline;
  const microBatchesOf = (data: number) => group * Math.floor(pieces / data / group);
  const counts = Array.from({ length: Math.min(pieces, Math.floor(most / replica)) }, (_, i) => i + 1);
  const losing = (share: number) => counts.filter((data) => microBatchesOf(data) * data >= (1 - share) * pieces);
  const exact = losing(0);
  const candidates = exact.length < FEW ? losing(LEFT_OUT) : exact;
  if (!candidates.includes(mesh.data)) candidates.push(mesh.data);
  return thin(
    candidates.toSorted((a, b) => a - b),
    mesh.data,
  ).map((data) => {
    const own: Layout = {
      ...layout,
      mesh: { ...mesh, data },
      microBatches: data === mesh.data ? layout.microBatches : microBatchesOf(data),
    };
    const gpus = data * replica;
    const step = simulateStep({
      shape,
      gpu,
      layout: own,
      schedule: layout.chunks > 1 ? 'interleaved' : '1f1b',
      overlapTensor: question.overlapTensor ?? false,
      seed: question.seed ?? 1,
    });
    const run = { gpus, node: gpu.node, parameters: parametersOf(shape), rate: question.failures ?? FAILURES };
    return {
      ...step,
      gpus,
      layout: own,
      effective: expectedEffective(run),
      fits: memoryPerGpu(shape, own).total <= memory,
    };
  });
}

/** Leaves out what stands too close to the one before it; the ends and `kept` stay. */
function thin(ascending: number[], kept: number): number[] {
  const last = ascending.at(-1);
  const out: number[] = [];
  for (const n of ascending) {
    const must = n === kept || n === last;
    const near = (m: number | undefined) => m !== undefined && n / m < APART;
    if (must) while (near(out.at(-1)) && out.at(-1) !== kept && out.length > 1) out.pop();
    if (must || !near(out.at(-1))) out.push(n);
  }
  return out;
}

function checkSize({ mesh, chunks }: Layout, pieces: number, most: number): void {
  const wrong = (what: string, hint: string) => new GarnerError({ what, where: '--plot', hint, fault: 2 });
  if (sizeOf(mesh) > most) throw wrong(`${sizeOf(mesh)} GPUs`, `the simulation goes up to ${most}`);
  const work = pieces * mesh.pipeline * chunks;
  if (work > MOST_WORK)
    throw wrong(
      `${pieces} micro-batches × pipeline ${mesh.pipeline} × ${chunks} chunks = ${work} pieces of work in a step`,
      `the simulation takes up to ${MOST_WORK}: choose a smaller --batch or a larger --micro-batch`,
    );
}
