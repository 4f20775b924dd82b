import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { GarnerError } from '../core/errors.ts';
import { writeAtomically } from '../core/files.ts';
import { keyOf } from '../core/hash.ts';
import { openLake } from '../core/lake/lake.ts';
import { inProcess, localExecutor, type Executor } from '../core/stage/index.ts';
import type { Flag, Options, Terminal } from './command.ts';
import type { Recipe } from './pipeline.ts';

/** Where the tasks of a run are done. */
export interface ExecutorChoice {
  recipe: Recipe;
  until?: string | undefined;
  /** Child processes; 0 runs in this one. */
  workers?: number | undefined;
  executor?: string | undefined;
  /** With Slurm: no process waits; each stage's jobs start the run that goes on. */
  detach?: boolean | undefined;
}

/** `--executor` and `--detach`, the same in every command that runs stages. */
export const EXECUTOR_FLAGS: readonly Flag[] = [
  {
    flag: '--executor <name>',
    about: 'where tasks run: local (default) or slurm',
    parse(name) {
      if (name === 'local' || name === 'slurm') return name;
      throw new GarnerError({
        what: `no executor is called "${name}"`,
        where: 'argument',
        hint: 'the executors: local, slurm',
        fault: 2,
      });
    },
  },
  { flag: '--detach', about: 'with slurm: submit and return; each stage’s jobs start the next' },
];

/** What the options say about it. */
export function executorOf(options: Options): Pick<ExecutorChoice, 'executor' | 'detach'> {
  const [executor, detach] = [options['executor'] as string | undefined, options['detach'] === true];
  if (detach && executor !== 'slurm')
    throw new GarnerError({ what: '--detach needs --executor slurm', where: 'argument', fault: 2 });
  return { executor, detach };
}

/** The attempt at a stage's tasks that a detached run stands for, from 1; null in a run that a person started. */
const ATTEMPT = 'GARNER_DETACHED';
const detachedAttempt = (): number | null => Number(process.env[ATTEMPT] ?? 0) || null;

/** True where a run is only to be submitted: the job that it becomes goes on from there. */
export const isToBeDetached = (choice: Pick<ExecutorChoice, 'detach'>): boolean =>
  choice.detach === true && detachedAttempt() === null;

/** A recipe that a detached run has written for those after it: as it was understood, paths absolute, defaults filled in. */
export const detachedRecipe = (path: string): Recipe | null =>
  detachedAttempt() === null ? null : (JSON.parse(readFileSync(path, 'utf8')) as Recipe);

/** The executor that a run asks for. */
export async function executorFor(lake: string, choice: ExecutorChoice): Promise<Executor> {
  const { workers = 0 } = choice;
  const local = workers === 0 ? inProcess() : localExecutor(workers);
  if (choice.executor !== 'slurm') return local;
  const [{ slurmExecutor }, { checkSlurm }] = await Promise.all([
    import('../core/stage/slurm/executor.ts'),
    import('../core/stage/slurm/client.ts'),
  ]);
  await checkSlurm();
  const attempt = detachedAttempt();
  if (choice.detach !== true || attempt === null) return slurmExecutor({ settings: await settingsOf(choice), local });
  const follow = async (jobs: readonly string[]) => {
    const after = jobs.join(':');
    const well = await submitRun(lake, choice, 1, [`--dependency=afterok:${after}`]);
    const badly = await submitRun(lake, choice, attempt + 1, [`--dependency=afternotok:${after}`]);
    return `job ${well} goes on after them, or job ${badly} if one fails`;
  };
  return slurmExecutor({ settings: await settingsOf(choice), local, chain: { follow, attempt } });
}

/** Submits the job that begins a detached run; resolves to its id and where it will write what happens. */
export async function detach(
  path: string,
  choice: ExecutorChoice,
): Promise<{ lake: string; job: string; log: string }> {
  await (await import('../core/stage/slurm/client.ts')).checkSlurm();
  const lake = await openLake(path);
  return { lake, job: await submitRun(lake, choice, 1, []), log: join(lake, coordinatorLog(choice.recipe.name)) };
}

/** Tells the person what was submitted; the exit code. */
export function detached({ lake, job, log }: Awaited<ReturnType<typeof detach>>, terminal: Terminal): number {
  terminal.stdout.write(`job ${job} runs it, stage by stage\n  garner status --lake ${lake}\n  tail -f ${log}\n`);
  return 0;
}

/** Where the coordinators of a detached run write, from the lake's root. */
const coordinatorLog = (recipe: string): string => join('logs', 'coordinator', `${recipe}.log`);

async function settingsOf({ recipe }: ExecutorChoice) {
  const { executorSection } = await import('../core/stage/slurm/settings.ts');
  return recipe.executor?.slurm ?? executorSection.parse({}).slurm;
}

/** A small job that runs garner until the next stage's tasks are submitted. */
async function submitRun(
  lake: string,
  choice: ExecutorChoice,
  attempt: number,
  dependency: readonly string[],
): Promise<string> {
  const [{ submit }, { exportOption, garnerCommand, resourceOptions, shellWord }, { resourcesOf }] = await Promise.all([
    import('../core/stage/slurm/client.ts'),
    import('../core/stage/slurm/script.ts'),
    import('../core/stage/slurm/settings.ts'),
  ]);
  const { recipe, until } = choice;
  const text = `${JSON.stringify(recipe)}\n`;
  const written = join(lake, 'logs', 'coordinator', `${keyOf(text)}.json`);
  await writeAtomically(written, text);
  const log = join(lake, coordinatorLog(recipe.name));
  mkdirSync(resolve(log, '..'), { recursive: true });
  const command = [
    ...garnerCommand(),
    'run',
    written,
    '--lake',
    lake,
    '--executor',
    'slurm',
    '--detach',
    '--wait',
    ...(until === undefined ? [] : ['--until', until]),
  ];
  return submit(
    [
      `--job-name=garner-coordinator-${keyOf([lake, recipe.name])}`,
      ...dependency,
      ...(dependency.length > 0 ? ['--kill-on-invalid-dep=yes'] : []),
      `--output=${log}`,
      '--open-mode=append',
      '--requeue',
      `--chdir=${lake}`,
      exportOption(),
      ...resourceOptions(resourcesOf(await settingsOf(choice), 'coordinator'), null),
    ],
    `#!/bin/bash\nexport GARNER_BUILT=1\nexport ${ATTEMPT}=${attempt}\nexec ${command.map(shellWord).join(' ')} --workers 1\n`,
  );
}
