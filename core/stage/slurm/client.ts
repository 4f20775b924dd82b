import { spawn } from 'node:child_process';
import { GarnerError } from '../../errors.ts';

/** An element of a job array in the queue. */
export interface Element {
  /** Id of the whole array. */
  job: string;
  /** Place in the array. */
  index: number;
  /** PENDING, RUNNING, COMPLETING … */
  state: string;
  /** Why it waits, in Slurm's word; None where it does not. */
  reason: string;
}

/** The environment without the job that this process itself runs in: sbatch and srun would take it for wishes. */
function environment(): NodeJS.ProcessEnv {
  const keep = (name: string) => !name.startsWith('SLURM_') || name === 'SLURM_CONF';
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => keep(name)));
}

/** Runs one of Slurm's programs. Throws a GarnerError with its own words; code 2 where Slurm is not installed. */
function call(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: environment(), stdio: 'pipe' });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    // It may have ended before it has read everything: its exit code says why.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', (error: { code?: string }) =>
      reject(
        error.code === 'ENOENT'
          ? new GarnerError({
              what: `Slurm is not installed here: there is no ${program}`,
              hint: 'run it on a login node of the cluster, or without --executor slurm',
              fault: 2,
            })
          : (error as Error),
      ),
    );
    child.on('close', (code) => {
      if (code === 0) return resolve(out);
      const said =
        err
          .trim()
          .split('\n')
          .at(-1)
          ?.replace(/^\w+: (?:error: )*/, '') ?? '';
      reject(
        new GarnerError({
          what: `${program} failed: ${said || `exit code ${code}`}`,
          hint:
            program === 'sbatch' ? 'check the section executor.slurm of the recipe' : 'see "sinfo" and "scontrol ping"',
        }),
      );
    });
  });
}

/** Submits a script; resolves to the job's id. */
export async function submit(args: readonly string[], script: string): Promise<string> {
  // --parsable says `id` or, where there are several clusters, `id;cluster`.
  return (await call('sbatch', ['--parsable', ...args], script)).trim().split(';')[0]!;
}

/** What stands in the queue under a name: pending, running and ending elements, each by itself. Jobs of this user only, by the name's digest. */
export async function elementsOf(name: string): Promise<Element[]> {
  return parse(await call('squeue', ['-h', '-r', `--name=${name}`, '-o', '%F|%K|%T|%r']));
}

/** The queue of all of garner's task arrays, by name. */
export async function queue(): Promise<Map<string, Element[]>> {
  const found = new Map<string, Element[]>();
  for (const line of (await call('squeue', ['-h', '-r', '--me', '-o', '%j|%F|%K|%T|%r'])).split('\n')) {
    const cut = line.indexOf('|');
    const name = line.slice(0, cut);
    if (name.startsWith('garner-')) found.set(name, [...(found.get(name) ?? []), ...parse(line.slice(cut + 1))]);
  }
  return found;
}

const parse = (text: string): Element[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [job = '', index = '', state = '', ...reason] = line.trim().split('|');
      return { job, index: Number(index) || 0, state, reason: reason.join('|') };
    });

/** How many elements an array may have: indices run from 0 to one less. */
export async function largestArray(): Promise<number> {
  const found = /^\s*MaxArraySize\s*=\s*(\d+)/m.exec(await call('scontrol', ['show', 'config']));
  return Math.max(1, Number(found?.[1] ?? 1001));
}

/** Slurm's last word on an element, e.g. `OUT_OF_MEMORY, exit code 0:125`; null once it has forgotten it. A hint for people. */
export async function lastWord(job: string, index: number): Promise<string | null> {
  const text = await call('scontrol', ['show', 'job', `${job}_${index}`]).catch(() => '');
  const field = (name: string) => new RegExp(`\\b${name}=(\\S+)`).exec(text)?.[1];
  const state = field('JobState');
  return state === undefined ? null : `${state}, exit code ${field('ExitCode')}, on ${field('NodeList') ?? 'no node'}`;
}

/** Takes elements that have not begun out of the queue. */
export const cancelPending = (name: string): Promise<string> => call('scancel', ['--state=PENDING', `--name=${name}`]);

/** Ways of srun to tell MPI where the ranks are: `pmix`, `pmi2` … */
export async function mpiKinds(): Promise<string[]> {
  const text = await call('srun', ['--mpi=list']).catch((error: unknown) => {
    if (error instanceof GarnerError && error.fault === 2) throw error;
    return '';
  });
  return [...text.matchAll(/^(?:srun:)?\s+(\w+)\s*$/gm)].map(([, kind]) => kind!);
}

/** Throws a GarnerError (code 2) with one sentence where there is no Slurm. */
export const checkSlurm = async (): Promise<void> => void (await call('sbatch', ['--version']));
