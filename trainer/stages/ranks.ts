import { join } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { compiledModule } from '../../core/root.ts';
import type { Counts, Inputs, TaskContext } from '../../core/stage/index.ts';
import { originOf, type Origin } from '../card/origin.ts';
import { alone } from '../collectives/alone.ts';
import { RankLost, type World } from '../collectives/group.ts';
import { explainRecorder } from '../collectives/recorder/explain.ts';
import { readRecorder } from '../collectives/recorder/read.ts';
import { createWorldMemory, type SharedWorld } from '../collectives/shared-memory/memory.ts';
import type { RankReports } from '../parallel/launch/child.ts';
import { threadsOfRank } from '../parallel/launch/cores.ts';
import { meetingHere } from '../parallel/launch/external.ts';
import type { Guest } from '../parallel/launch/guest.ts';
import { checkOwnHome } from '../parallel/launch/home.ts';
import { runRanks } from '../parallel/launch/launcher.ts';
import { meshOfFewer, withRestarts } from '../parallel/launch/restart.ts';
import { launchSettings } from '../parallel/launch/settings.ts';
import { hearStops, stopRequested } from '../parallel/launch/stop.ts';
import { ranksOf, type Mesh } from '../parallel/mesh.ts';
import { mailboxOf, openLearner } from '../parallel/open.ts';
import { checkParallel } from '../parallel/options.ts';
import { openDecoder } from '../session.ts';
import { answersOf, trainWithGuests } from './guests.ts';
import { prepareJob, type TrainingJob } from './jobs.ts';
import {
  finishTraining,
  holdRun,
  placeOfRun,
  trainAsRank,
  type Engine,
  type RankParts,
  type RunPlace,
  type Training,
} from './training.ts';

/** What each rank is told. */
export interface TrainingOrder {
  job: TrainingJob;
  lake: string;
  inputs: Inputs;
  place: RunPlace;
}

/** The same where garner has started the ranks over shared memory. */
export interface SharedOrder extends TrainingOrder {
  world: SharedWorld;
}

const engine: Engine = { open: openLearner, decoder: openDecoder };

/** Makes the training that a job asks for. */
async function prepare(job: TrainingJob, lake: string, inputs: Inputs): Promise<Training> {
  const training = await prepareJob(job, lake, inputs);
  let origin: Promise<Origin> | undefined;
  const { weights } = training;
  training.origin = () => (origin ??= originOf(lake, inputs, { ...job, weights }));
  const ranks = ranksOf(training.learner.parallel.mesh);
  training.learner.threads = threadsOfRank(job.stage, ranks, job.params.threads);
  return training;
}

/**
 * Runs a training stage: in this process; or where the recipe asks for more ranks in others, which this one starts, watches
 * and starts again; or as rank 0 of those that another launcher has started.
 */
export async function runOverRanks(job: TrainingJob, context: TaskContext): Promise<Counts> {
  const { lake, inputs } = context;
  const lock = await holdRun(context);
  const unhear = hearStops();
  try {
    const training = await prepare(job, lake, inputs);
    training.found.notices.forEach((line) => context.notice(line));
    const place = placeOfRun(context);
    const ranks = ranksOf(training.learner.parallel.mesh);
    const meeting = meetingHere();
    const train = (world: World) => trainHere(training, { world, place, reports: context, stopRequested });
    if (meeting) {
      const mailbox = mailboxOf(training.config, training.learner);
      const wanted = job.params.parallel.collectives;
      const recorder = recorderOf(place);
      try {
        await trainWithGuests(meeting, { job, lake, inputs, place }, { wanted, ranks, mailbox, recorder }, train);
      } catch (error) {
        if (error instanceof RankLost) flightLines(recorder).forEach((line) => context.notice(line));
        throw error;
      }
    } else if (ranks === 1) await train(alone());
    else await trainInOthers(job, training, context);
    for (const line of flightLines(recorderOf(place))) if (line.includes(' is slow: ')) context.notice(line);
    return await finishTraining(training, place, context);
  } finally {
    unhear();
    lock.release();
  }
}

/** Starts all ranks as processes of this machine, and again where one dies and the settings allow. */
async function trainInOthers(job: TrainingJob, training: Training, context: TaskContext): Promise<void> {
  const { lake, inputs } = context;
  const { mesh } = training.learner.parallel;
  checkOwnHome(job.stage, job.params.parallel.collectives);
  await withRestarts(
    {
      restarts: launchSettings().restarts,
      mesh,
      meshFor: (ranks) => meshOfFewer(mesh, ranks, (smaller) => fits(training, smaller)),
      notice: (text) => context.notice(text),
    },
    async (now) => {
      const spread = ranksOf(now) === ranksOf(mesh) ? job : withMesh(job, training, now);
      const { config, learner } = await prepare(spread, lake, inputs);
      const ranks = ranksOf(now);
      const place = placeOfRun(context);
      const recorder = recorderOf(place);
      const memory = createWorldMemory(ranks, { mailbox: mailboxOf(config, learner), recorder });
      try {
        const order: SharedOrder = { job: spread, lake, inputs, place, world: memory.place };
        await runRanks({
          module: compiledModule('trainer/stages/rank'),
          ranks,
          order,
          fds: [memory.place.fd],
          reports: context,
          started: (rank, pid) => memory.expect(rank, pid),
          explain: () => flightLines(recorder),
        });
      } finally {
        memory.close();
      }
    },
  );
}

/** Where the last calls and steps of every rank stand, also when it has died. */
export const recorderOf = ({ scratch }: Pick<RunPlace, 'scratch'>): string => join(scratch, 'flight-recorder');

/** What the flight recorder says of ranks that ended badly; nothing where it has nothing to say. */
function flightLines(recorder: string): string[] {
  try {
    return explainRecorder(readRecorder(recorder));
  } catch {
    return [];
  }
}

/** Whether a training can be spread so, with the micro-batches that it has: then data ranks more or less change no bit. */
function fits({ config, plan, learner }: Training, mesh: Mesh): boolean {
  try {
    const shape = { batch: plan.batch, micro: plan.microBatch, sequence: plan.sequence };
    checkParallel(config, { ...learner.parallel, mesh }, shape);
    return true;
  } catch (error) {
    if (error instanceof GarnerError) return false;
    throw error;
  }
}

/** The same job over another mesh. */
function withMesh(job: TrainingJob, { learner }: Training, mesh: Mesh): TrainingJob {
  const parallel = { ...job.params.parallel, ...mesh };
  const params = { ...job.params, ranks: ranksOf(mesh), parallel, micro_batch: learner.batch };
  return { stage: job.stage, params } as TrainingJob;
}

/** Trains as one rank, and tells the others where this one cannot go on. */
async function trainHere(training: Training, parts: RankParts): Promise<void> {
  const { world } = parts;
  try {
    await trainAsRank(training, engine, parts);
  } catch (error) {
    world.abort();
    throw error;
  } finally {
    world.close();
  }
}

/** The part of one rank that another process leads. */
export async function trainInRank(
  order: TrainingOrder,
  enter: () => World,
  reports: RankReports | null,
): Promise<void> {
  const training = await prepare(order.job, order.lake, order.inputs);
  await trainHere(training, { world: enter(), place: order.place, reports, stopRequested });
}

/** What a rank that another launcher has started answers to rank 0. */
export const answerTraining = (rank: number): ((guest: Guest, question: unknown) => Promise<void>) =>
  answersOf(rank, (order, enter) => trainInRank(order, enter, null));
