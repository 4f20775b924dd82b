import { GarnerError } from '../../core/errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { ranksOf, type Mesh } from './mesh.ts';
import { checkSchedule, type Schedule } from './schedule.ts';
import { checkSplit } from './split.ts';

/** How a training is spread over ranks. Nothing of it changes what is trained. */
export interface ParallelOptions {
  mesh: Mesh;
  /** Runs of layers on each pipeline rank: above 1 the schedule is interleaved. */
  chunks: number;
  /** Data ranks share the optimizer's state (1), and gradients too (2). */
  zero: 0 | 1 | 2;
  /** Tensor ranks share the rows between matrices. */
  sequence: boolean;
  /** What the backward half makes again instead of keeping it: norms and activations (selective), whole layers (full). */
  recompute: 'none' | 'selective' | 'full';
}

/** One rank: nothing is shared, nothing made again. */
export const ALONE: ParallelOptions = {
  mesh: { data: 1, tensor: 1, pipeline: 1 },
  chunks: 1,
  zero: 0,
  sequence: false,
  recompute: 'none',
};

/** The order of work on each stage. */
export const scheduleOf = ({ chunks }: Pick<ParallelOptions, 'chunks'>): Schedule =>
  chunks > 1 ? 'interleaved' : '1f1b';

/**
 * Throws a GarnerError with both sides of the first equation that does not hold. rows of a batch, of a micro-batch and
 * tokens of a row.
 */
export function checkParallel(
  config: ModelConfig,
  options: ParallelOptions,
  shape: { batch: number; micro: number; sequence: number },
): void {
  const { mesh, chunks } = options;
  const wrong = (what: string, hint: string): never => {
    throw new GarnerError({ what, where: 'parallel', hint, fault: 2 });
  };
  if (chunks > 1 && mesh.pipeline === 1)
    wrong(`${chunks} chunks on a pipeline of 1 rank`, 'chunks are for pipelines of 2 ranks and more');
  const parts = mesh.pipeline * chunks;
  if (config.layers % parts !== 0)
    wrong(
      `${config.layers} layers = pipeline ${mesh.pipeline} × chunks ${chunks} × ${(config.layers / parts).toFixed(2)}`,
      'pipeline × chunks must divide the layers',
    );
  if (config.lora && mesh.tensor * mesh.pipeline > 1)
    wrong(
      `adapters on tensor ${mesh.tensor} × pipeline ${mesh.pipeline} ranks`,
      'an adapter is trained by data ranks: leave tensor and pipeline at 1',
    );
  checkSplit(config, mesh.tensor);
  const rows = shape.micro * shape.sequence;
  if (options.sequence && rows % mesh.tensor !== 0)
    wrong(
      `${rows} tokens of a micro-batch = tensor ${mesh.tensor} × ${(rows / mesh.tensor).toFixed(2)}`,
      'with sequence: true the tensor ranks must divide them',
    );
  const share = mesh.data * shape.micro;
  if (shape.batch % share !== 0)
    wrong(
      `a batch of ${shape.batch} = data ${mesh.data} × micro_batch ${shape.micro} × ${(shape.batch / share).toFixed(2)}`,
      'data × micro_batch must divide the batch',
    );
  if (ranksOf(mesh) > 1024) wrong(`${ranksOf(mesh)} ranks`, 'at most 1,024');
  checkSchedule(scheduleOf(options), { stages: mesh.pipeline, micro: shape.batch / share, chunks });
}
