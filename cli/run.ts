import { cpus } from 'node:os';
import { GarnerError } from '../core/errors.ts';
import { openLake } from '../core/lake/lake.ts';
import { createProgress, type Progress } from '../core/progress.ts';
import { inProcess, localExecutor, run, type StageReport } from '../core/stage/index.ts';
import { Interrupted, type Terminal } from './command.ts';
import { STAGES, type Recipe } from './pipeline.ts';

export { wholeNumber } from './arguments.ts';

export interface RunArguments {
  lake: string;
  recipe: Recipe;
  until?: string | undefined;
  /** Child processes; 0 runs in this one. */
  workers?: number | undefined;
  wait?: boolean | undefined;
  progress?: Progress | undefined;
}

/** Runs a recipe's stages in child processes; Ctrl-C ends them at once, and nothing half-written counts. */
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
  const executor = workers === 0 ? inProcess() : localExecutor(workers);
  const progress = args.progress ?? createProgress(terminal.stderr);
  const aborting = new AbortController();
  const stop = () => {
    aborting.abort();
    // A task in this process cannot be stopped from outside: files appear by rename, so nothing half-written counts.
    if (workers === 0) {
      terminal.stderr.write('garner: stopped; the same command goes on where it stopped\n');
      process.exit(130);
    }
    void executor.close();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
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
    if (aborting.signal.aborted) throw new Interrupted('stopped');
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    await executor.close();
  }
}
