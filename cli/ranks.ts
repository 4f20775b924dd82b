import { setTimeout as sleep } from 'node:timers/promises';
import { AGAIN, GarnerError } from '../core/errors.ts';
import { keyOf } from '../core/hash.ts';
import { createProgress, type Progress } from '../core/progress.ts';
import { threadsOfRank } from '../trainer/parallel/launch/cores.ts';
import { launchOf, type Launch } from '../trainer/parallel/launch/environment.ts';
import { followRanks, hostRanks, meetingHere } from '../trainer/parallel/launch/external.ts';
import { RankZeroEnded } from '../trainer/parallel/launch/guest.ts';
import { checkOwnHome } from '../trainer/parallel/launch/home.ts';
import { hostName } from '../trainer/parallel/launch/hosts.ts';
import { launchSettings, setLaunch } from '../trainer/parallel/launch/settings.ts';
import { hearStops } from '../trainer/parallel/launch/stop.ts';
import { rankRows } from '../trainer/parallel/launch/table.ts';
import { parseMesh, ranksOf, type Mesh } from '../trainer/parallel/mesh.ts';
import { checkParallel } from '../trainer/parallel/options.ts';
import { microBatchOf, modelConfig, parallelOf } from '../trainer/stages/plan.ts';
import { answerTraining } from '../trainer/stages/ranks.ts';
import { wholeNumber } from './arguments.ts';
import { Told, type Flag, type Options, type Terminal } from './command.ts';
import type { Recipe } from './pipeline.ts';
import { formatTable } from './table.ts';

const choice =
  (name: string, choices: readonly string[]) =>
  (value: string): string => {
    if (choices.includes(value)) return value;
    throw new GarnerError({
      what: `${name} is "${value}"`,
      where: 'argument',
      hint: `one of: ${choices.join(', ')}`,
      fault: 2,
    });
  };

/** What `garner train` takes about ranks. */
export const RANK_FLAGS: readonly Flag[] = [
  { flag: '--ranks <n>', about: 'processes that train together', parse: wholeNumber('--ranks', 1) },
  { flag: '--threads <n>', about: 'threads a rank (default: cores / ranks)', parse: wholeNumber('--threads', 1) },
  {
    flag: '--mesh <axes>',
    about: 'data=2,tensor=2,pipeline=2: data, where left out, follows',
    parse: (text) => ({ ...parseMesh(text), open: !/\bdata\s*=/.test(text) }) satisfies WantedMesh,
  },
  {
    flag: '--zero <stage>',
    about: 'data ranks share optimizer state (1), gradients too (2)',
    parse: (value) => Number(choice('--zero', ['0', '1', '2'])(value)),
  },
  {
    flag: '--recompute <what>',
    about: 'make again in the backward half: none, selective, full',
    parse: choice('--recompute', ['none', 'selective', 'full']),
  },
  {
    flag: '--restarts <n>',
    about: 'so often go on from the last checkpoint if a rank dies',
    parse: wholeNumber('--restarts'),
  },
  { flag: '--check', about: 'each collective compares a header: names who is out of step' },
  { flag: '--interface <name>', about: 'where rank 0 listens for other hosts: eth0, an address' },
  { flag: '--oversubscribe', about: 'let ranks × threads exceed the cores', hidden: true },
  { flag: '--dry-run', about: 'print rank, place in the mesh, host and threads, and stop' },
];

type WantedMesh = Mesh & { open: boolean };

/** How this process was started, and the settings that go to all that it starts. Throws a GarnerError where both contradict each other. */
export function launchFor(options: Options): Launch {
  const ranks = options['ranks'] as number | undefined;
  setLaunch({
    restarts: options['restarts'] as number | undefined,
    check: options['check'] === true,
    interface: options['interface'] as string | undefined,
    oversubscribe: options['oversubscribe'] === true,
  });
  const launch = launchOf(process.env, ranks);
  if (launch.ranks > 1 && ranks !== undefined && ranks !== launch.ranks)
    throw new GarnerError({
      what: `--ranks ${ranks}, but ${launch.launcher} has started ${launch.ranks}`,
      where: 'argument',
      hint: 'leave --ranks out: the launcher decides',
      fault: 2,
    });
  return launch;
}

/** The recipe with its trainings spread as the options and the launcher say. */
export function spread(recipe: Recipe, options: Options, launch: Launch): Recipe {
  const given = options['ranks'] as number | undefined;
  const ranks = launch.ranks > 1 ? launch.ranks : given;
  const mesh = options['mesh'] as WantedMesh | undefined;
  const threads = options['threads'] as number | undefined;
  const parallel = {
    // A count of ranks, or another mesh, decides anew how many take parts of the batch.
    ...(ranks === undefined && mesh === undefined
      ? {}
      : { data: mesh === undefined || mesh.open ? undefined : mesh.data }),
    ...(mesh === undefined ? {} : { tensor: mesh.tensor, pipeline: mesh.pipeline }),
    ...(options['zero'] === undefined ? {} : { zero: options['zero'] as 0 | 1 | 2 }),
    ...(options['recompute'] === undefined ? {} : { recompute: options['recompute'] as 'none' | 'selective' | 'full' }),
  };
  const change = (section: object & { parallel: object }) => ({
    ...section,
    ...(ranks === undefined && mesh === undefined ? {} : { ranks }),
    ...(threads === undefined ? {} : { threads }),
    parallel: { ...section.parallel, ...parallel },
  });
  const sections = Object.entries(recipe).map(([name, section]) => [
    name,
    overRanks(section) ? change(section) : section,
  ]);
  return Object.fromEntries(sections) as Recipe;
}

/** A section of a training: it says how its ranks share the work. */
const overRanks = (section: unknown): section is object & { parallel: object } =>
  typeof section === 'object' && section !== null && 'parallel' in section;

/** The mesh of the pretraining, checked with all that is known before the data is. `elsewhere`: its threads are not this machine's. */
export function checkMesh(recipe: Recipe, launch: Launch, elsewhere: boolean): { mesh: Mesh; threads: number } {
  const pretrain = recipe.pretrain!;
  const check = (where: string, section: NonNullable<Recipe['pretrain'] | Recipe['finetune']>) => {
    const parallel = parallelOf(where, section);
    const sequence = section.sequence ?? pretrain.sequence;
    const micro = microBatchOf(where, section, parallel, sequence);
    // The vocabulary is known once the tokenizer is.
    const config = modelConfig(pretrain.model, 65_536, sequence);
    checkParallel(config, parallel, { batch: section.batch, micro, sequence });
    const ranks = ranksOf(parallel.mesh);
    if (ranks > 1 && launch.ranks === 1 && !elsewhere) checkOwnHome(where, section.parallel.collectives);
    const threads = elsewhere ? 1 : threadsOfRank(where, ranks, section.threads, launch);
    return { mesh: parallel.mesh, threads };
  };
  const checked = check('pretrain', pretrain);
  if (recipe.finetune) check('finetune', recipe.finetune);
  return checked;
}

/** What `--dry-run` prints; `hosts` has a name for each rank. */
function showMesh(mesh: Mesh, threads: number, hosts: (rank: number) => string, terminal: Terminal): void {
  const rows = rankRows(mesh, hosts, threads).map((r) =>
    [r.rank, r.place.data, r.place.tensor, r.place.pipeline, r.host, r.threads].map(String),
  );
  terminal.stdout.write(`${formatTable(['rank', 'data', 'tensor', 'pipeline', 'host', 'threads'], rows, Infinity)}\n`);
}

/** `--dry-run`: every rank's place, host and threads. Where another launcher has started the ranks, they meet and say their hosts. */
export async function dryRun(recipe: Recipe, lake: string, launch: Launch, terminal: Terminal): Promise<number> {
  const { mesh, threads } = checkMesh(recipe, launch, false);
  if (launch.ranks === 1) showMesh(mesh, threads, () => hostName(), terminal);
  else
    await asRank({ launch, lake, digest: keyOf(recipe) }, terminal, async () => {
      const members = await meetingHere()!.gather();
      showMesh(mesh, threads, (rank) => members[rank]!.host, terminal);
    });
  return 0;
}

/**
 * Runs `work` as rank 0 of the ranks that a launcher has started; any other rank follows it instead, and null comes back.
 * A rank that follows prints nothing but what it waits for, and errors that rank 0 has not told.
 */
export async function asRank<T>(
  { launch, lake, digest }: { launch: Launch; lake: string; digest: string },
  terminal: Terminal,
  work: (progress: Progress, signal: AbortSignal) => Promise<T>,
): Promise<T | null> {
  const notice = (text: string) => void terminal.stderr.write(`garner: ${text}\n`);
  const options = { launch, settings: launchSettings(), lake, recipe: digest, notice };
  if (launch.rank > 0) {
    const unhear = hearStops();
    try {
      await followRanks(options, answerTraining(launch.rank));
    } catch (error) {
      const told = error instanceof RankZeroEnded || (error instanceof GarnerError && error.fault === AGAIN);
      if (!told) throw error;
      // A launcher ends all ranks with the first that fails: the one that tells why goes first.
      await sleep(1000);
      throw new Told(error.fault);
    } finally {
      unhear();
    }
    return null;
  }
  return hostRanks(options, (signal) => {
    const progress = createProgress(terminal.stderr);
    const told: Progress = {
      ...progress,
      begin(stage, tasks) {
        meetingHere()?.tell(`, which runs the stage ${stage}`);
        progress.begin(stage, tasks);
      },
    };
    return work(told, signal);
  });
}
