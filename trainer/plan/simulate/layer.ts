import type { Gpu } from '../gpus.ts';
import type { Layout } from '../memory.ts';
import { layerMatrices, layerParameters, type Shape } from '../shape.ts';
import { scatterTime, type Members } from './collectives.ts';
import { CHANNELS, limitsOf } from './constants.ts';
import { flashTime, matrixAttentionTime, passTime, productTime } from './kernels.ts';

/** Seconds of a piece of work on one GPU: its own kernels, and waiting for those it shares a layer with. */
export interface Cost {
  kernels: number;
  /** Exposed collectives of tensor parallelism. */
  tensor: number;
  /** Exposed collectives of context parallelism. */
  context: number;
  /** Exposed collectives of ZeRO-3: weights gathered, gradients scattered. */
  data: number;
}

/** A layer, the embedding or the head, for one micro-batch; the backward in its two halves. */
export interface Costs {
  forward: Cost;
  input: Cost;
  weight: Cost;
}

export interface Machine {
  gpu: Gpu;
  /** Collectives of a layer run beside its products, in pieces (Megatron's `--tp-comm-overlap`, async tensor parallelism). */
  overlapTensor: boolean;
}

const NOTHING: Cost = { kernels: 0, tensor: 0, context: 0, data: 0 };

export const addCosts = (...costs: Cost[]): Cost =>
  costs.reduce(
    (sum, c) => ({
      kernels: sum.kernels + c.kernels,
      tensor: sum.tensor + c.tensor,
      context: sum.context + c.context,
      data: sum.data + c.data,
    }),
    NOTHING,
  );

export const secondsOf = (c: Cost): number => c.kernels + c.tensor + c.context + c.data;

/** Tokens of a micro-batch on one GPU. */
export const tokensOf = (l: Layout): number => (l.microBatch * l.sequence) / l.mesh.context;

/** Groups as ranks lie: tensor neighbours are closest, then context, then data. */
export function groupsOf(gpu: Gpu, { mesh }: Layout): { tensor: Members; context: Members; shares: Members } {
  const aHost = (ranks: number, stride: number) => Math.max(1, Math.min(ranks, Math.floor(gpu.node / stride)));
  const shares = mesh.data * mesh.context;
  return {
    tensor: { ranks: mesh.tensor, aHost: aHost(mesh.tensor, 1) },
    context: { ranks: mesh.context, aHost: aHost(mesh.context, mesh.tensor) },
    shares: { ranks: shares, aHost: aHost(shares, mesh.tensor) },
  };
}

/** What is left of a collective that runs beside kernels: what outlasts them, and what it takes from them. */
const beside = (gpu: Gpu, collective: number, kernels: number): number =>
  Math.max(0, collective - kernels) + Math.min(collective, kernels) * (CHANNELS / limitsOf(gpu).units);

/** A linear's three products: forward, gradient of its input, gradient of its weight. */
function linearTime(gpu: Gpu, l: Layout, input: number, output: number) {
  const tokens = tokensOf(l);
  const { precision } = l;
  // fp8 operands are cast and laid out twice, once a direction: 2 bytes read, 2 written an element.
  const cast = precision === 'fp8' ? passTime(gpu, 4 * tokens * input) + passTime(gpu, 4 * input * output) : 0;
  const castBack = precision === 'fp8' ? passTime(gpu, 4 * tokens * output) : 0;
  return {
    forward: productTime(gpu, [tokens, input, output], { precision }) + cast,
    input: productTime(gpu, [tokens, output, input], { precision }) + castBack,
    weight: productTime(gpu, [input, tokens, output], { precision }),
  };
}

/** Norms, residuals, dropout, activation functions, rotary positions: bytes that they read and write, forward and back. */
function passes(s: Shape, l: Layout, gpu: Gpu): { forward: number; backward: number } {
  const tokens = tokensOf(l);
  const { tensor } = l.mesh;
  const outside = (tokens * s.width) / (l.sequenceParallel ? tensor : 1);
  const norms = s.parallel ? 1 : 2;
  const inner = (tokens * s.feedForward) / tensor;
  const heads = (tokens * (s.heads + s.keyValueHeads) * s.headSize) / tensor;
  const turns = (s.positions === 0 ? 1 : 0) + (s.headNorm === 'none' ? 0 : 1);
  const mask = s.dropout ? 1 : 0;
  const pass = (bytes: number) => (bytes === 0 ? 0 : passTime(gpu, bytes));
  return {
    // A norm reads and writes; residual and dropout read two, write one and the mask.
    forward:
      norms * (pass(4 * outside) + pass((6 + mask) * outside)) +
      pass((s.gated ? 6 : 4) * inner) +
      pass(4 * turns * heads),
    backward:
      norms * (pass(6 * outside) + pass((6 + 5 * mask) * outside)) +
      pass((s.gated ? 10 : 6) * inner) +
      pass(4 * turns * heads),
  };
}

/** What attention's core costs on one GPU. */
function attentionTime(s: Shape, l: Layout, gpu: Gpu) {
  const work = {
    heads: s.heads / l.mesh.tensor,
    headSize: s.headSize,
    rows: l.microBatch,
    queries: l.sequence / l.mesh.context,
    keys: l.sequence,
    precision: l.precision === 'fp32' ? 'fp32' : 'bf16',
  } as const;
  return l.attention === 'flash' ? flashTime(gpu, work) : matrixAttentionTime(gpu, work, s.dropout);
}

/** One layer for one micro-batch. */
export function layerCosts(s: Shape, l: Layout, { gpu, overlapTensor }: Machine): Costs {
  const { tensor } = l.mesh;
  const [queries, keys] = [s.heads * s.headSize, 2 * s.headSize * Math.max(s.keyValueHeads, tensor)];
  const linears = {
    qkv: linearTime(gpu, l, s.width, (queries + keys) / tensor),
    out: linearTime(gpu, l, queries / tensor, s.width),
    up: linearTime(gpu, l, s.width, ((s.gated ? 2 : 1) * s.feedForward) / tensor),
    down: linearTime(gpu, l, s.feedForward / tensor, s.width),
  };
  const sum = (part: 'forward' | 'input' | 'weight') => Object.values(linears).reduce((n, time) => n + time[part], 0);
  const core = attentionTime(s, l, gpu);
  const pass = passes(s, l, gpu);

  // Each region gathers its input and scatters its output; an all-reduce without sequence parallelism is both at one end.
  const groups = groupsOf(gpu, l);
  const gather = scatterTime(gpu, groups.tensor, 2 * tokensOf(l) * s.width);
  const joined = s.parallel ? 1 : 2;
  const exposed = (collective: number, kernels: number) =>
    overlapTensor ? collective / tensor + beside(gpu, collective * (1 - 1 / tensor), kernels) : collective;
  const into = (part: 'forward' | 'input') => (linears.qkv[part] + linears.up[part]) / 2;
  const outOf = (part: 'forward' | 'input') => (linears.out[part] + linears.down[part]) / 2;
  const forwardTensor = joined * (exposed(gather, into('forward')) + exposed(gather, outOf('forward')));
  // Back, outputs' gradients are gathered first; inputs' are scattered beside the weights' products, where the inputs are gathered anew.
  const hidden = beside(gpu, gather * (l.sequenceParallel ? 2 : 1), (linears.qkv.weight + linears.up.weight) / 2);
  const backwardTensor = joined * (exposed(gather, outOf('input')) + hidden);

  // Keys and values of the whole row are gathered, their gradients scattered (Llama 3).
  const keyValues = scatterTime(gpu, groups.context, (2 * l.microBatch * l.sequence * keys) / tensor);
  const weights = gathered(layerMatrices(s), s, l, gpu);

  const forward: Cost = {
    kernels: sum('forward') + core.forward + pass.forward,
    tensor: forwardTensor,
    context: keyValues,
    data: 0,
  };
  const again = recomputedCost(l, { forward, core: core.forward, pass: pass.forward });
  const input = addCosts(again, {
    kernels: sum('input') + core.backward + pass.backward,
    tensor: backwardTensor,
    context: 2 * keyValues,
    data: 0,
  });
  const weight: Cost = { ...NOTHING, kernels: sum('weight') };
  const spare = (c: Cost) => c.kernels;
  return {
    forward: { ...forward, data: weights === 0 ? 0 : beside(gpu, weights, spare(forward)) },
    // fp32 gradients are twice the bytes of bf16 weights.
    input: { ...input, data: weights === 0 ? 0 : beside(gpu, 3 * weights, spare(input) + weight.kernels) },
    weight,
  };
}

/** Seconds in which a layer's bf16 weights are gathered under ZeRO-3. */
const gathered = (matrices: number, s: Shape, l: Layout, gpu: Gpu): number =>
  l.zero === 3
    ? scatterTime(gpu, groupsOf(gpu, l).shares, (2 * Math.max(matrices, layerParameters(s))) / l.mesh.tensor)
    : 0;

/** What a backward makes anew. */
function recomputedCost(l: Layout, { forward, core, pass }: { forward: Cost; core: number; pass: number }): Cost {
  if (l.recompute === 'full') return forward;
  if (l.recompute === 'none') return NOTHING;
  return { ...NOTHING, kernels: l.attention === 'matrix' ? core : pass };
}

/** The lookup of tokens: rows read and written, and under tensor parallelism summed over the parts of the vocabulary. */
export function embeddingCosts(s: Shape, l: Layout, { gpu }: Machine): Costs {
  const bytes = (4 * tokensOf(l) * s.width) / (l.sequenceParallel ? l.mesh.tensor : 1);
  const tensor = scatterTime(gpu, groupsOf(gpu, l).tensor, 2 * tokensOf(l) * s.width);
  const cost: Cost = { ...NOTHING, kernels: passTime(gpu, bytes), tensor };
  return { forward: cost, input: cost, weight: NOTHING };
}

/** The head and the loss, split over the vocabulary: logits in bf16, in fp32, read again for the sum; back read and written. */
export function headCosts(s: Shape, l: Layout, { gpu }: Machine): Costs {
  const columns = s.vocabulary / l.mesh.tensor;
  const product = linearTime(gpu, l, s.width, columns);
  const gather = scatterTime(gpu, groupsOf(gpu, l).tensor, 2 * tokensOf(l) * s.width);
  const logits = tokensOf(l) * columns;
  return {
    forward: { ...NOTHING, kernels: product.forward + passTime(gpu, 10 * logits), tensor: gather },
    input: {
      ...NOTHING,
      kernels: product.input + passTime(gpu, 6 * logits),
      tensor: beside(gpu, gather, product.weight),
    },
    weight: { ...NOTHING, kernels: product.weight },
  };
}
