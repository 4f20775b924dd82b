import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../core/root.ts';

const garner = join(packageRoot, 'bin', 'garner');

export interface Ran {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** Runs garner as a person would, from the package's root. */
export function runGarner(
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Ran {
  const done = spawnSync(process.execPath, [garner, ...args], {
    encoding: 'utf8',
    cwd: options.cwd ?? packageRoot,
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    input: options.input ?? '',
    maxBuffer: 1 << 28,
  });
  return { code: done.status, signal: done.signal, out: done.stdout, err: done.stderr };
}

export interface Started {
  child: ChildProcess;
  ended: Promise<Ran>;
  /** Resolves once standard error has a text. */
  said: (text: string) => Promise<void>;
}

/** Starts garner in a process group of its own, so that a kill reaches its children too. */
export function startGarner(args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, [garner, ...args], {
    cwd: packageRoot,
    env: { ...process.env, NO_COLOR: '1', ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Ran>((resolve) => child.on('close', (code, signal) => resolve({ code, signal, out, err })));
  const said = async (text: string) => {
    while (!err.includes(text) && child.exitCode === null) await sleep(20);
  };
  return { child, ended, said };
}

/** kill -9 to the whole group: the coordinator and its workers at once. */
export function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // It has ended in between.
  }
}

/** Files that tell seconds or hold locks: the only ones that two equal runs may differ in. */
const UNEQUAL = /(?:^|\/)(?:timing\.jsonl?|\.lock|catalog\.duckdb)$/;

/** SHA-256 of every file of a lake by its path, those of timing and locks left out. */
export function lakeDigest(lake: string, only = /./): Record<string, string> {
  const files = readdirSync(lake, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name).slice(lake.length + 1));
  return Object.fromEntries(
    files
      .filter((f) => !UNEQUAL.test(f) && only.test(f))
      .toSorted()
      .map((f) => [
        f,
        createHash('sha256')
          .update(readFileSync(join(lake, f)))
          .digest('hex'),
      ]),
  );
}
