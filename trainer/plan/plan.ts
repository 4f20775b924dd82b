import { GarnerError } from '../../core/errors.ts';
import { describeLayout } from './candidates.ts';
import { defaultEfficiency } from './efficiency.ts';
import {
  chinchillaRatio,
  flopsPerToken,
  parametersOf,
  recomputed,
  runFlops,
  type Attention,
  type Count,
  type Recompute,
} from './flops.ts';
import { peakOf, type Gpu, type Precision } from './gpus.ts';
import type { Layout, Memory } from './memory.ts';
import { checkMesh, type PlanMesh } from './mesh.ts';
import { ranked, reasonOf, type Ranked } from './ranking.ts';
import type { Shape } from './shape.ts';
import { expectedEffective } from './simulate/failures.ts';

/** A value that stands in the plan and that nobody can know beforehand, and where it comes from. */
export interface Assumption {
  name: string;
  value: number | string;
  unit: string;
  source: string;
}

/** A value that somebody chose, or that the planner took from a source. */
export interface Stated<T> {
  value: T;
  source: string;
}

/** What is asked. What is left open is assumed or searched. */
export interface Question {
  shape: Shape;
  sequence: Stated<number>;
  tokens: Stated<number>;
  /** Rows of a step; `asked` where a person named them, so that they must divide. */
  rows: Stated<number> & { asked: boolean };
  gpu: Gpu;
  gpus: number;
  precision: Precision;
  count: Count;
  attention: Attention;
  sequenceParallel: boolean;
  mfu?: number | undefined;
  /** FLOP/s of a GPU, recomputation included. */
  achieved?: number | undefined;
  recompute?: Recompute | undefined;
  mesh?: PlanMesh | undefined;
  zero?: Layout['zero'] | undefined;
  microBatch?: number | undefined;
  chunks?: number | undefined;
  /** Bytes; default: the GPU's. */
  memory?: number | undefined;
  /** Dollars a GPU and hour; default: the GPU's. */
  price?: number | undefined;
  pue?: number | undefined;
  /** Kilograms of CO₂ a kilowatt-hour. */
  carbon?: number | undefined;
  /** Failures a GPU and hour. */
  failures?: number | undefined;
  lakeTokens: number | null;
}

/** A mesh that fits, as the report shows it: bytes, and the share of the peak that a step gets, simulated or sketched. */
export interface MeshReport extends PlanMesh {
  zero: number;
  microBatch: number;
  microBatches: number;
  chunks: number;
  recompute: Recompute;
  memory: number;
  mfu: number;
  simulated: boolean;
  reason: string;
}

/** The plan, in SI units, bytes and dollars: what `--json` prints. */
export interface Plan {
  parameters: number;
  flops: number;
  sequence: number;
  mfu: number;
  seconds: number;
  gpuHours: number;
  dollars: number;
  kilowattHours: number;
  co2Kilograms: number;
  chinchillaRatio: number;
  lakeTokens: number | null;
  memoryPerGpu: Memory;
  fits: boolean;
  meshes: MeshReport[];
  assumptions: Assumption[];
}

/** Power usage effectiveness and carbon of electricity with which Llama 2's model card gives its published tonnes. */
const PUE = { value: 1.1, source: 'Llama 2’s model card (arXiv:2307.09288)' };
const CARBON = { value: 0.385, source: 'Llama 2’s published tonnes: 0.385 kg a kWh' };
/** Meshes that the report names. */
const SHOWN = 5;

const asked = 'asked for';
const wrong = (what: string, where: string, hint: string) => new GarnerError({ what, where, hint, fault: 2 });

/** Makes the plan. Throws a GarnerError where the question contradicts itself. */
export function plan(q: Question): { plan: Plan; layout: Layout; capacity: number } {
  const parameters = parametersOf(q.shape);
  const peak = peakOf(q.gpu, q.precision);
  const guess = defaultEfficiency(q.gpu, q.precision, parameters, q.gpus);
  const capacity = q.memory ?? q.gpu.memory;
  // Achieved FLOP/s say nothing without the recomputation in them.
  const recompute = q.recompute ?? (q.achieved === undefined ? undefined : 'none');
  checkQuestion(q);
  const found = ranked({
    shape: q.shape,
    gpu: q.gpu,
    gpus: q.gpus,
    capacity,
    sequence: q.sequence.value,
    rows: q.rows.value,
    fixed: { attention: q.attention, precision: q.precision, sequenceParallel: q.sequenceParallel },
    efficiency: guess.mfu,
    mesh: q.mesh,
    zero: q.zero,
    recompute,
    microBatch: q.microBatch,
    chunks: q.chunks,
  });
  const best = found[0]!.candidate;
  const extra = recomputed(q.shape, q.sequence.value, best.layout.recompute, q.attention);
  const reached = q.achieved === undefined ? guess.mfu : q.achieved / peak;
  const mfu = q.mfu ?? reached / (1 + extra);
  if (mfu > 1)
    throw wrong(
      `${(mfu * 100).toFixed(0)} % of ${q.gpu.label}’s peak of ${peak / 1e12} TFLOP/s`,
      '--tflops',
      'nothing is faster than its peak: another --gpu or --precision?',
    );
  const flops = runFlops(q.shape, { tokens: q.tokens.value, sequence: q.sequence.value, count: q.count });
  const { gpus, failures: rate = 0 } = q;
  const lost = 1 - expectedEffective({ gpus, node: q.gpu.node, parameters, rate });
  if (!(lost < 0.95))
    throw wrong(
      `${q.failures} failures an hour on each of ${q.gpus} GPUs leave no time to train`,
      '--failures',
      'Llama 3 saw 2e-5 a GPU and hour',
    );
  const seconds = flops / (q.gpus * peak * mfu) / (1 - lost);
  const gpuHours = (seconds * q.gpus) / 3600;
  const price = q.price ?? q.gpu.price;
  const pue = q.pue ?? PUE.value;
  const carbon = q.carbon ?? CARBON.value;
  const kilowattHours = (gpuHours * q.gpu.power * pue) / 1000;
  return {
    plan: {
      parameters,
      flops,
      sequence: q.sequence.value,
      mfu,
      seconds,
      gpuHours,
      dollars: gpuHours * price,
      kilowattHours,
      co2Kilograms: kilowattHours * carbon,
      chinchillaRatio: chinchillaRatio(q.shape, q.tokens.value),
      lakeTokens: q.lakeTokens,
      memoryPerGpu: best.memory,
      fits: best.fits,
      meshes: best.fits ? found.slice(0, SHOWN).map(reportOf) : [],
      assumptions: assumptionsOf(q, best.layout, { mfu, guess: guess.source, extra, lost, price, pue, carbon }),
    },
    layout: best.layout,
    capacity,
  };
}

/** Throws where options contradict each other. */
function checkQuestion(q: Question): void {
  const chunks = q.chunks ?? 1;
  if (q.mesh) checkMesh(q.mesh, q.gpus, q.shape, q.sequence.value, chunks);
  else if (chunks > 1) throw wrong('--chunks interleaves a pipeline', '--chunks', 'name the pipeline with --mesh');
  const data = q.mesh?.data ?? 1;
  const micro = q.microBatch ?? 1;
  if (q.rows.asked && q.rows.value % (data * micro) !== 0)
    throw wrong(
      `a batch of ${q.rows.value} rows for data ${data} × micro-batch ${micro} = ${data * micro}`,
      '--batch',
      'data × micro-batch must divide the batch',
    );
}

function reportOf(r: Ranked): MeshReport {
  const { mesh, zero, microBatch, microBatches, chunks, recompute } = r.candidate.layout;
  return {
    ...mesh,
    zero,
    microBatch,
    microBatches,
    chunks,
    recompute,
    memory: r.candidate.memory.total,
    mfu: r.mfu,
    simulated: r.step !== null,
    reason: reasonOf(r),
  };
}

/** Everything in the plan that somebody might put otherwise, with its source. */
function assumptionsOf(
  q: Question,
  layout: Layout,
  v: { mfu: number; guess: string; extra: number; lost: number; price: number; pue: number; carbon: number },
): Assumption[] {
  const of = <T>(given: T | undefined, source: string) => (given === undefined ? source : asked);
  const again = v.extra > 0 ? `, over ${(1 + v.extra).toFixed(2)} for what is made anew` : '';
  const mfuSource =
    q.mfu !== undefined
      ? asked
      : q.achieved !== undefined
        ? `${q.achieved / 1e12} TFLOP/s asked for${again}`
        : `${v.guess}${again}`;
  const convention = 'products of the weights and of attention, causality not credited (PaLM, arXiv:2204.02311)';
  return [
    { name: 'MFU', value: v.mfu, unit: 'share of the peak', source: mfuSource },
    {
      name: 'peak',
      value: peakOf(q.gpu, q.precision),
      unit: 'FLOP/s',
      source:
        q.gpu.kind === 'cpu'
          ? 'garner’s bench sgemm: 250 GFLOP/s on a core of an EPYC'
          : `${q.precision}, dense, ${q.gpu.label}: data sheet`,
    },
    {
      name: 'FLOPs a token',
      value: flopsPerToken(q.shape, q.sequence.value, q.count),
      unit: 'FLOP',
      source: q.count === '6nd' ? '6 a parameter (Kaplan et al. 2020, arXiv:2001.08361)' : convention,
    },
    { name: 'tokens', value: q.tokens.value, unit: 'tokens', source: q.tokens.source },
    { name: 'sequence', value: q.sequence.value, unit: 'tokens', source: q.sequence.source },
    {
      name: 'batch',
      value: layout.microBatch * layout.microBatches * layout.mesh.data,
      unit: 'rows',
      source: q.rows.source,
    },
    {
      name: 'layout',
      value: describeLayout(layout),
      unit: '',
      source: q.mesh ? 'the mesh is given' : 'the best that was found',
    },
    { name: 'price', value: v.price, unit: '$/GPU-hour', source: of(q.price, q.gpu.priceSource) },
    {
      name: 'power',
      value: q.gpu.power,
      unit: 'W',
      source:
        q.gpu.kind === 'cpu' ? 'a guess: 10 W a core' : `${q.gpu.label}: data sheet; the hosts around it not counted`,
    },
    { name: 'PUE', value: v.pue, unit: '', source: of(q.pue, PUE.source) },
    { name: 'carbon', value: v.carbon, unit: 'kg/kWh', source: of(q.carbon, CARBON.source) },
    {
      name: 'failures',
      value: q.failures ?? 0,
      unit: 'a GPU and hour',
      source:
        q.failures === undefined
          ? 'none counted (Llama 3 saw 2e-5, arXiv:2407.21783)'
          : `asked for: ${(100 * v.lost).toFixed(1)} % of the time is lost`,
    },
  ];
}
