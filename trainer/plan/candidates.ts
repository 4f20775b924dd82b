import { flopsPerToken, recomputed, type Recompute } from './flops.ts';
import { peakOf, type Gpu } from './gpus.ts';
import { memoryPerGpu, type Layout, type Memory } from './memory.ts';
import { bubble, describePlanMesh, type PlanMesh } from './mesh.ts';
import { layerParameters, type Shape } from './shape.ts';

/** What is to be laid out; what is left open is searched. */
export interface Wanted {
  shape: Shape;
  gpu: Gpu;
  gpus: number;
  /** Bytes of a GPU. */
  capacity: number;
  sequence: number;
  /** Rows of a step. */
  rows: number;
  /** Share of the peak that products reach alone. */
  efficiency: number;
  fixed: Pick<Layout, 'attention' | 'precision' | 'sequenceParallel'>;
  mesh?: PlanMesh | undefined;
  zero?: Layout['zero'] | undefined;
  recompute?: Recompute | undefined;
  microBatch?: number | undefined;
  chunks?: number | undefined;
}

/** A way to lay a training out, with what it needs and a sketch of what it loses. */
export interface Candidate {
  layout: Layout;
  memory: Memory;
  fits: boolean;
  /** Share of a step that computes what the model needs. */
  useful: number;
}

const divisors = (n: number, most: number): number[] =>
  Array.from({ length: Math.min(n, most) }, (_, i) => i + 1).filter((d) => n % d === 0);

/** All candidates, those that fit first, then by the share of the step that computes. */
export function candidates(w: Wanted): Candidate[] {
  const found: Candidate[] = [];
  for (const mesh of w.mesh ? [w.mesh] : meshesOf(w)) {
    // Whoever names a mesh gets the plain schedule and Megatron's distributed optimizer, not a search.
    const usual: Layout['zero'][] = w.mesh ? zerosOf(mesh).slice(0, 1) : zerosOf(mesh);
    for (const zero of w.zero === undefined ? usual : [w.zero]) {
      const best = layoutsOf(w, mesh, zero)
        .map((layout) => weigh(w, layout))
        .reduce((a, b) => (better(a, b) ? a : b));
      found.push(best);
    }
  }
  return found.toSorted((a, b) => (better(a, b) ? -1 : 1));
}

/** One that fits before one that does not; then what computes more; of those that do not fit, what needs less. */
const better = (a: Candidate, b: Candidate): boolean =>
  a.fits === b.fits ? (a.fits ? a.useful >= b.useful : a.memory.total <= b.memory.total) : a.fits;

/**
 * Meshes of all GPUs: tensor inside a node (at most 8), context for long rows, any pipeline that the layers allow, and a row
 * of the batch for each replica where that is possible.
 */
function meshesOf({ shape, gpu, gpus, sequence, rows }: Wanted): PlanMesh[] {
  const meshes: PlanMesh[] = [];
  for (const tensor of [1, 2, 4, 8].filter((t) => t <= gpu.node && gpus % t === 0 && shape.heads % t === 0))
    for (const context of [1, 2, 4, 8, 16].filter(
      (c) => (c === 1 || sequence / c >= 4096) && sequence % c === 0 && (gpus / tensor) % c === 0,
    ))
      for (const pipeline of divisors(gpus / tensor / context, shape.layers))
        meshes.push({ data: gpus / tensor / context / pipeline, tensor, pipeline, context });
  const served = meshes.filter((m) => m.data <= rows);
  return served.length > 0 ? served : meshes;
}

/** ZeRO-3 gathers weights for each micro-batch, which a pipeline has many of: only without one. */
const zerosOf = (mesh: PlanMesh): Layout['zero'][] =>
  mesh.data * mesh.context === 1 ? [0] : mesh.pipeline > 1 ? [1] : [1, 3];

/** The open choices of a mesh: recomputation, micro-batch, chunks. */
function layoutsOf(w: Wanted, mesh: PlanMesh, zero: Layout['zero']): Layout[] {
  const perReplica = Math.max(1, Math.floor(w.rows / mesh.data));
  const micro = w.microBatch === undefined ? [1, 2, 4, 8, 16].filter((b) => perReplica % b === 0) : [w.microBatch];
  const stageLayers = Math.ceil(w.shape.layers / mesh.pipeline);
  const chunks =
    w.chunks === undefined ? [1, ...(!w.mesh && mesh.pipeline > 1 && stageLayers % 2 === 0 ? [2] : [])] : [w.chunks];
  const again: Recompute[] = w.recompute === undefined ? ['none', 'selective', 'full'] : [w.recompute];
  return micro.flatMap((microBatch) =>
    chunks
      // Interleaving needs the micro-batches in groups of the pipeline.
      .filter((v) => v === 1 || w.chunks !== undefined || (perReplica / microBatch) % mesh.pipeline === 0)
      .flatMap((v) =>
        again.map((recompute) => ({
          ...w.fixed,
          mesh,
          zero,
          microBatch,
          microBatches: microBatchesOf(perReplica / microBatch, v === 1 ? 1 : mesh.pipeline),
          sequence: w.sequence,
          recompute,
          chunks: v,
        })),
      ),
  );
}

/** Whole micro-batches, in groups of the pipeline where it is interleaved. */
const microBatchesOf = (wanted: number, group: number): number =>
  wanted >= group ? Math.floor(wanted / group) * group : Math.max(1, Math.floor(wanted));

/** Share of a link's bandwidth that collectives reach (8 H100: 360 to 370 of 450 GB/s). */
const LINK_SHARE = 0.8;
/** Share of the backward behind which gradients and gathered weights can hide. */
const HIDDEN = 0.6;
/** Seconds to launch the kernels of a layer, forward and backward: 30 of 3 µs. */
const LAUNCHES = 90e-6;

/** Memory and time of one layout. A sketch that ranks; the simulator plays steps in detail. */
function weigh(w: Wanted, layout: Layout): Candidate {
  const { shape: s, gpu } = w;
  const { mesh, sequence } = layout;
  const { data, tensor, pipeline, context } = mesh;
  const memory = memoryPerGpu(s, layout);
  const element = layout.precision === 'fp32' ? 4 : 2;
  const tokens = (layout.microBatch * layout.microBatches * sequence) / context;
  const layers = s.layers / pipeline;
  const link = gpu.link * LINK_SHARE;
  const network = gpu.network * LINK_SHARE;
  const own = (tokens * flopsPerToken(s, sequence)) / (tensor * pipeline);
  const compute = own / (peakOf(gpu, layout.precision) * w.efficiency);
  const extra = recomputed(s, sequence, layout.recompute, layout.attention);
  const reduces = layout.recompute === 'full' ? 6 : 4;
  const ring = (n: number) => (n - 1) / n;
  const tensorBytes = tokens * layers * reduces * s.width * element * 2 * ring(tensor);
  const keyValues = tokens * layers * 3 * 2 * s.keyValueHeads * s.headSize * element * ring(context);
  // Gradients in fp32 out and weights back once a step, or both ways for each micro-batch under ZeRO-3.
  const passes = layout.zero === 3 ? layout.microBatches : 1;
  const shares = data * context;
  const dataBytes =
    (passes * (4 + (layout.zero === 3 ? 2 : 1) * element) * layers * layerParameters(s) * ring(shares)) / tensor;
  const dataTime = dataBytes / (tensor * shares > gpu.node ? network : link);
  const losses = [
    compute * (1 + extra) * bubble(pipeline, layout.microBatches, layout.chunks),
    tensorBytes / (tensor > gpu.node ? network : link),
    0.1 * dataTime + Math.max(0, 0.9 * dataTime - HIDDEN * compute),
    (0.3 * keyValues) / (tensor * context > gpu.node ? network : link),
    compute * extra,
    LAUNCHES * layout.microBatches * layers,
  ];
  const lost = losses.reduce((a, b) => a + b, 0);
  return { layout, memory, fits: memory.total <= w.capacity, useful: compute / (compute + lost) };
}

/** `data 128 × tensor 8, ZeRO-1, micro-batch 2`: everything that a layout chooses. */
export function describeLayout(l: Layout): string {
  const parts = [describePlanMesh(l.mesh)];
  if (l.zero > 0) parts.push(`ZeRO-${l.zero}`);
  parts.push(`micro-batch ${l.microBatch}`);
  if (l.chunks > 1) parts.push(`${l.chunks} chunks`);
  if (l.recompute !== 'none') parts.push(`${l.recompute} recomputation`);
  return parts.join(', ');
}
