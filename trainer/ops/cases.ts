import { cases as add } from './add/cases.ts';
import { cases as attention } from './attention/cases.ts';
import type { OpCase } from './case.ts';
import { cases as crossEntropy } from './cross-entropy/cases.ts';
import { cases as embedding } from './embedding/cases.ts';
import { cases as linear } from './linear/cases.ts';
import { cases as linearPacked } from './linear-packed/cases.ts';
import { cases as rmsnorm } from './rmsnorm/cases.ts';
import { cases as rope } from './rope/cases.ts';
import { cases as scale } from './scale/cases.ts';
import { cases as score } from './score/cases.ts';
import { cases as swiglu } from './swiglu/cases.ts';

/** Every op's cases; tests run all of them on every engine. */
export const CASES: Record<string, readonly OpCase[]> = {
  embedding,
  linear,
  linearPacked,
  rmsnorm,
  rope,
  attention,
  swiglu,
  add,
  scale,
  crossEntropy,
  score,
};
