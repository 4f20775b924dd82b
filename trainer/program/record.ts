import { recordOn, type Tape } from '../ops/define.ts';

/** Runs a model once on shapes only. Returns what it noted, and what `build` returned (its tensors). */
export function record<T>(build: () => T): { tape: Tape; result: T } {
  const tape: Tape = { steps: [], calls: [] };
  return { result: recordOn(tape, build), tape };
}
