import type { Step, Tape, Tensor } from '../ops/define.ts';

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
function chunksOfSteps(tape: Tape, chunkOf: (weight: Tensor, use: Step) => number): Map<Step, number> {
  const chunks = new Map<Step, number>();
  const makers = new Map<Tensor, number>();
  for (const step of tape.steps) {
    const inputs = step.op.inputs.map((name) => step.tensors[name]!);
    const weight = inputs.find((t) => t.zone === 'weights');
    const chunk = weight ? chunkOf(weight, step) : Math.max(...inputs.map((t) => makers.get(t) ?? 0));
    chunks.set(step, chunk);
    for (const name of step.outputs) makers.set(step.tensors[name]!, chunk);
  }
  return chunks;
}

/** Cuts a tape into `count` chunks. Throws where more than one tensor goes from a chunk to the next, or one goes further. */
export function cutTape(tape: Tape, count: number, chunkOf: (weight: Tensor, use: Step) => number): Chunk[] {
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

/** The steps of layers (0 and above by `layerOfWeight`) whose outputs only their layer uses: what `full` recomputation makes again. */
export function insideLayers(tape: Tape, layerOfWeight: (weight: Tensor, use: Step) => number): Set<Step> {
  const layers = chunksOfSteps(tape, layerOfWeight);
  const makers = new Map<Tensor, Step>();
  const outside = new Set<Step>();
  for (const step of tape.steps) {
    for (const name of step.op.inputs) {
      const maker = makers.get(step.tensors[name]!);
      if (maker && layers.get(maker) !== layers.get(step)) outside.add(maker);
    }
    for (const name of step.outputs) makers.set(step.tensors[name]!, step);
  }
  const within = (step: Step) => layers.get(step)! >= 0 && Number.isFinite(layers.get(step));
  return new Set(tape.steps.filter((step) => within(step) && !outside.has(step)));
}
