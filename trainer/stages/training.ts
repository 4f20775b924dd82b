import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { lockLake, type Lock } from '../../core/lake/lock.ts';
import { writeTable } from '../../core/lake/parquet.ts';
import { short } from '../../core/progress.ts';
import { steps as stepsTable, type Step } from '../../core/records/index.ts';
import type { Counts, TaskContext } from '../../core/stage/index.ts';
import {
  checkCheckpoint,
  checkpointsIn,
  loadCheckpoint,
  loadWeights,
  rotateCheckpoints,
  saveCheckpoint,
} from '../checkpoint/checkpoint.ts';
import type { Collective } from '../collectives/collective.ts';
import type { Samples } from '../loader/samples.ts';
import { generate, textStream } from '../sample/generate.ts';
import type { Vocabulary } from '../sample/vocabulary.ts';
import type { Decoder, ModelConfig, SessionOptions, TrainingSession } from '../session.ts';
import { openJournal, readJournal } from './journal.ts';
import { train, type LoopPlan, type Position } from './loop.ts';
import type { Validation } from './validate.ts';

/** A training that is ready to begin: what a stage makes of its recipe and its inputs, alike on every rank. */
export interface Training {
  config: ModelConfig;
  plan: LoopPlan;
  session: SessionOptions;
  samples: Samples;
  documentMask: boolean;
  validation: Validation | null;
  vocabulary: Vocabulary;
  /** Folder of a checkpoint whose weights it starts from; null for weights from the seed. */
  weights: string | null;
  checkpoint: { every: number; keep: number };
  sampling: {
    every: number;
    prompts: { text: string; ids: number[] }[];
    tokens: number;
    temperature: number;
    topK: number;
  };
  /** The token that ends a text or an answer. */
  end: number;
  /** Files beside each checkpoint, by name. */
  beside: Record<string, string>;
  /** What the data turned out to hold: counts for the run's marker, and lines for the person at the terminal. */
  found: { counts: Counts; notices: string[] };
}

/** The engine: replaced in tests. */
export interface Engine {
  open(config: ModelConfig, options: SessionOptions): TrainingSession;
  decoder(
    config: ModelConfig,
    weights: (name: string) => Float32Array,
    options: { length: number; threads: number; engine: 'cpu' | 'reference' },
  ): Decoder;
}

/** The session of one rank, at the start or at a checkpoint. Each rank calls this alike. */
export function openAt(
  training: Training,
  engine: Engine,
  collective: Collective,
  checkpoint: string | null,
): { session: TrainingSession; from: Position } {
  const options = { ...training.session, ...(collective.gradients ? { gradients: collective.gradients } : {}) };
  const session = engine.open(training.config, options);
  if (checkpoint !== null) {
    const { step, samples, tokens } = loadCheckpoint(checkpoint, session);
    return { session, from: { step, samples, tokens } };
  }
  if (training.weights !== null) loadWeights(training.weights, session);
  return { session, from: { step: 0, samples: 0, tokens: 0 } };
}

/** Where the rows of a running training stand until it is done. */
const journalPath = (context: TaskContext) => join(context.scratch, 'steps.jsonl');

/** Holds a run against the process that a kill may have left behind: waits until that one has let go. */
export const holdRun = (context: TaskContext): Promise<Lock> =>
  lockLake(context.scratch, {
    wait: true,
    onWait: (holder) => context.notice(`the run is still held by ${holder}: waiting until it has ended`),
  });

/**
 * The checkpoint that a stopped run goes on from: the last one of this recipe that is whole and whose rows are all in the
 * journal; null to begin. A damaged one costs the steps since the one before, and a notice.
 */
export function resumePoint(context: TaskContext): string | null {
  const folder = join(context.folder('runs'), 'checkpoints');
  const rows = readJournal<Step>(journalPath(context)).length;
  for (const { step, path } of checkpointsIn(folder).toReversed()) {
    if (step > rows) continue;
    try {
      if (checkCheckpoint(path).recipe === context.key()) return path;
    } catch (error) {
      if (!(error instanceof GarnerError)) throw error;
      context.notice(`the checkpoint at step ${step} is damaged and is made again: ${error.message}`);
    }
  }
  return null;
}

/**
 * Rank 0's side of a training: rows into a journal, samples, checkpoints, progress; at the end `runs/<key>/steps.parquet`.
 * A killed run that is started again makes the same rows, samples and checkpoints to the last bit. Seconds stand in
 * timing.jsonl, which is no output.
 */
export async function runTraining(
  training: Training,
  engine: Engine,
  collective: Collective,
  checkpoint: string | null,
  context: TaskContext,
): Promise<Counts> {
  const run = context.folder('runs');
  const checkpoints = join(run, 'checkpoints');
  const { session, from } = openAt(training, engine, collective, checkpoint);
  training.found.notices.forEach(context.notice);
  if (from.step > 0) context.notice(`${training.plan.run} goes on after step ${from.step}`);
  const journal = openJournal<Step>(journalPath(context), from.step);
  const timing = openJournal<Timing>(join(run, 'timing.jsonl'), from.step);
  const lines = openJournal<SampleRow>(join(run, 'samples.jsonl'), from.step);
  const pace = openPace();
  rotateCheckpoints(checkpoints, Infinity);
  try {
    await train({
      session,
      collective,
      samples: training.samples,
      documentMask: training.documentMask,
      validation: training.validation,
      plan: training.plan,
      from,
      async after(row, position, seconds) {
        const { step } = row;
        const last = step === training.plan.steps;
        journal.append(row);
        timing.append({ step, seconds, tokens_per_second: tokensOf(training.plan) / seconds });
        context.progress(step, training.plan.steps, pace(row, training.plan, seconds));
        if (last || step % training.sampling.every === 0)
          for (const line of sampleLines(training, engine, session)) lines.append({ step, ...line });
        if (!last && step % training.checkpoint.every !== 0) return;
        journal.flush();
        lines.flush();
        await saveCheckpoint(checkpoints, {
          session,
          state: { ...position, seed: training.session.seed, recipe: context.key() },
          end: training.end,
          beside: training.beside,
        });
        rotateCheckpoints(checkpoints, training.checkpoint.keep);
      },
    });
    rotateCheckpoints(checkpoints, training.checkpoint.keep);
  } finally {
    journal.close();
    timing.close();
    lines.close();
    session.close();
  }
  const rows = readJournal<Step>(journalPath(context));
  await writeOutputs(context, run, rows);
  context.facts({
    name: training.plan.run,
    steps: rows.length,
    tokens: rows.at(-1)!.tokens,
    parameters: session.parameters,
    loss: { first: rows[0]!.loss, last: meanOfLast(rows) },
    validation_loss: rows.at(-1)!.validation_loss,
    bits_per_byte: rows.at(-1)!.bits_per_byte,
    checkpoint: relative(context.lake, checkpointsIn(checkpoints).at(-1)!.path),
  });
  return { ...training.found.counts, steps: rows.length, tokens: rows.at(-1)!.tokens, parameters: session.parameters };
}

interface Timing {
  step: number;
  seconds: number;
  tokens_per_second: number;
}

interface SampleRow {
  step: number;
  prompt: string;
  text: string;
}

/** Tokens that a step's rows hold. */
const tokensOf = (plan: LoopPlan) => plan.batch * plan.sequence;

/** One batch is noise: the loss at the end is the mean of the last steps, at most 10 and at most a tenth. */
function meanOfLast(rows: readonly Step[]): number {
  const last = rows.slice(-Math.max(1, Math.min(10, Math.floor(rows.length / 10))));
  return last.reduce((sum, row) => sum + row.loss, 0) / last.length;
}

/** Turns the journal into Parquet and counts the files of the run as output. */
async function writeOutputs(context: TaskContext, run: string, rows: readonly Step[]): Promise<void> {
  const table = await writeTable(context.file('runs', 'steps.parquet'), stepsTable);
  for (const row of rows) table.append(row);
  await table.close();
  if (existsSync(join(run, 'samples.jsonl'))) context.keep('runs', 'samples.jsonl');
  for (const { path } of checkpointsIn(join(run, 'checkpoints')))
    for (const file of readdirSync(path).toSorted()) context.keep('runs', relative(run, join(path, file)));
}

/** A line for each prompt, from the weights as they are. */
function sampleLines(training: Training, engine: Engine, session: TrainingSession): { prompt: string; text: string }[] {
  const { sampling, vocabulary, config } = training;
  const ends = [...new Set([training.end, vocabulary.endOfText])];
  if (sampling.prompts.length === 0) return [];
  const byName = new Map(session.tensors.map((t) => [t.name, t.weight]));
  const decoder = engine.decoder(config, (name) => byName.get(name) ?? byName.get('model.embed_tokens.weight')!, {
    length: config.context,
    threads: training.session.threads,
    engine: training.session.engine,
  });
  const rows = sampling.prompts.map(({ text: prompt, ids }, sequence) => {
    const decode = textStream();
    let text = '';
    for (const id of generate(decoder, ids.slice(-config.context), {
      tokens: sampling.tokens,
      temperature: sampling.temperature,
      topK: sampling.topK,
      topP: 1,
      seed: training.session.seed,
      sequence,
      stop: ends,
      never: vocabulary.specials.filter((id) => !ends.includes(id)),
    }))
      text += decode(vocabulary.bytes(id));
    return { prompt, text };
  });
  decoder.close();
  return rows;
}

/** Says where a run is: loss, tokens a second over the last 20 steps of this process, the time that is left. It fits beside a bar in 80 columns. */
function openPace(): (row: Step, plan: LoopPlan, seconds: number) => string {
  const recent: number[] = [];
  return (row, plan, seconds) => {
    recent.push(seconds);
    if (recent.length > 20) recent.shift();
    const mean = recent.reduce((a, b) => a + b, 0) / recent.length;
    const left = Math.round(mean * (plan.steps - row.step));
    const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
    return `loss ${row.loss.toFixed(2)} · ${short(Math.round(tokensOf(plan) / mean))} tok/s, ${clock} left`;
  };
}
