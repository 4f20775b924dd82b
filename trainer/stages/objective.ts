import type { Table } from '../../core/records/index.ts';
import type { World } from '../collectives/group.ts';
import type { Samples } from '../loader/samples.ts';
import type { Fill, Learner } from '../parallel/learner.ts';
import type { LoopPlan } from './loop.ts';
import { measure, type Validation } from './validate.ts';

/** What a step has learned from; the gradients wait in the learner. The same on every rank. */
export interface Learned {
  /** Mean over what the gradient is divided by [nats]. */
  loss: number;
  /** By which the sum of gradients is divided: trained tokens, pairs, answers. */
  weight: number;
  /** Trained tokens. */
  tokens: number;
  /** More numbers of this step by name, for the table `metrics`. */
  metrics?: Readonly<Record<string, number>>;
  /** More lines by the name of their journal. */
  lines?: Readonly<Record<string, readonly object[]>>;
}

/** What a model is after a step, on data that it does not learn from. */
export interface Measure extends Pick<Learned, 'metrics' | 'lines'> {
  loss: number | null;
  bitsPerByte: number | null;
}

/** What the objective of a run that is done has to say about it. */
export interface Conclusion {
  facts: Record<string, unknown>;
  /** Lines for the person at the terminal. */
  notices: string[];
}

/** What an objective is told before a process goes on. */
export interface Begin {
  learner: Learner;
  world: World;
  /** A folder that outlives a kill and goes when the run is done. */
  scratch: string;
  /** The folder of the run. */
  run: string;
  /** The checkpoint that is loaded next; null where the run begins. */
  checkpoint: string | null;
}

/**
 * What a training learns. All ranks call the same functions in the same order, and what these do is a pure function of the step
 * and the weights: so a stopped run goes on exactly.
 */
export interface Objective {
  /** Journals of the run beside its steps: `<run>/<name>.jsonl`. */
  journals?: readonly string[];
  /** Journals that are a table at the end, `<name>/<key>/<name>.parquet`: their lines are its rows, and a step. */
  tables?: Readonly<Record<string, Table>>;
  /** Weight updates of a step, of which the loop does the last (default 1). */
  updates?: number;
  /** Before the first step of a process, where the learner has the weights that the run began with. */
  begin?(parts: Begin): void | Promise<void>;
  /** Steps are counted from 1 in courses, each of which begins again from the first weights; absent: one course. */
  within?(step: number): number;
  learn(step: number, learner: Learner): Learned | Promise<Learned>;
  /** After an update; null where nothing is due. */
  measure(step: number, learner: Learner): Measure | null | Promise<Measure | null>;
  /** Keeps what it learns beside the model; every rank, before each checkpoint. */
  save?(step: number): void | Promise<void>;
  /** The step whose checkpoint is the run's model; absent: the last one. */
  best?(lines: (journal: string) => { step: number }[]): number | null;
  conclude?(lines: (journal: string) => { step: number }[]): Conclusion;
}

/** The next token of rows: pretraining, and fine-tuning, where only answers have targets. */
export function nextToken(
  samples: Samples,
  validation: Validation | null,
  plan: Pick<LoopPlan, 'batch' | 'microBatch' | 'sequence' | 'validateEvery' | 'steps'>,
): Objective {
  return {
    learn(step, learner) {
      const first = (step - 1) * plan.batch;
      const fill: Fill = (slot, into) => {
        for (let i = 0; i < plan.microBatch; i++) samples.fill(first + slot * plan.microBatch + i, into, i);
      };
      const { lossSum, tokens } = learner.accumulate(plan.batch / plan.microBatch, fill);
      return { loss: tokens > 0 ? lossSum / tokens : 0, weight: tokens, tokens };
    },
    measure(step, learner) {
      const due = validation !== null && (step % plan.validateEvery === 0 || step === plan.steps);
      return due ? measure(validation, learner, plan) : null;
    },
  };
}
