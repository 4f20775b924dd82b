import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../core/root.ts';
import { createWorldMemory, type WorldMemory } from '../../../trainer/collectives/shared-memory/memory.ts';
import { MAILBOX } from './conformance.ts';
import type { Order } from './rank.ts';

const FILES = ['conformance', 'parts', 'rank'];
const here = join(packageRoot, 'test/trainer/collectives');
const compiled = join(packageRoot, 'dist/test/trainer/collectives');

/** Compiles the program of a rank to where its imports find dist/; another test that does the same at once does no harm. */
export function compileRank(): string {
  const program = join(compiled, 'rank.js');
  const sources = FILES.map((name) => join(here, `${name}.ts`));
  const newest = Math.max(...sources.map((path) => statSync(path).mtimeMs));
  if (existsSync(program) && statSync(program).mtimeMs > newest) return program;
  mkdirSync(compiled, { recursive: true });
  const folder = mkdtempSync(join(packageRoot, 'dist/ranks-'));
  const flags =
    '--noCheck --noResolve --module nodenext --target es2023 --rewriteRelativeImportExtensions --ignoreConfig';
  const tsc = join(packageRoot, 'node_modules/.bin/tsc');
  try {
    execFileSync(tsc, [...flags.split(' '), '--rootDir', here, '--outDir', folder, ...sources], { stdio: 'pipe' });
  } catch (error) {
    // The files that it does not look for are no fault here.
    if (readdirSync(folder).length < FILES.length) throw error;
  }
  for (const name of readdirSync(folder)) renameSync(join(folder, name), join(compiled, name));
  rmSync(folder, { recursive: true });
  return program;
}

export interface Answer {
  result?: unknown;
  error?: string;
  /** The rank that the error says is lost. */
  rank?: number;
  /** What it wrote to standard error. */
  errors: string;
  /** How the process ended: an exit code or a signal. */
  end: number | string;
  /** From the start of all to the end of this one. */
  seconds: number;
}

/** Waits for a rank's process and reads its line. */
export async function answerOf(child: ChildProcess, started: number): Promise<Answer> {
  let text = '';
  let errors = '';
  child.stdout!.on('data', (data: Buffer) => void (text += data.toString()));
  child.stderr!.on('data', (data: Buffer) => void (errors += data.toString()));
  const end = await new Promise<number | string>((resolve) =>
    child.on('close', (code, signal) => resolve(signal ?? code ?? -1)),
  );
  const line = text.trim().split('\n').at(-1)!;
  return {
    ...(line.startsWith('{') ? (JSON.parse(line) as object) : {}),
    errors,
    end,
    seconds: (Date.now() - started) / 1000,
  };
}

export interface Started {
  children: ChildProcess[];
  memory: WorldMemory;
  answers: Promise<Answer[]>;
}

/** Starts processes over shared memory; `through`: how each comes to the memory. */
export function startShared(
  ranks: number,
  order: Omit<Order, 'home'>,
  through: 'inheritance' | 'proc' = 'inheritance',
): Started {
  const program = compileRank();
  const recorder = order.recorder === undefined ? {} : { recorder: order.recorder };
  const memory = createWorldMemory(ranks, { mailbox: MAILBOX, ...recorder });
  const started = Date.now();
  const children = Array.from({ length: ranks }, (_, rank) => {
    const place = through === 'inheritance' ? { ...memory.place, inherited: 3 } : memory.place;
    const words = JSON.stringify({ ...order, home: 'shared', rank, place } satisfies Order);
    const stdio = ['ignore', 'pipe', 'pipe', ...(through === 'inheritance' ? [memory.place.fd] : [])] as const;
    const child = spawn(process.execPath, [program, words], { stdio: [...stdio] });
    memory.expect(rank, child.pid!);
    return child;
  });
  const answers = Promise.all(children.map((child) => answerOf(child, started))).finally(() => memory.close());
  return { children, memory, answers };
}

/** Starts one process without others. */
export async function runAlone(order: Omit<Order, 'home'>): Promise<Answer> {
  const words = JSON.stringify({ ...order, home: 'alone' } satisfies Order);
  const child = spawn(process.execPath, [compileRank(), words], { stdio: ['ignore', 'pipe', 'pipe'] });
  return answerOf(child, Date.now());
}

/** Why MPI cannot be tried here; null: it can. */
export function absentMpi(): string | null {
  const { error } = spawnSync('mpirun', ['--version']);
  return error ? 'mpirun is not installed (Debian package openmpi-bin)' : null;
}

/** Starts ranks under mpirun; the answers are those that were printed, in no order. */
export async function runMpi(
  ranks: number,
  order: Omit<Order, 'home'>,
): Promise<{ answers: Answer[]; end: Answer['end']; seconds: number; errors: string }> {
  const words = JSON.stringify({ ...order, home: 'mpi' } satisfies Order);
  const flags = ['--allow-run-as-root', '--oversubscribe', '-n', String(ranks)];
  const started = Date.now();
  const child = spawn('mpirun', [...flags, process.execPath, compileRank(), words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [text, errors] = ['', ''].map(() => [] as string[]) as [string[], string[]];
  child.stdout.on('data', (data: Buffer) => void text.push(data.toString()));
  child.stderr.on('data', (data: Buffer) => void errors.push(data.toString()));
  const end = await new Promise<number | string>((resolve) =>
    child.on('close', (code, signal) => resolve(signal ?? code ?? -1)),
  );
  const seconds = (Date.now() - started) / 1000;
  const lines = text
    .join('')
    .split('\n')
    .filter((line) => line.startsWith('{'));
  return {
    answers: lines.map((line) => ({ ...(JSON.parse(line) as object), end, seconds, errors: '' })),
    end,
    seconds,
    errors: errors.join(''),
  };
}
