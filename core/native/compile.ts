import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { GarnerError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { asset } from '../root.ts';
import { temporaryName } from '../files.ts';

const FLAGS = ['-std=gnu11', '-O2', '-march=native', '-fPIC', '-shared', '-Wall', '-Wno-psabi'];

/** A C compiler on this machine and what it makes of `-march=native` here. */
export interface Compiler {
  command: string;
  /** Words of CC after the first, e.g. the `gcc` of `ccache gcc`. */
  before: readonly string[];
  version: string;
  /** The resolved target options: part of the cache key, so that a cache shared between machines never gives SIGILL. */
  target: string;
}

let found: Compiler | null | undefined;

/** The system's C compiler (`CC`, or `cc` where that does not run), or null. `GARNER_NO_COMPILER=1` pretends there is none. */
export function findCompiler(): Compiler | null {
  if (found !== undefined) return found;
  found = null;
  if (process.env['GARNER_NO_COMPILER']) return found;
  for (const words of [process.env['CC'] ?? '', 'cc']) {
    const [command, ...before] = words.split(/\s+/).filter(Boolean);
    found ??= command === undefined ? null : ask(command, before);
  }
  return found;
}

function ask(command: string, before: readonly string[]): Compiler | null {
  const run = (args: string[]) =>
    execFileSync(command, [...before, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    return {
      command,
      before,
      version: run(['--version']).split('\n')[0]!,
      target: sha256(run(['-march=native', '-E', '-dM', '-x', 'c', '/dev/null'])),
    };
  } catch {
    return null;
  }
}

/** Where compiled kernels are kept: `GARNER_CACHE`, else the user's cache folder. */
export const cacheFolder = (): string =>
  process.env['GARNER_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'garner');

let own: string | undefined;

/** The folder of compiled kernels; where it cannot be written (a container's home), one of this process alone, which goes with it. */
function kernelFolder(): string {
  const folder = join(cacheFolder(), 'kernels');
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    if (own === undefined) {
      const made = mkdtempSync(join(tmpdir(), 'garner-kernels-'));
      process.on('exit', () => rmSync(made, { recursive: true, force: true }));
      own = made;
    }
    return own;
  }
}

/**
 * Compiles C sources (paths from the package's root) into one shared library and returns its path.
 * A library is built once per source, flags, compiler and processor. Headers count through `headers`.
 * Throws a GarnerError with the compiler's words when it refuses.
 */
export function compile(
  name: string,
  sources: readonly string[],
  headers: readonly string[],
  extra: readonly string[],
  compiler: Compiler,
): string {
  const texts = [...sources, ...headers].map((path) => readFileSync(asset(path), 'utf8'));
  const flags = [...FLAGS, ...extra];
  const key = sha256(JSON.stringify([name, texts, flags, compiler])).slice(0, 16);
  const kept = join(cacheFolder(), 'kernels', `${name}-${key}.so`);
  if (existsSync(kept)) return kept;
  const library = join(kernelFolder(), `${name}-${key}.so`);
  if (existsSync(library)) return library;
  const temporary = temporaryName(library);
  try {
    execFileSync(
      compiler.command,
      [...compiler.before, ...flags, '-I', asset(''), '-o', temporary, ...sources.map(asset), '-lm', '-lpthread'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    renameSync(temporary, library);
  } catch (error) {
    rmSync(temporary, { force: true });
    const words = String((error as { stderr?: unknown }).stderr ?? error)
      .split('\n')
      .slice(0, 12)
      .join('\n');
    throw new GarnerError({ what: `the C compiler refused ${name}`, where: sources.join(', '), hint: words }, error);
  }
  return library;
}
