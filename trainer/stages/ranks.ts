import { compiledModule } from '../../core/root.ts';
import type { Counts, Inputs, TaskContext } from '../../core/stage/index.ts';
import { alone, type Collective } from '../collectives/collective.ts';
import { parametersOf } from '../model/size.ts';
import { launchRanks } from '../parallel/launch.ts';
import { openDecoder, openSession } from '../session.ts';
import { train } from './loop.ts';
import { prepareFinetune, type FinetuneParams } from './prepare-finetune.ts';
import { preparePretrain, type PretrainParams } from './prepare-pretrain.ts';
import { holdRun, openAt, resumePoint, runTraining, type Engine, type Training } from './training.ts';

/** A training stage and its parameters: plain data, so that another rank can make the same training of it. */
export type TrainingJob = { stage: 'pretrain'; params: PretrainParams } | { stage: 'finetune'; params: FinetuneParams };

/** What another rank is told. */
export interface TrainingOrder {
  job: TrainingJob;
  lake: string;
  inputs: Inputs;
  /** Where the run goes on; null to begin. */
  checkpoint: string | null;
}

const engine: Engine = { open: openSession, decoder: openDecoder };

/** Makes the training that a job asks for. */
function prepare(job: TrainingJob, lake: string, inputs: Inputs): Promise<Training> {
  switch (job.stage) {
    case 'pretrain':
      return preparePretrain(lake, job.params, inputs);
    case 'finetune':
      return prepareFinetune(lake, job.params, inputs);
  }
}

/** Runs a training stage in this process and, where the recipe asks for more ranks, in others beside it. */
export async function runOverRanks(job: TrainingJob, context: TaskContext): Promise<Counts> {
  const { lake, inputs } = context;
  const lock = await holdRun(context);
  try {
    const training = await prepare(job, lake, inputs);
    const checkpoint = resumePoint(context);
    if (job.params.ranks === 1) return await runTraining(training, engine, alone(), checkpoint, context);
    const order: TrainingOrder = { job, lake, inputs, checkpoint };
    const floats = parametersOf(training.config);
    const ranks = launchRanks(compiledModule('trainer/stages/rank'), job.params.ranks, floats, order);
    try {
      return await runTraining(training, engine, ranks.collective, checkpoint, context);
    } catch (error) {
      throw await ranks.explain(error);
    } finally {
      ranks.close();
    }
  } finally {
    lock.release();
  }
}

/** The part of a rank other than 0: the same training, nothing written. */
export async function followTraining(order: TrainingOrder, enter: () => Collective): Promise<void> {
  const training = await prepare(order.job, order.lake, order.inputs);
  const collective = enter();
  const { session, from } = openAt(training, engine, collective, order.checkpoint);
  const { samples, documentMask, validation, plan } = training;
  try {
    await train({ session, collective, samples, documentMask, validation, plan, from });
  } finally {
    session.close();
  }
}
