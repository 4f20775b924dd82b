import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { lockLake, type Lock } from '../../core/lake/lock.ts';
import { writeTable } from '../../core/lake/parquet.ts';
import { short } from '../../core/progress.ts';
import {
  decisions,
  metrics as metricsTable,
  steps as stepsTable,
  type Decision,
  type Step,
} from '../../core/records/index.ts';
import type { Counts, TaskContext } from '../../core/stage/index.ts';
import {
  checkCheckpoint,
  checkpointsIn,
  lendTensors,
  loadCheckpoint,
  loadWeights,
  rotateCheckpoints,
  saveCheckpoint,
} from '../checkpoint/checkpoint.ts';
import { cardText, meanOfLast } from '../card/at-step.ts';
import { CARD_FILE } from '../card/card.ts';
import type { Origin } from '../card/origin.ts';
import type { World } from '../collectives/group.ts';
import { mergedConfig } from '../lora/lora.ts';
import { mergeAll } from '../lora/merge.ts';
import { startWeight } from '../model/initialise.ts';
import { parametersOf } from '../model/size.ts';
import { weightsOf } from '../model/weights.ts';
import { sizeOf } from '../ops/define.ts';
import { stoppedAt } from '../parallel/launch/stop.ts';
import type { Learner } from '../parallel/learner.ts';
import type { LearnerOptions } from '../parallel/open.ts';
import { generate, textStream } from '../sample/generate.ts';
import type { Vocabulary } from '../sample/vocabulary.ts';
import type { Decoder, ModelConfig } from '../session.ts';
import { openJournal, readJournal } from './journal.ts';
import { train, type LoopPlan, type More, type Position } from './loop.ts';
import type { Objective } from './objective.ts';

/** A training that is ready to begin: what a stage makes of its recipe and its inputs, alike on every rank. */
export interface Training {
  config: ModelConfig;
  plan: LoopPlan;
  learner: LearnerOptions;
  objective: Objective;
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
  /** What it comes from, for the card beside each checkpoint; asked on rank 0 alone. */
  origin?: () => Promise<Origin>;
  /** What the data turned out to hold: counts for the run's marker, lines for the person at the terminal, records left out or cut. */
  found: { counts: Counts; notices: string[]; decisions?: readonly Decision[] };
}

/** What a model runs on: replaced in tests. */
export interface Engine {
  open(config: ModelConfig, options: LearnerOptions, world: World): Learner;
  decoder(
    config: ModelConfig,
    weights: (name: string) => Float32Array,
    options: { length: number; threads: number; engine: 'cpu' | 'reference' },
  ): Decoder;
}

/** Where a run lies, as plain data: rank 0 may be another process than the one that has the task. */
export interface RunPlace {
  /** Folder of the run, absolute. */
  run: string;
  /** Folder of what is there until the run is done. */
  scratch: string;
  /** The stage's key. */
  key: string;
  /** Folder of the checkpoint that it goes on from; null to begin. */
  checkpoint: string | null;
}

/** What a rank is told beside what it trains. */
export interface RankParts {
  world: World;
  place: RunPlace;
  /** Rank 0 reports; null on the others. */
  reports: Pick<TaskContext, 'progress' | 'notice'> | null;
  stopRequested: () => boolean;
}

/** Where the rows of a running training stand until it is done. */
const journalPath = ({ scratch }: Pick<RunPlace, 'scratch'>) => join(scratch, 'steps.jsonl');
const metricsPath = ({ scratch }: Pick<RunPlace, 'scratch'>) => join(scratch, 'metrics.jsonl');

/** Where the lines of an objective stand: those of a table only until it is written. */
const linesPath = ({ run, scratch }: Pick<RunPlace, 'run' | 'scratch'>, { tables }: Objective, name: string) =>
  join(tables && name in tables ? scratch : run, `${name}.jsonl`);

/** Reads them. */
const linesOf =
  (place: Pick<RunPlace, 'run' | 'scratch'>, objective: Objective) =>
  (name: string): { step: number }[] =>
    readJournal(linesPath(place, objective, name));

/** Holds a run against the process that a kill may have left behind: waits until that one has let go. */
export const holdRun = (context: TaskContext): Promise<Lock> =>
  lockLake(context.scratch, {
    wait: true,
    onWait: (holder) => context.notice(`the run is still held by ${holder}: waiting until it has ended`),
  });

/**
 * Where a run lies, and the checkpoint that a stopped one goes on from: the last one of this recipe that is whole and whose
 * rows are all in the journal. A damaged one costs the steps since the one before, and a notice.
 */
export function placeOfRun(context: TaskContext): RunPlace {
  const place = { run: context.folder('runs'), scratch: context.scratch, key: context.key() };
  return { ...place, checkpoint: resumePoint(place, context.notice) };
}

function resumePoint(place: Omit<RunPlace, 'checkpoint'>, notice: (text: string) => void): string | null {
  const rows = readJournal<Step>(journalPath(place)).length;
  for (const { step, path } of checkpointsIn(join(place.run, 'checkpoints')).toReversed()) {
    if (step > rows) continue;
    try {
      if (checkCheckpoint(path).recipe === place.key) return path;
    } catch (error) {
      if (!(error instanceof GarnerError)) throw error;
      notice(`the checkpoint at step ${step} is damaged and is made again: ${error.message}`);
    }
  }
  return null;
}

/**
 * Trains on one rank; all ranks call this alike. Rank 0 writes rows into a journal, samples and checkpoints into the run's
 * folder; seconds stand in timing.jsonl, which is no output. A killed run that is started again makes the same rows, samples
 * and checkpoints, on the same mesh to the last bit. Throws stoppedAt once the checkpoint of a requested stop stands.
 */
export async function trainAsRank(training: Training, engine: Engine, parts: RankParts): Promise<void> {
  const { world, place, reports } = parts;
  const { plan } = training;
  const learner = engine.open(training.config, training.learner, world);
  try {
    const from = await startOf(training, learner, world, place);
    if (reports && from.step > 0) reports.notice(`${plan.run} goes on after step ${from.step}`);
    const writer = world.rank === 0 ? openWriter(training, engine, learner, place, from, reports) : null;
    let last: Position = from;
    try {
      await train({
        learner,
        world,
        objective: training.objective,
        plan,
        from,
        stopRequested: parts.stopRequested,
        restart: () => startAgain(training, learner),
        async after(row, position, seconds, stop, more) {
          last = position;
          writer?.row(row, more, seconds, world.ranks);
          if (isDue(row.step, training.sampling.every, plan) && training.sampling.prompts.length > 0) {
            if (writer) writer.sample(row.step);
            else for (const { name } of learner.tensors) learner.collect(name, 'weight');
          }
          if (!stop && !isDue(row.step, training.checkpoint.every, plan)) return;
          await training.objective.save?.(row.step);
          if (writer) await writer.checkpoint(position);
          else lendTensors(learner);
        },
      });
    } finally {
      writer?.close();
    }
    // No rank leaves, and takes its memory along, while another still reads it.
    world.barrier();
    if (last.step < plan.steps) throw stoppedAt(plan.run, last.step);
  } finally {
    learner.close();
  }
}

/** Every so many steps, and at the last one. */
const isDue = (step: number, every: number, { steps }: LoopPlan) => step === steps || step % every === 0;

/** Puts a learner at a checkpoint, or at the start; adapters stand on it in any case, and an objective may look at it. */
async function startOf(training: Training, learner: Learner, world: World, place: RunPlace): Promise<Position> {
  const { objective, weights } = training;
  const under = objective.begin !== undefined || learner.config.lora !== undefined;
  if (weights !== null && (place.checkpoint === null || under)) loadWeights(weights, learner);
  const { scratch, run, checkpoint } = place;
  await objective.begin?.({ learner, world, scratch, run, checkpoint });
  if (place.checkpoint === null) return { step: 0, samples: 0, tokens: 0 };
  const { step, samples, tokens } = loadCheckpoint(place.checkpoint, learner);
  return { step, samples, tokens };
}

/** The first weights, and no moments. */
function startAgain(training: Training, learner: Learner): void {
  for (const spec of weightsOf(learner.config)) {
    const whole = new Float32Array(sizeOf(spec.shape));
    for (const kind of ['first', 'second'] as const) learner.place(spec.name, kind, whole);
    startWeight(spec, learner.config, training.learner.seed, whole);
    learner.place(spec.name, 'weight', whole);
  }
  if (training.weights !== null) loadWeights(training.weights, learner);
}

/** Rank 0's hand: all that a running training leaves behind. */
function openWriter(
  training: Training,
  engine: Engine,
  learner: Learner,
  place: RunPlace,
  from: Position,
  reports: RankParts['reports'],
) {
  const { plan, objective } = training;
  const { threads } = training.learner;
  const checkpoints = join(place.run, 'checkpoints');
  const journal = openJournal<Step>(journalPath(place), from.step);
  const timing = openJournal<Timing>(join(place.run, 'timing.jsonl'), from.step);
  const metrics = openJournal<MetricsRow>(metricsPath(place), from.step);
  const lines = openJournal<SampleRow>(join(place.run, 'samples.jsonl'), from.step);
  const others = new Map(
    [...(objective.journals ?? []), ...Object.keys(objective.tables ?? {})].map((name) => [
      name,
      openJournal<{ step: number }>(linesPath(place, objective, name), from.step),
    ]),
  );
  const pace = openPace();
  const regular = (step: number) => isDue(step, training.checkpoint.every, plan);
  rotateCheckpoints(checkpoints, Infinity);
  return {
    row(row: Step, more: More, seconds: number, ranks: number) {
      if (Object.keys(more.metrics).length > 0) metrics.append({ step: row.step, metrics: more.metrics });
      for (const [name, all] of Object.entries(more.lines))
        for (const line of all) others.get(name)!.append({ step: row.step, ...line });
      journal.append(row);
      timing.append({ step: row.step, seconds, tokens_per_second: plan.stepTokens / seconds, ranks, threads });
      reports?.progress(row.step, plan.steps, pace(row, plan, seconds));
    },
    sample(step: number) {
      for (const line of sampleLines(training, engine, learner)) lines.append({ step, ...line });
    },
    async checkpoint(position: Position) {
      for (const one of [metrics, lines, ...others.values(), journal]) one.flush();
      await saveCheckpoint(checkpoints, {
        learner,
        state: { ...position, seed: training.learner.seed, recipe: place.key },
        end: training.end,
        beside: { ...training.beside, ...(await cardBeside(training, place)) },
      });
      if (!regular(position.step)) return;
      const best = objective.best?.(linesOf(place, objective)) ?? null;
      rotateCheckpoints(checkpoints, training.checkpoint.keep, regular, best);
    },
    close() {
      for (const one of [journal, timing, metrics, lines, ...others.values()]) one.close();
    },
  };
}

/** The card of a checkpoint: a function of the recipe, the data and the rows so far. */
async function cardBeside(training: Training, place: RunPlace): Promise<Record<string, string>> {
  const origin = await training.origin?.();
  if (!origin) return {};
  const rows = readJournal<Step>(journalPath(place));
  const metrics = readJournal<MetricsRow>(metricsPath(place));
  const { config, plan, learner, found } = training;
  const at = { key: place.key, config, plan, seed: learner.seed, counts: found.counts, rows, metrics };
  return { [CARD_FILE]: cardText(origin, at) };
}

/** When all ranks are done: `runs/<key>/steps.parquet`, the files of the run as output, and its facts. */
export async function finishTraining(training: Training, place: RunPlace, context: TaskContext): Promise<Counts> {
  const { run } = place;
  const checkpoints = join(run, 'checkpoints');
  const { plan, objective } = training;
  const best = objective.best?.(linesOf(place, objective)) ?? null;
  rotateCheckpoints(checkpoints, training.checkpoint.keep, () => true, best);
  const rows = readJournal<Step>(journalPath(place));
  await writeOutputs(context, run, rows);
  await writeDecisions(context, training.found.decisions ?? []);
  await writeMetrics(context, plan.run, readJournal<MetricsRow>(metricsPath(place)));
  for (const name of objective.journals ?? []) context.keep('runs', `${name}.jsonl`);
  await writeTables(context, place, objective);
  const concluded = objective.conclude?.(linesOf(place, objective));
  for (const line of concluded?.notices ?? []) context.notice(line);
  const parameters = parametersOf(mergedConfig(training.config));
  const adapters = training.config.lora ? { trained: parametersOf(training.config) - parameters } : {};
  const kept = checkpointsIn(checkpoints);
  context.facts({
    name: training.plan.run,
    steps: rows.length,
    tokens: rows.at(-1)!.tokens,
    parameters,
    ...adapters,
    loss: { first: rows[0]!.loss, last: meanOfLast(rows) },
    validation_loss: rows.at(-1)!.validation_loss,
    bits_per_byte: rows.at(-1)!.bits_per_byte,
    checkpoint: relative(context.lake, kept.find((c) => c.step === best)?.path ?? kept.at(-1)!.path),
    ...concluded?.facts,
  });
  return { ...training.found.counts, steps: rows.length, tokens: rows.at(-1)!.tokens, parameters };
}

interface Timing {
  step: number;
  seconds: number;
  tokens_per_second: number;
  ranks: number;
  threads: number;
}

interface MetricsRow {
  step: number;
  metrics: Readonly<Record<string, number>>;
}

interface SampleRow {
  step: number;
  prompt: string;
  text: string;
}

/** Turns the journal into Parquet and counts the files of the run as output. */
async function writeOutputs(context: TaskContext, run: string, rows: readonly Step[]): Promise<void> {
  const table = await writeTable(context.file('runs', 'steps.parquet'), stepsTable);
  for (const row of rows) table.append(row);
  await table.close();
  if (existsSync(join(run, 'samples.jsonl'))) context.keep('runs', 'samples.jsonl');
  for (const { path } of checkpointsIn(join(run, 'checkpoints')))
    for (const file of readdirSync(path, { recursive: true, encoding: 'utf8' }).toSorted())
      if (statSync(join(path, file)).isFile()) context.keep('runs', relative(run, join(path, file)));
}

/** `decisions/<key>/part-00000.parquet`, where any record was left out or cut. */
async function writeDecisions(context: TaskContext, rows: readonly Decision[]): Promise<void> {
  if (rows.length === 0) return;
  const table = await writeTable(context.file('decisions', 'part-00000.parquet'), decisions);
  for (const row of rows) table.append(row);
  await table.close();
}

/** `metrics/<key>/metrics.parquet`, where the objective has reported any. */
async function writeMetrics(context: TaskContext, run: string, rows: readonly MetricsRow[]): Promise<void> {
  if (rows.length === 0) return;
  const table = await writeTable(context.file('metrics', 'metrics.parquet'), metricsTable);
  for (const { step, metrics } of rows)
    for (const [name, value] of Object.entries(metrics)) table.append({ run, step, name, value });
  await table.close();
}

/** The tables of an objective, from their journals; a table without a row is not written. */
async function writeTables(context: TaskContext, place: RunPlace, objective: Objective): Promise<void> {
  for (const [name, table] of Object.entries(objective.tables ?? {})) {
    const rows = linesOf(place, objective)(name);
    if (rows.length === 0) continue;
    const to = await writeTable(context.file(name, `${name}.parquet`), table);
    for (const row of rows) to.append(row as never);
    await to.close();
  }
}

/** A line for each prompt, from the weights as they are. */
function sampleLines(training: Training, engine: Engine, learner: Learner): { prompt: string; text: string }[] {
  const { sampling, vocabulary, config } = training;
  const ends = [...new Set([training.end, vocabulary.endOfText])];
  const whole = new Map(learner.tensors.map(({ name }) => [name, learner.collect(name, 'weight')!]));
  const byName = mergeAll(whole, config.lora);
  const decoder = engine.decoder(
    mergedConfig(config),
    (name) => byName.get(name) ?? byName.get('model.embed_tokens.weight')!,
    {
      length: config.context,
      threads: training.learner.threads,
      engine: training.learner.engine,
    },
  );
  const rows = sampling.prompts.map(({ text: prompt, ids }, sequence) => {
    const decode = textStream();
    let text = '';
    for (const id of generate(decoder, ids.slice(-config.context), {
      tokens: sampling.tokens,
      temperature: sampling.temperature,
      topK: sampling.topK,
      topP: 1,
      seed: training.learner.seed,
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
    return `loss ${row.loss.toFixed(2)} · ${short(Math.round(plan.stepTokens / mean))} tok/s, ${clock} left`;
  };
}
