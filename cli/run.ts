import { cpus } from 'node:os';
import { AGAIN, GarnerError } from '../core/errors.ts';
import { openLake } from '../core/lake/lake.ts';
import { createProgress, type Progress } from '../core/progress.ts';
import { inProcess, run, type Executor, type StageReport } from '../core/stage/index.ts';
import { hearsStops, STOP_SIGNALS } from '../trainer/parallel/launch/stop.ts';
import { Interrupted, type Terminal } from './command.ts';
import { executorFor, type ExecutorChoice } from './executor.ts';
import { STAGES, type Recipe } from './pipeline.ts';

export { wholeNumber } from './arguments.ts';

export interface RunArguments extends ExecutorChoice {
  lake: string;
  recipe: Recipe;
  until?: string | undefined;
  wait?: boolean | undefined;
  progress?: Progress | undefined;
  /** Trainings run in this process: it is a rank that another launcher has started. */
  trainHere?: boolean | undefined;
  /** Aborted, with an error, where the run has become vain. */
  signal?: AbortSignal | undefined;
}

/**
 * Runs a recipe's stages in child processes; Ctrl-C ends them at once, and nothing half-written counts. SIGTERM and SIGUSR1 let
 * a training write a checkpoint first; the error then asks for a requeue (fault 75).
 */
export async function runRecipe(args: RunArguments, terminal: Terminal): Promise<StageReport[]> {
  if (!args.recipe.crawl && !args.recipe.files?.length) {
    throw new GarnerError({
      what: 'the recipe names no source of text',
      where: args.recipe.name,
      hint: 'add a section "crawl" (a website) or "files" (JSONL, Parquet, HTML, WARC)',
      fault: 2,
    });
  }
  // SQL in a recipe is checked before hours of work, not after them.
  if (args.recipe.mix) await (await import('../datasets/mix/expression.ts')).checkMix(args.recipe.mix);
  const lake = await openLake(args.lake);
  const workers = args.workers ?? cpus().length;
  const chosen = await executorFor(lake, { ...args, workers });
  // What a training says when it was asked to stop: where it goes on.
  let stoppedWell: GarnerError | null = null;
  const executor = heeding(args.trainHere ? trainingHere(chosen) : chosen, (error) => (stoppedWell ??= error));
  const progress = args.progress ?? createProgress(terminal.stderr);
  const aborting = new AbortController();
  let toGoOn = false;
  const endHere = (code: number): never => {
    terminal.stderr.write('garner: stopped; the same command goes on where it stopped\n');
    process.exit(code);
  };
  const stop = () => {
    aborting.abort();
    // A task in this process cannot be stopped from outside: files appear by rename, so nothing half-written counts.
    if (workers === 0 || hearsStops()) endHere(130);
    void executor.close();
  };
  const stopToGoOn = () => {
    toGoOn = true;
    aborting.abort();
    // A training in this process listens for itself, and saves where it stands.
    if (workers === 0 && !hearsStops()) endHere(AGAIN);
    executor.stop?.();
  };
  const giveUp = () => {
    aborting.abort();
    void executor.close();
  };
  if (args.signal?.aborted) giveUp();
  args.signal?.addEventListener('abort', giveUp, { once: true });
  process.once('SIGINT', stop);
  for (const signal of STOP_SIGNALS) process.once(signal, stopToGoOn);
  try {
    return await run({
      lake,
      recipe: args.recipe,
      stages: STAGES,
      executor,
      progress,
      until: args.until,
      wait: args.wait,
      signal: aborting.signal,
    });
  } catch (error) {
    if (args.signal?.aborted) throw args.signal.reason;
    if (toGoOn)
      throw (
        stoppedWell ??
        new GarnerError({ what: 'stopped', hint: 'the same command goes on where it stopped', fault: AGAIN })
      );
    if (aborting.signal.aborted) throw new Interrupted('stopped');
    throw error;
  } finally {
    args.signal?.removeEventListener('abort', giveUp);
    process.off('SIGINT', stop);
    for (const signal of STOP_SIGNALS) process.off(signal, stopToGoOn);
    await executor.close();
  }
}

/** Stages that run over ranks are run by this process, which is one. */
const trainingHere = (executor: Executor): Executor => ({
  ...executor,
  takes: (stage) => stage.ranks === undefined && (executor.takes?.(stage) ?? true),
  run: (stage, order, reports) => (stage.ranks ? inProcess() : executor).run(stage, order, reports),
});

/** The same, and hears of tasks that were stopped and can go on. */
const heeding = (executor: Executor, hear: (error: GarnerError) => void): Executor => ({
  ...executor,
  async run(stage, order, reports) {
    try {
      return await executor.run(stage, order, reports);
    } catch (error) {
      if (error instanceof GarnerError && error.fault === AGAIN) hear(error);
      throw error;
    }
  },
});
