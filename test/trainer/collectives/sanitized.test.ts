import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { asset } from '../../../core/root.ts';

const FOLDER = 'trainer/collectives/shared-memory';
const SOURCES = [
  'test/trainer/collectives/sanitized.c',
  `${FOLDER}/world.c`,
  `${FOLDER}/collectives.c`,
  'trainer/collectives/reduce.c',
];
const folder = mkdtempSync(join(tmpdir(), 'garner-sanitized-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whether this machine can run a program with the sanitizer. */
function can(sanitizer: string): boolean {
  if (process.platform !== 'linux' || !findCompiler()) return false;
  const source = join(folder, 'empty.c');
  writeFileSync(source, 'int main(void) { return 0; }\n');
  try {
    execFileSync('cc', [`-fsanitize=${sanitizer}`, '-o', join(folder, 'empty'), source], { stdio: 'ignore' });
    execFileSync(join(folder, 'empty'), { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.each(['address,undefined', 'thread'])('%s finds nothing in the shared memory of ranks', (sanitizer) => {
  if (!can(sanitizer)) return void console.warn(`skipped: no compiler with -fsanitize=${sanitizer}`);
  const program = join(folder, sanitizer);
  const checks = [`-fsanitize=${sanitizer}`, '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
  const sources = SOURCES.map(asset);
  execFileSync('cc', ['-std=gnu11', '-O1', '-g', ...checks, '-I', asset(''), '-o', program, ...sources, '-lpthread']);
  const env = { ...process.env, TSAN_OPTIONS: 'halt_on_error=1' };
  // the thread sanitizer sees one mapping only; with one each, ranks also leave as processes do
  const mapping = sanitizer === 'thread' ? 'one' : 'own';
  for (const [ranks, seed] of ['2 5', '3 1', '5 2'].map((pair) => pair.split(' '))) {
    const said = execFileSync(program, [ranks!, seed!, mapping], {
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: 60_000,
      env,
    });
    expect(said).toMatch(/^\d{3} calls\n$/);
  }
});
