// Compiles the sources of a checkout into dist/ when one of them is newer than the last build.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'dist', '.built');
const fresh = join(root, 'dist', '.fresh');
const FOLDERS = [
  'cli',
  'core',
  'crawlers',
  'filters',
  'datasets',
  'tokenizer',
  'trainer',
  'studio',
  'bench',
  'examples',
];

function newest(folder) {
  let last = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) last = Math.max(last, newest(path));
    else if (entry.name.endsWith('.ts')) last = Math.max(last, statSync(path).mtimeMs);
  }
  return last;
}

/** Puts what was compiled where it belongs, file by file: a process that starts meanwhile never reads half a file. */
function install(from, to) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) install(source, target);
    else if (!existsSync(target) || !readFileSync(source).equals(readFileSync(target))) renameSync(source, target);
  }
}

/** Compiles when needed; an installed package has no tsconfig and is always built. */
export function ensureBuilt() {
  const config = join(root, 'tsconfig.build.json');
  if (!existsSync(config)) return;
  const sources = Math.max(...FOLDERS.filter((f) => existsSync(join(root, f))).map((f) => newest(join(root, f))));
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= sources) return;
  const compiler = join(root, 'node_modules', '.bin', 'tsc');
  if (!existsSync(compiler)) {
    console.error('garner: this checkout has no node_modules\n  run "npm ci --ignore-scripts" first');
    process.exit(1);
  }
  const lock = join(root, '.building');
  const until = Date.now() + 60_000;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') {
        // A checkout that only its owner may write: what was built last is what there is.
        if (existsSync(stamp)) return;
        console.error(
          `garner: the sources cannot be compiled here (${error.code})\n  run "npm run build" as the owner of ${root}`,
        );
        process.exit(1);
      }
      // A lock older than a minute was left by a process that was killed.
      if (Date.now() > until || Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 60_000)
        rmSync(lock, { recursive: true, force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }
  try {
    if (existsSync(stamp) && statSync(stamp).mtimeMs >= sources) return;
    rmSync(fresh, { recursive: true, force: true });
    try {
      execFileSync(compiler, ['-p', config, '--outDir', fresh], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    } finally {
      if (existsSync(fresh)) install(fresh, dirname(stamp));
      rmSync(fresh, { recursive: true, force: true });
    }
    writeFileSync(stamp, '');
    // A Date holds whole milliseconds, a file's time has fractions of them: rounded down, it would look older for ever.
    utimesSync(stamp, new Date(), new Date(Math.ceil(sources)));
  } catch (error) {
    // The compiler writes JavaScript in spite of type errors: whoever is in the middle of a change can go on.
    console.error(
      `garner: the sources have type errors\n${String(error.stdout ?? error)
        .split('\n')
        .slice(0, 5)
        .join('\n')}`,
    );
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) ensureBuilt();
