import type { Step, Tape, Tensor } from '../ops/define.ts';
import { storageOf } from '../program/plan.ts';

/** Consecutive steps of a model, with what comes in from the chunk before and goes out to the next. */
export interface Chunk {
  tape: Tape;
  /** Stands for the output of the chunk before: whoever runs the chunk writes it first. */
  input: Tensor | null;
  /** What the next chunk takes; null at the end. */
  output: Tensor | null;
}

/**
 * The chunk of each step: that of its weight, which `chunkOf` names (null: no weight of a layer decides), else the last of
 * those that made its inputs.
 */
export function chunksOfSteps(tape: Tape, chunkOf: (weight: Tensor) => number): Map<Step, number> {
  const chunks = new Map<Step, number>();
  const makers = new Map<Tensor, number>();
  for (const step of tape.steps) {
    const inputs = step.op.inputs.map((name) => step.tensors[name]!);
    const weight = inputs.find((t) => t.zone === 'weights');
    const chunk = weight ? chunkOf(weight) : Math.max(...inputs.map((t) => makers.get(t) ?? 0));
    chunks.set(step, chunk);
    for (const name of step.outputs) makers.set(step.tensors[name]!, chunk);
  }
  return chunks;
}

/** Cuts a tape into `count` chunks. Throws where more than one tensor goes from a chunk to the next, or one goes further. */
export function cutTape(tape: Tape, count: number, chunkOf: (weight: Tensor) => number): Chunk[] {
  const chunks = chunksOfSteps(tape, chunkOf);
  const madeIn = new Map<Tensor, number>();
  const inputs = new Map<number, { from: Tensor; as: Tensor }>();
  const made: Chunk[] = Array.from({ length: count }, () => ({
    tape: { steps: [], calls: [] },
    input: null,
    output: null,
  }));
  for (const step of tape.steps) {
    const chunk = chunks.get(step)!;
    const here = (tensor: Tensor): Tensor => {
      const from = madeIn.get(tensor);
      if (from === undefined || from === chunk) return tensor;
      const known = inputs.get(chunk);
      if (known?.from === tensor) return known.as;
      if (known || from !== chunk - 1) throw new Error(`${tensor.name} goes from chunk ${from} to ${chunk}`);
      const as: Tensor = { ...tensor, name: `${tensor.name} of chunk ${from}` };
      delete as.over;
      delete as.alias;
      inputs.set(chunk, { from: tensor, as });
      made[chunk]!.input = as;
      made[from]!.output = tensor;
      return as;
    };
    const tensors = { ...step.tensors };
    for (const name of step.op.inputs) tensors[name] = here(tensors[name]!);
    for (const name of step.outputs) madeIn.set(tensors[name]!, chunk);
    made[chunk]!.tape.steps.push({ ...step, tensors });
    made[chunk]!.tape.calls.push(...step.op.forward(tensors, step.attributes));
  }
  return made;
}

/** The steps of a layer whose outputs only that layer uses: what `full` recomputation makes again. */
export function insideLayers(tape: Tape, layerOfWeight: (weight: Tensor) => number): Set<Step> {
  const layers = chunksOfSteps(tape, layerOfWeight);
  const outside = new Set<Tensor>();
  const makers = new Map<Tensor, number>();
  for (const step of tape.steps) {
    const layer = layers.get(step)!;
    for (const name of step.op.inputs) {
      const tensor = step.tensors[name]!;
      if (makers.has(tensor) && makers.get(tensor) !== layer) outside.add(tensor).add(storageOf(tensor));
    }
    for (const name of step.outputs) makers.set(step.tensors[name]!, layer);
  }
  return new Set(
    tape.steps.filter((step) => !step.outputs.some((name) => outside.has(step.tensors[name]!))),
  );
}
