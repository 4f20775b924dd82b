import type { Group } from '../collectives/group.ts';
import type { BoundCall, Engine } from '../engines/engine.ts';
import { weightsOf } from '../model/weights.ts';
import type { ModelConfig } from '../model/config.ts';
import { adamw } from '../ops/adamw/op.ts';
import { HYPER } from '../ops/adamw/reference.ts';
import type { Tensor } from '../ops/define.ts';
import { gradientNorm, normLength } from '../ops/gradient-norm/op.ts';
import { setUpdate, type UpdateOptions } from '../optimizer/adamw.ts';
import type { Gradients } from './gradients.ts';
import { BLOCK, type LocalWeights } from './local.ts';

const some: Tensor = { name: '', shape: [1], type: 'f32', zone: 'optimizer' };
const { kernel: SQUARES } = gradientNorm({ norm: some, gradient: some }, { size: 1 });
const { kernel: ADAMW } = adamw(
  { weight: some, first: some, second: some, gradient: some, norm: some, hyper: some },
  { size: 1, decayed: 0 },
);

export interface UpdateParts {
  config: ModelConfig;
  local: LocalWeights;
  engine: Engine;
  gradients: Gradients;
  weights: Float32Array;
  /** Of the own parts, bucket by bucket. */
  moments: Record<'first' | 'second', Float32Array>;
  /** Data ranks; their parts of the gradient differ where `shared`. */
  data: Group;
  shared: boolean;
  /** The ranks that hold one model between them. */
  model: Group;
}

/**
 * Norm, clipping and AdamW over the own parts of all buckets. The squares of a weight are summed in blocks from its start,
 * blocks in order, weights in the order of the model: the same bits whoever holds what, where no weight is cut.
 */
export function openUpdate(parts: UpdateParts): (options: UpdateOptions) => { gradientNorm: number } {
  const { config, local, engine, gradients, weights, moments, data, shared, model } = parts;
  const float64 = (length: number) => {
    const { buffer, byteOffset } = engine.allocate(8 * length);
    return new Float64Array(buffer, byteOffset, length);
  };
  const hyper = float64(HYPER.length);
  const norm = float64(1);
  const order = new Map(weightsOf(config).map(({ name }, i) => [name, i]));
  const firstBlock: number[] = [];
  let blocks = 0;
  for (const { size } of local.trained) {
    firstBlock.push(blocks);
    blocks += Math.ceil(size / BLOCK);
  }
  const sums = float64(Math.max(1, blocks));

  const squares: BoundCall[] = [];
  const updates: BoundCall[] = [];
  const found: { from: Float64Array; block: number }[] = [];
  let start = 0;
  local.buckets.forEach((bucket, number) => {
    const { gradients: own, from, to } = gradients.own(number);
    const moment = start;
    start += to - from;
    if (bucket.second || to === from) return;
    for (const weight of bucket.weights) {
      const begin = Math.max(from, weight.from - bucket.from);
      const end = Math.min(to, weight.from - bucket.from + weight.size);
      if (end <= begin) continue;
      const into = float64(normLength(end - begin));
      squares.push({
        kernel: SQUARES,
        views: [into, own.subarray(begin - from, end - from)],
        adds: 0,
        numbers: [end - begin],
      });
      const block = (bucket.from + begin - weight.from) / BLOCK;
      found.push({ from: into, block: firstBlock[local.trained.indexOf(weight)]! + block });
    }
    const size = to - from;
    updates.push({
      kernel: ADAMW,
      views: [
        weights.subarray(bucket.from + from, bucket.from + to),
        moments.first.subarray(moment, moment + size),
        moments.second.subarray(moment, moment + size),
        own,
        norm,
        hyper,
      ],
      adds: 0,
      numbers: [size, bucket.decay ? size : 0],
    });
  });
  const run = { squares: engine.bind(squares), updates: engine.bind(updates) };

  const wholeNorm = (): number => {
    run.squares();
    sums.fill(0);
    for (const { from, block } of found) sums.set(from.subarray(1), block);
    if (shared) data.allReduce(sums);
    const perWeight = new Float64Array(order.size);
    local.trained.forEach(({ spec, size, counts }, i) => {
      if (!counts) return;
      let sum = 0;
      for (let b = 0; b < Math.ceil(size / BLOCK); b++) sum += sums[firstBlock[i]! + b]!;
      perWeight[order.get(spec.name)!] = sum;
    });
    return Math.sqrt(model.sum([...perWeight]).reduce((a, b) => a + b, 0));
  };
  return (options) => {
    norm[0] = wholeNorm();
    setUpdate(hyper, options);
    run.updates();
    return { gradientNorm: norm[0] * Math.abs(options.gradientScale) };
  };
}
