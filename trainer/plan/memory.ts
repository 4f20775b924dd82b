import type { Attention, Recompute } from './flops.ts';
import type { Precision } from './gpus.ts';
import { inFlight, layersOfStages, sizeOf, type PlanMesh } from './mesh.ts';
import { embeddingParameters, endParameters, layerParameters, type Shape } from './shape.ts';

/** How a training is laid out on its GPUs. */
export interface Layout {
  mesh: PlanMesh;
  /** What the data-parallel GPUs share out: 0 nothing, 1 the optimizer, 2 gradients too, 3 weights too (Rajbhandari et al. 2020). */
  zero: 0 | 1 | 2 | 3;
  /** Rows that go through the model at once. */
  microBatch: number;
  /** Micro-batches of a step on each GPU. */
  microBatches: number;
  /** Length of a row [tokens]. */
  sequence: number;
  recompute: Recompute;
  attention: Attention;
  precision: Precision;
  /** Pieces of the layers on each pipeline stage; more than 1 interleaves. */
  chunks: number;
  /** Tensor-parallel GPUs share out norms and residuals too (Korthikanti et al. 2022). */
  sequenceParallel: boolean;
}

/** What lies in a GPU's memory [bytes]. */
export interface Memory {
  weights: number;
  gradients: number;
  optimizer: number;
  activations: number;
  other: number;
  total: number;
}

/** CUDA context and modules, cuBLASLt's workspace, NCCL's buffers [bytes]. */
const CONTEXT = 0.5e9;
const WORKSPACE = 64 * 2 ** 20;
const COMMUNICATION = 1e9;
/** Share of what comes and goes that an allocator cannot use again. */
const FRAGMENTATION = 0.04;

/** Bytes of one activation; fp8 products keep theirs in bf16. */
const elementBytes = (l: Layout): number => (l.precision === 'fp32' ? 4 : 2);

/**
 * Bytes that one layer keeps for its backward, a token; the parts that tensor parallelism splits apart from those that only
 * sequence parallelism does. Without dropout, in elements: norm inputs and outputs 4C; q and attention's output 2HQ; k and v 2·Hkv·Q;
 * gate, up and their product 3F, or 2F without a gate. Source: Korthikanti et al. 2022, arXiv:2205.05198, and its sum for Llama.
 */
function layerBytes(s: Shape, l: Layout, recompute: 'none' | 'selective'): { split: number; whole: number } {
  const element = elementBytes(l);
  const [queries, keys] = [s.heads * s.headSize, s.keyValueHeads * s.headSize];
  const norms = s.parallel ? 1 : 2;
  const keep = recompute === 'none';
  const headNorms = s.headNorm === 'none' ? 0 : queries + keys;
  const feedForward = ((s.gated ? 2 : 1) + (keep ? 1 : 0)) * s.feedForward;
  const matrix = l.attention === 'matrix' && keep ? 5 * s.heads * l.sequence : 0;
  return {
    split: element * (2 * queries + headNorms + feedForward) + matrix,
    whole: element * (norms + (keep ? norms : 0)) * s.width + (s.dropout ? 2 * s.width : 0),
  };
}

/** Bytes of keys and values, a token: where there are fewer heads than tensor-parallel GPUs, several hold the same ones. */
const keyValueBytes = (s: Shape, l: Layout): number =>
  (elementBytes(l) * 2 * s.keyValueHeads * s.headSize) / Math.min(l.mesh.tensor, s.keyValueHeads);

/** Bytes that one layer keeps on one GPU for one micro-batch. */
export function layerActivations(s: Shape, l: Layout, recompute: Recompute = l.recompute): number {
  const tokens = (l.microBatch * l.sequence) / l.mesh.context;
  const outside = l.sequenceParallel ? l.mesh.tensor : 1;
  if (recompute === 'full') return (tokens * elementBytes(l) * s.width) / outside;
  const { split, whole } = layerBytes(s, l, recompute);
  return tokens * (split / l.mesh.tensor + keyValueBytes(s, l) + whole / outside);
}

/**
 * Bytes of the head for one micro-batch: logits as they are multiplied, in fp32 for the loss, and their gradient; the final
 * norm's input and output. Split over the vocabulary.
 */
function headActivations(s: Shape, l: Layout): number {
  const tokens = (l.microBatch * l.sequence) / l.mesh.context;
  const element = elementBytes(l);
  const logits = (s.vocabulary * (l.precision === 'fp32' ? 8 : 10)) / l.mesh.tensor;
  return tokens * (logits + (2 * element * s.width) / (l.sequenceParallel ? l.mesh.tensor : 1));
}

/**
 * Bytes a parameter of weights, gradients and AdamW. Mixed precision keeps bf16 weights, fp32 gradients, fp32 master weights
 * and two moments (Megatron's 18). Under ZeRO-3 the shared-out master weights are the weights, and bf16 ones exist only while gathered.
 */
function stateBytes({ precision, zero }: Layout): { weights: number; gradients: number; optimizer: number } {
  if (precision === 'fp32' || zero === 3) return { weights: 4, gradients: 4, optimizer: 8 };
  return { weights: 2, gradients: 4, optimizer: 12 };
}

/** Memory of one pipeline stage's GPUs. */
function stageMemory(s: Shape, l: Layout, stage: number, layers: number): Memory {
  const { mesh } = l;
  const [first, last] = [stage === 0, stage === mesh.pipeline - 1];
  const tables = (first ? embeddingParameters(s) : 0) + (last ? endParameters(s) : 0);
  // A tied table lies on both ends.
  const copy = last && !first && s.tied ? s.vocabulary * s.width : 0;
  const parameters = (layers * layerParameters(s) + tables + copy) / mesh.tensor;
  const shares = mesh.data * mesh.context;
  const bytes = stateBytes(l);
  const held = (perParameter: number, from: number) => (perParameter * parameters) / (l.zero >= from ? shares : 1);
  const weights = held(bytes.weights, 3);
  const gradients = held(bytes.gradients, 2);
  const optimizer = held(bytes.optimizer, 1);
  const kept = layers * inFlight(stage, mesh.pipeline, l.microBatches, l.chunks) * layerActivations(s, l);
  // The head's logits are gone when the last layer's backward begins: the higher of the two moments counts.
  const [atHead, inLayer] = moments(s, l, last);
  const moment = atHead.made + atHead.gathered > inLayer.made + inLayer.gathered ? atHead : inLayer;
  const activations = kept + moment.made;
  const other =
    CONTEXT + WORKSPACE + (sizeOf(mesh) > 1 ? COMMUNICATION : 0) + moment.gathered + FRAGMENTATION * activations;
  const total = weights + gradients + optimizer + activations + other;
  return { weights, gradients, optimizer, activations, other, total };
}

/** Bytes that come and go. */
interface Moment {
  made: number;
  gathered: number;
}

/** The two moments that may need the most: at the head (nothing but on the last stage), and while a layer's backward runs. */
function moments(s: Shape, l: Layout, last: boolean): [atHead: Moment, inLayer: Moment] {
  const gathers = l.zero === 3 && l.mesh.data * l.mesh.context > 1;
  const element = elementBytes(l);
  const head = (element * s.vocabulary * s.width) / l.mesh.tensor;
  // A layer's weights, those of the next one, and its gradient before it is shared out.
  const layer = ((2 * element + 4) * layerParameters(s)) / l.mesh.tensor;
  const anew = l.recompute === 'none' ? 0 : layerActivations(s, l, 'none') - layerActivations(s, l);
  return [
    { made: last ? headActivations(s, l) : 0, gathered: gathers && last ? head : 0 },
    { made: anew, gathered: gathers ? layer : 0 },
  ];
}

/** Memory of the GPU that needs the most, over all pipeline stages. */
export function memoryPerGpu(s: Shape, l: Layout): Memory {
  return layersOfStages(s.layers, l.mesh.pipeline)
    .map((layers, stage) => stageMemory(s, l, stage, layers))
    .reduce((worst, m) => (m.total > worst.total ? m : worst));
}
