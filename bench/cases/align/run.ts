import { mkdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Inputs, TaskContext } from '../../../core/stage/index.ts';
import { grpoSection, ppoSection } from '../../../trainer/align/policy-recipe.ts';
import type { Selection } from '../../../trainer/align/selection.ts';
import type { TrainingJob } from '../../../trainer/stages/jobs.ts';
import { runOverRanks } from '../../../trainer/stages/ranks.ts';
import { ANSWER, measureCheckpoint, type Measured, type SumBase } from './base.ts';

/** What an alignment made of its base. */
export interface Aligned {
  before: Measured;
  after: Measured;
  prompts: number;
  /** On the selection split: the step that was chosen. */
  chosen: Selection;
  seconds: number;
}

/** A section of a recipe for made sums, with the steps of a quick run or a whole one. */
export const grpoParams = (over: object) => ({
  ...grpoSection.parse({ tokens: ANSWER, ...over }),
  name: 'bench-grpo',
  prompts: 'sums' as const,
});

export const ppoParams = (over: object) => ({
  ...ppoSection.parse({ tokens: ANSWER, ...over }),
  name: 'bench-ppo',
  prompts: 'sums' as const,
});

/** Runs a stage of alignment on a base, as a recipe would, in a folder of its own, and measures the checkpoint that it chose. */
export async function align(
  lake: string,
  base: SumBase,
  job: TrainingJob,
  say: (text: string) => void,
): Promise<Aligned> {
  const started = performance.now();
  const facts: Record<string, unknown> = {};
  await runOverRanks(job, contextOf(lake, base, facts, say));
  const seconds = (performance.now() - started) / 1000;
  const checkpoint = join(lake, facts['checkpoint'] as string);
  const { prompts, ...before } = measureCheckpoint(base.checkpoint, base.checkpoint);
  const { prompts: _, ...after } = measureCheckpoint(checkpoint, base.checkpoint);
  return { before, after, prompts, chosen: (facts['selection'] as { best: Selection }).best, seconds };
}

/** A task's context over a folder, without a runner. */
function contextOf(
  lake: string,
  base: SumBase,
  facts: Record<string, unknown>,
  say: (text: string) => void,
): TaskContext {
  rmSync(lake, { recursive: true, force: true });
  const place = (...path: string[]) => {
    const folder = join(lake, ...path);
    mkdirSync(folder, { recursive: true });
    return folder;
  };
  const output = { stage: 'finetune', unit: 'finetune', key: 'base', identity: 'base', version: 1, params: null };
  const more = { inputs: [], files: [], counts: {}, facts: { checkpoint: relative(place(), base.checkpoint) } };
  const inputs: Inputs = { finetune: [{ ...output, ...more }] };
  let told = 0;
  return {
    lake,
    pending: ['bench'],
    inputs,
    key: () => 'bench',
    file: (folder, file) => join(place(folder), file),
    folder: (folder) => place(folder),
    keep() {},
    scratch: place('scratch'),
    progress(done, total, note) {
      if (done - told < 20 && done !== total) return;
      told = done;
      say(`step ${done} of ${total}: ${note}`);
    },
    notice: say,
    facts: (found) => void Object.assign(facts, found),
  };
}
