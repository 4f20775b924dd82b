import { candidates, type Candidate, type Wanted } from './candidates.ts';
import { AXES, describePlanMesh } from './mesh.ts';
import { simulateStep, type StepResult } from './simulate/step.ts';

/** A candidate whose step was simulated; `step` null where that would take too long, or no constants are known. */
export interface Ranked {
  candidate: Candidate;
  step: StepResult | null;
  /** Share of the peak that the model gets in a step, simulated or else sketched. */
  mfu: number;
}

/** Pieces of work (micro-batches × stages × chunks of all replicas) that are simulated over all candidates, in about half a second. */
const BUDGET = 3e5;
/** Candidates without a pipeline that are simulated, the best of the sketch; they are quick. */
const OTHERS = 16;
/** What an axis more must bring: the smallest model parallelism that fits is the usual advice (Megatron-LM's guide). */
const AXIS = 0.01;

/**
 * Candidates from the best to the worst, one a mesh: those that fit by their simulated step; where none fits, the one that needs the least
 * memory comes first. Throws a GarnerError where a mesh that was named has no schedule.
 */
export function ranked(w: Wanted): Ranked[] {
  const all = candidates(w);
  const fitting = all.filter((c) => c.fits);
  if (fitting.length === 0) return [sketched(w, all[0]!)];
  const without = fitting.filter((c) => c.layout.mesh.pipeline === 1).slice(0, OTHERS);
  const withPipeline = fitting.filter((c) => c.layout.mesh.pipeline > 1);
  const chosen = w.gpu.kind === 'cpu' ? [] : affordable([...without, ...withPipeline]);
  const order = (chosen.length > 0 ? chosen.map((c) => simulated(w, c)) : fitting.map((c) => sketched(w, c))).toSorted(
    (a, b) => score(b) - score(a),
  );
  const name = ({ candidate }: Ranked) => describePlanMesh(candidate.layout.mesh);
  return order.filter((r, i) => order.findIndex((other) => name(other) === name(r)) === i);
}

/** MFU, less a little for each axis that splits the model. */
const score = ({ mfu, candidate }: Ranked): number =>
  mfu * (1 - AXIS * AXES.filter((axis) => axis !== 'data' && candidate.layout.mesh[axis] > 1).length);

const sketched = (w: Wanted, candidate: Candidate): Ranked => ({
  candidate,
  step: null,
  mfu: w.efficiency * candidate.useful,
});

/** Those whose steps can be simulated together within the budget, the first ones first. */
function affordable(all: readonly Candidate[]): Candidate[] {
  let spent = 0;
  return all.filter(({ layout }) => {
    const work = layout.mesh.data * layout.microBatches * layout.mesh.pipeline * layout.chunks;
    if (spent + work > BUDGET) return false;
    spent += work;
    return true;
  });
}

function simulated({ shape, gpu }: Wanted, candidate: Candidate): Ranked {
  const { layout } = candidate;
  const schedule = layout.chunks > 1 ? 'interleaved' : '1f1b';
  const step = simulateStep({ shape, gpu, layout, schedule, overlapTensor: false, seed: 1 });
  return { candidate, step, mfu: step.mfu };
}

/** Why a candidate stands where it stands: what takes the largest shares of its step, beside the products. */
export function reasonOf({ step }: Ranked): string {
  if (!step) return 'not simulated, sketched';
  const { model: _, ...rest } = step.breakdown;
  const shares = Object.entries(rest)
    .map(([name, seconds]) => [name, Math.round((100 * seconds) / step.seconds)] as const)
    .filter(([, percent]) => percent >= 1)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, percent]) => `${name} ${percent} %`);
  return shares.length > 0 ? `loses ${shares.join(', ')}` : 'loses under 1 %';
}
