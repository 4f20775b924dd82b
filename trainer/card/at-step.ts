import type { Step } from '../../core/records/index.ts';
import { mergedConfig } from '../lora/lora.ts';
import { parametersOf } from '../model/size.ts';
import type { ModelConfig } from '../session.ts';
import type { LoopPlan } from '../stages/loop.ts';
import type { ModelCard } from './card.ts';
import type { Origin } from './origin.ts';

/** What a training has to say of itself at a checkpoint. */
export interface Progressed {
  /** The stage's key. */
  key: string;
  config: ModelConfig;
  plan: LoopPlan;
  seed: number;
  counts: Readonly<Record<string, number>>;
  /** All steps so far, and what was reported beside them. */
  rows: readonly Step[];
  metrics: readonly { metrics: Readonly<Record<string, number>> }[];
}

/** The text of a card at a checkpoint. */
export function cardText({ stage, settings, corpus, files, parents }: Origin, at: Progressed): string {
  const { config, plan, rows } = at;
  const last = rows.at(-1)!;
  const lastOf = (name: 'validation_loss' | 'bits_per_byte') => rows.findLast((r) => r[name] !== null)?.[name] ?? null;
  const card: ModelCard = {
    format: 1,
    run: plan.run,
    stage,
    key: at.key,
    model: {
      parameters: parametersOf(mergedConfig(config)),
      layers: config.layers,
      width: config.width,
      heads: config.heads,
      vocabulary: config.vocabulary,
      context: config.context,
    },
    training: {
      step: last.step,
      steps: plan.steps,
      tokens: last.tokens,
      batch: plan.batch,
      sequence: plan.sequence,
      seed: at.seed,
      learning_rate: plan.rate.peak,
      loss: { first: rows[0]!.loss, last: meanOfLast(rows) },
      validation_loss: lastOf('validation_loss'),
      bits_per_byte: lastOf('bits_per_byte'),
      metrics: Object.fromEntries(at.metrics.flatMap((row) => Object.entries(row.metrics))),
    },
    settings,
    corpus,
    files,
    counts: { ...at.counts },
    parents,
  };
  return `${JSON.stringify(card, null, 2)}\n`;
}

/** One batch is noise: the mean of the last steps, at most 10 and at most a tenth. */
export function meanOfLast(rows: readonly Step[]): number {
  const last = rows.slice(-Math.max(1, Math.min(10, Math.floor(rows.length / 10))));
  return last.reduce((sum, row) => sum + row.loss, 0) / last.length;
}
