import { AGAIN, GarnerError } from '../../core/errors.ts';
import { nodeName } from '../../core/machine.ts';
import { plain } from '../../core/progress.ts';
import { dropOwnTemporary, noteFailure, runOrdered } from '../../core/stage/ordered.ts';
import { readTaskOrder } from '../../core/stage/orders.ts';
import { existingLake } from '../../core/lake/lake.ts';
import type { TaskOrder } from '../../core/stage/task.ts';
import { keyOf } from '../../core/hash.ts';
import { launchOf, type Launch } from '../../trainer/parallel/launch/environment.ts';
import { defineCommand, type Terminal } from '../command.ts';

/** Where engines say which element of an array a process is. */
const INDEX_VARIABLES = ['SLURM_ARRAY_TASK_ID', 'JOB_COMPLETION_INDEX'];

export default defineCommand({
  name: 'task',
  summary: 'for clusters: run one task of a stage from a task list in the lake',
  arguments: [
    { name: '<list>', about: 'a file orders/…/….jsonl in the lake' },
    { name: '[index]', about: `the task, counted from 0 (default: ${INDEX_VARIABLES.join(' or ')})` },
  ],
  options: [{ flag: '--lake <dir>', about: 'the lake (default: the one that the list lies in)' }],
  examples: ['garner task lake/orders/extract/0c6f8a1f2b3d4e5f/9a8b7c6d5e4f3a2b.jsonl 3'],
  async run([list, given], options, terminal) {
    const lake = options['lake'] === undefined ? undefined : existingLake(options['lake'] as string);
    const order = await readTaskOrder(list!, indexOf(given), lake);
    const say = (text: string) =>
      void terminal.stderr.write(`${new Date().toISOString().slice(0, 19)}Z ${nodeName} ${plain(text)}\n`);
    const name = `${order.stage} ${order.task.id}`;
    const again = Number(process.env['SLURM_RESTART_COUNT'] ?? 0);
    say(`${name}: begins${again > 0 ? `, started again by Slurm (${again})` : ''}`);
    for (const signal of ['SIGTERM', 'SIGUSR1'] as const) endOn(signal, order, again, (why) => say(`${name}: ${why}`));
    const started = performance.now();
    let last = started;
    try {
      const work = () =>
        runOrdered(order, {
          progress(done, total, note) {
            if (performance.now() - last < 30_000) return;
            last = performance.now();
            say(`${name}: ${note ?? `${done}${total ? ` of ${total}` : ''}`}`);
          },
          notice: say,
        });
      // srun and mpirun start this command once a rank: rank 0 runs the task, and the others follow it.
      const launch = launchOf(process.env);
      const counts = launch.ranks === 1 ? await work() : await followOrRun(launch, order, terminal, work);
      if (launch.rank > 0) return 0;
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      say(`${name}: ${counts === null ? 'done already' : `done in ${seconds} s, ${JSON.stringify(counts)}`}`);
      return 0;
    } catch (error) {
      say(`${name}: ${error instanceof GarnerError && error.fault === AGAIN ? 'stops' : 'failed'}`);
      throw error;
    }
  },
});

async function followOrRun<T>(launch: Launch, order: TaskOrder, terminal: Terminal, work: () => Promise<T>) {
  const { asRank } = await import('../ranks.ts');
  return asRank({ launch, lake: order.lake, digest: keyOf(order.keys) }, terminal, work);
}

function indexOf(given: string | undefined): number {
  const text = given ?? INDEX_VARIABLES.map((name) => process.env[name]).find((value) => value !== undefined);
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  throw new GarnerError({
    what: text === undefined ? 'no index of a task is given' : `"${text}" is no index of a task`,
    hint: `a whole number from 0, as second argument or in ${INDEX_VARIABLES.join(' or ')}`,
    fault: 2,
  });
}

/** A task that begins anew each time is not begun anew for ever. */
const MOST_STOPS = 5;

/**
 * A warning before the time is over, or before another job takes the place: the task is left as if it had never begun, and
 * asks to be started again. A stage that saves where it stands (a training) listens for itself, and then decides.
 */
function endOn(signal: 'SIGTERM' | 'SIGUSR1', order: TaskOrder, again: number, say: (text: string) => void): void {
  process.on(signal, () => {
    if (process.listenerCount(signal) > 1) return;
    dropOwnTemporary(order.lake);
    // A crawl goes on from its own files.
    if (again + 1 < MOST_STOPS || order.stage === 'crawl') {
      say(`${signal}: stops, to be started again`);
      process.exit(AGAIN);
    }
    const what = `it was stopped ${again + 1} times before its end`;
    say(what);
    const hint = 'give it more time: executor.slurm.time in the recipe';
    void noteFailure(order, { what, where: order.stage, hint, fault: 1, final: true }).finally(() => process.exit(1));
  });
}
