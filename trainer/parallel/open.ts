import { GarnerError } from '../../core/errors.ts';
import type { Group, World } from '../collectives/group.ts';
import { openEngine } from '../engines/open.ts';
import { openBatch, type Batch } from '../loader/samples.ts';
import { keepRows } from '../lora/rows.ts';
import { checkConfig, type ModelConfig } from '../model/config.ts';
import { startWeight } from '../model/initialise.ts';
import { parametersOf } from '../model/size.ts';
import { weightsOf } from '../model/weights.ts';
import { sizeOf, type Numbers, type Tensor } from '../ops/define.ts';
import { fillTable } from '../ops/rope/reference.ts';
import { layOut } from '../program/plan.ts';
import { reserveArena, viewOf, type Hosts } from '../program/replay.ts';
import { sumLosses, takeRows } from '../session/rows.ts';
import { bindChunks, placeChunks, type BoundChunk } from './chunks.ts';
import { collectTensor, placeTensor, type Stored } from './collect.ts';
import { openGradients, ownParts, roundsOf, slotOf } from './gradients.ts';
import type { Fill, Learner, LossSum } from './learner.ts';
import type { LocalWeight } from './local.ts';
import { groupsAlong, placeOf, ranksOf, type Mesh } from './mesh.ts';
import { scheduleOf, type ParallelOptions } from './options.ts';
import { boundaryOf, planRank } from './rank-plan.ts';
import { MAILBOX_DEPTH, workOf } from './schedule.ts';
import { openUpdate } from './update.ts';

export interface LearnerOptions {
  /** Rows of a micro-batch. */
  batch: number;
  /** Tokens of a row. */
  sequence: number;
  threads: number;
  engine: 'cpu' | 'reference';
  seed: number;
  /** Attention and positions stay inside a document. */
  documents: boolean;
  parallel: ParallelOptions;
}

/** What a world must be opened with for a learner of this shape. */
export const mailboxOf = (config: ModelConfig, { batch, sequence, parallel }: LearnerOptions) => ({
  floats: boundaryOf(config, batch * sequence, parallel),
  depth: MAILBOX_DEPTH,
});

/**
 * Opens this rank's part of a model: plans its programs and memory, fills the weights from the seed. Each method is then
 * replays, and words to the other ranks between them. Throws a GarnerError on a shape that cannot be.
 */
export function openLearner(config: ModelConfig, options: LearnerOptions, world: World): Learner {
  checkConfig(config);
  const { batch: micro, sequence, parallel } = options;
  const { mesh } = parallel;
  if (world.ranks !== ranksOf(mesh)) throw new Error(`${world.ranks} ranks in a mesh of ${ranksOf(mesh)}`);
  const place = placeOf(world.rank, mesh);
  const groups = openGroups(config, parallel, world);
  const plan = planRank(config, { micro, sequence }, parallel, place);
  const { local } = plan;
  const memory = placeChunks(plan.chunks, parallel, place.pipeline);
  const engine = openEngine(options.engine, options.threads);
  const own = ownParts(local, groups.data, parallel.zero);
  const ownSize = own.reduce((sum, { from, to }) => sum + to - from, 0);

  const whole = (name: string, size: number, zone: Tensor['zone']): Tensor => ({
    name,
    shape: [size],
    type: 'f32',
    zone,
  });
  const zones = {
    weights: whole('weights', local.size, 'weights'),
    gradients: whole('gradients', parallel.zero === 2 ? ownSize : local.gradients, 'gradients'),
    first: whole('first moments', ownSize, 'optimizer'),
    second: whole('second moments', ownSize, 'optimizer'),
  };
  const places = new Map<Tensor, number>();
  layOut(plan.weights, 4, places, false);
  if (parallel.zero < 2) layOut(plan.gradients, 4, places, false);
  places.set(zones.weights, 0).set(zones.gradients, 0);
  const bytes = {
    weights: 4 * local.size,
    gradients: 4 * sizeOf(zones.gradients.shape),
    optimizer: layOut([zones.first, zones.second], 4, places, true),
    inputs: layOut(Object.values(plan.inputs), 4, places, true),
    activations: memory.activations,
  };
  const arena = reserveArena({ allocate: (size) => world.reserve(size) }, bytes, places);
  const view = <T extends Numbers>(tensor: Tensor) => viewOf(tensor, arena, memory.judge[0]!) as T;
  const weights = view<Float32Array>(zones.weights);
  const moments = { first: view<Float32Array>(zones.first), second: view<Float32Array>(zones.second) };
  const gradients = openGradients({
    local,
    options: parallel,
    engine,
    zone: view<Float32Array>(zones.gradients),
    data: groups.data,
    copies: groups.copies,
    ends: groups.ends,
  });
  const hosts = hostsOf(groups, parallel, (number, held) => gradients.bucket(number, held));
  const chunks = bindChunks(plan.chunks, memory, arena, engine, hosts);
  const update = openUpdate({
    config,
    local,
    engine,
    gradients,
    weights,
    moments,
    data: groups.data,
    shared: parallel.zero > 0,
    model: groups.model,
  });
  fillTable(view(plan.inputs.table), sequence, config.headSize, config.ropeTheta);

  const stored: Stored = {
    config,
    options: parallel,
    place,
    world,
    data: groups.data,
    message: mailboxOf(config, options).floats,
    local,
    weights,
    moments,
    own,
  };
  const specs = weightsOf(config);
  const kept = keepRows(config.lora, local, weights);
  startWeights(config, options.seed, stored);
  kept.take();

  const rows = openRows(plan.inputs, view, openBatch(micro, sequence, options.documents), config.vocabulary);
  const speaks = place.tensor === 0 && place.pipeline === mesh.pipeline - 1;
  const passing = parallel.zero === 2;
  /** Adds what each data rank says, as many at once as a group can. */
  const sumOf = (numbers: ArrayLike<number>): Float64Array => {
    const all = new Float64Array(numbers.length);
    for (let from = 0; from < all.length; from += MOST_SUMMED) {
      const part = Array.from({ length: Math.min(MOST_SUMMED, all.length - from) }, (_, i) =>
        speaks ? numbers[from + i]! : 0,
      );
      all.set(world.sum(part), from);
    }
    return all;
  };
  /** Adds the losses of all slots in their order: the same bits on every mesh that gives the same losses. */
  const total = (slots: number, losses: ReadonlyMap<number, LossSum>): LossSum => {
    const numbers = new Float64Array(2 * slots);
    for (const [slot, { lossSum, tokens }] of losses) {
      numbers[2 * slot] = lossSum;
      numbers[2 * slot + 1] = tokens;
    }
    const all = sumOf(numbers);
    const sum = { lossSum: 0, tokens: 0 };
    for (let slot = 0; slot < slots; slot++) {
      sum.lossSum += all[2 * slot]!;
      sum.tokens += all[2 * slot + 1]!;
    }
    return sum;
  };

  return {
    config,
    parameters: parametersOf(config),
    tensors: specs.map(({ name, shape, frozen }) => ({ name, shape, trained: !frozen })),
    accumulate(slots, fill, weigh) {
      if (weigh) checkWhole(mesh);
      const rounds = roundsOf(slots, mesh.data, passing);
      const slot = (m: number) => slotOf(m, rounds, groups.data, passing);
      const losses = new Map<number, LossSum>();
      gradients.open(rounds);
      if (mesh.pipeline === 1) {
        for (let m = 0; m < rounds.count; m++) {
          rows.take(fill, slot(m));
          if (weigh) {
            rows.scales.fill(1);
            chunks[0]!.judge();
            weigh(slot(m), chunks[0]!.judged!, rows.scales);
          }
          gradients.before(0, m);
          chunks[0]!.both();
          losses.set(slot(m), sumLosses(chunks[0]!.loss(0)!, rows.targets));
        }
      } else {
        const shape = { stages: mesh.pipeline, micro: rounds.count, chunks: parallel.chunks };
        for (const work of workOf(scheduleOf(parallel), shape, place.pipeline)) {
          const chunk = chunks[work.chunk]!;
          const at = work.micro % chunk.slots;
          rows.take(fill, slot(work.micro));
          if (work.kind === 'forward') {
            chunk.forward(at);
            const loss = chunk.loss(at);
            if (loss) losses.set(slot(work.micro), sumLosses(loss, rows.targets));
          } else {
            gradients.before(chunk.index, work.micro);
            chunk.backward(at);
          }
        }
      }
      gradients.close();
      rows.forget();
      return total(slots, losses);
    },
    evaluate(slots, fill) {
      const losses = new Map<number, LossSum>();
      for (const { chunk, micro: m } of judgingOrder(slots, parallel, place, chunks)) {
        const slot = m * mesh.data + place.data;
        rows.take(slot < slots ? fill : none, slot);
        chunk.judge();
        if (chunk.judged && slot < slots) losses.set(slot, sumLosses(chunk.judged, rows.targets));
      }
      rows.forget();
      return total(slots, losses);
    },
    values(slots, fill, each) {
      checkWhole(mesh);
      for (let slot = place.data; slot < slots; slot += mesh.data) {
        rows.take(fill, slot);
        rows.scales.fill(1);
        chunks[0]!.judge();
        each(slot, chunks[0]!.judged!);
      }
      rows.forget();
    },
    sum: sumOf,
    update(what) {
      const done = update(what);
      if (parallel.zero > 0)
        local.buckets.forEach(({ from, to, second }, number) => {
          if (!second) groups.data.allGather(weights.subarray(from, to), own[number]!.edges);
        });
      kept.spread();
      return done;
    },
    collect: (name, kind) => collectTensor(name, kind, stored),
    place(name, kind, tensor) {
      placeTensor(name, kind, tensor, stored);
      if (kind === 'weight') kept.placed(name);
    },
    memory: () => ({
      weights: bytes.weights,
      gradients: bytes.gradients + gradients.bytes(),
      optimizer: bytes.optimizer,
      activations: bytes.activations + bytes.inputs + engine.scratchBytes(),
    }),
    close: () => engine.close(),
  };
}

/** Numbers that a group adds at once. */
const MOST_SUMMED = 65_536;

/** Throws a GarnerError where the model is spread over stages: none has both the rows and what the model says of them. */
function checkWhole({ pipeline }: Mesh): void {
  if (pipeline > 1)
    throw new GarnerError({
      what: `losses that weigh answers do not run on a pipeline of ${pipeline} ranks`,
      where: 'parallel',
      hint: 'take data or tensor ranks',
      fault: 2,
    });
}

/** Rows without a target: they fill up the last round of a measurement. */
const none: Fill = (_, into) => {
  into.tokens.fill(0);
  into.targets.fill(-1);
  into.documents?.fill(0);
};

interface Groups {
  data: Group;
  tensor: Group;
  pipeline: Group;
  /** The ranks that hold one model between them. */
  model: Group;
  ends: Group | null;
  copies: (weight: LocalWeight) => Group | null;
}

/** Every group of a mesh; all ranks make all of them in one order. */
function openGroups(config: ModelConfig, options: ParallelOptions, world: World): Groups {
  const { mesh } = options;
  const everyone = Array.from({ length: world.ranks }, (_, r) => r);
  const by = (key: (place: Mesh) => string) => {
    const lists = new Map<string, number[]>();
    for (const rank of everyone) {
      const name = key(placeOf(rank, mesh));
      lists.set(name, [...(lists.get(name) ?? []), rank]);
    }
    return [...lists.values()];
  };
  const [data, tensor, pipeline] = (['data', 'tensor', 'pipeline'] as const).map((axis) =>
    world.split(groupsAlong(axis, mesh)),
  ) as [Group, Group, Group];
  const model = world.split(by((p) => String(p.data)));
  const isEnd = (p: Mesh) => p.pipeline === 0 || p.pipeline === mesh.pipeline - 1;
  const twoEnds = config.tiedEmbeddings && mesh.pipeline > 1;
  const ends = twoEnds ? world.split(by((p) => `${p.tensor} ${p.data} ${isEnd(p) ? 'end' : p.pipeline}`)) : null;
  const each = mesh.tensor / config.keyValueHeads;
  const heads = each > 1 ? world.split(by((p) => `${p.data} ${p.pipeline} ${Math.floor(p.tensor / each)}`)) : null;
  return {
    data,
    tensor,
    pipeline,
    model,
    ends: twoEnds && isEnd(placeOf(world.rank, mesh)) ? ends : null,
    copies({ spec, part }) {
      if (/[kv]_proj/.test(spec.name)) return heads;
      return options.sequence && part.axis === null && mesh.tensor > 1 ? tensor : null;
    },
  };
}

/** What runs outside the engine, by name. */
function hostsOf(
  { tensor, pipeline }: Groups,
  { mesh }: ParallelOptions,
  bucket: (number: number, memory?: Float32Array) => void,
): Hosts {
  const even = (length: number) => Array.from({ length: tensor.ranks + 1 }, (_, r) => (length / tensor.ranks) * r);
  const floats = (numbers: Numbers | undefined) => numbers as Float32Array;
  return {
    tensor_all_reduce: ([y]) => tensor.allReduce(floats(y)),
    tensor_reduce_scatter: ([y, x]) => {
      tensor.reduceScatter(floats(x), even(x!.length));
      y!.set(x!.subarray(tensor.rank * y!.length, (tensor.rank + 1) * y!.length));
    },
    tensor_all_gather: ([y, x]) => {
      y!.set(x!, tensor.rank * x!.length);
      tensor.allGather(floats(y), even(y!.length));
    },
    pipeline_receive: ([x], [chunk]) => pipeline.receive(floats(x), chunk! % mesh.pipeline),
    pipeline_send: ([x], [chunk]) => pipeline.send(floats(x), chunk! % mesh.pipeline),
    bucket_ready: (_, [number]) => bucket(number!),
    bucket_shrink: ([x], [number]) => bucket(number!, floats(x)),
  };
}

/** Fills this rank's weights from the seed: each whole tensor is made, and its part taken out. */
function startWeights(config: ModelConfig, seed: number, stored: Stored): void {
  for (const { spec } of stored.local.weights) {
    const whole = new Float32Array(sizeOf(spec.shape));
    startWeight(spec, config, seed, whole);
    placeTensor(spec.name, 'weight', whole, stored);
  }
}

/** The rows that are in the arena now: filled again only where another micro-batch comes. */
function openRows(
  tensors: Record<'tokens' | 'targets' | 'scales' | 'positions' | 'starts', Tensor>,
  view: <T extends Numbers>(tensor: Tensor) => T,
  batch: Batch,
  vocabulary: number,
) {
  const into = {
    tokens: view<Int32Array>(tensors.tokens),
    targets: view<Int32Array>(tensors.targets),
    scales: view<Float32Array>(tensors.scales),
    positions: view<Int32Array>(tensors.positions),
    starts: view<Int32Array>(tensors.starts),
  };
  let there: { fill: Fill; slot: number } | null = null;
  return {
    targets: into.targets,
    scales: into.scales,
    take(fill: Fill, slot: number) {
      if (there?.fill === fill && there.slot === slot) return;
      batch.scales.fill(1);
      fill(slot, batch);
      takeRows(into, batch, vocabulary, batch.sequence);
      there = { fill, slot };
    },
    forget: () => void (there = null),
  };
}

/** Forward halves of `slots` micro-batches over the data ranks, in an order in which no stage waits in a circle. */
function judgingOrder(
  slots: number,
  options: ParallelOptions,
  place: Mesh,
  chunks: readonly BoundChunk[],
): { chunk: BoundChunk; micro: number }[] {
  const { mesh } = options;
  const rounds = Math.ceil(slots / mesh.data);
  const stages = mesh.pipeline;
  if (stages === 1) return Array.from({ length: rounds }, (_, m) => ({ chunk: chunks[0]!, micro: m }));
  const micro = Math.ceil(rounds / stages) * stages;
  const shape = { stages, micro, chunks: options.chunks };
  return workOf(scheduleOf(options), shape, place.pipeline)
    .filter((work) => work.kind === 'forward')
    .map((work) => ({ chunk: chunks[work.chunk]!, micro: work.micro }));
}
