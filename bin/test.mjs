// npm test: installs what is missing, checks, runs every test, and ends with "N passed, N failed".
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reports = mkdtempSync(join(tmpdir(), 'garner-test-'));
let passed = 0;
let failed = 0;

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** A check counts as one test. */
function check(name, ok) {
  console.log(`${ok ? 'passed' : 'FAILED'}: ${name}`);
  if (ok) passed++;
  else failed++;
}

function suite(name, args) {
  const file = join(reports, `${name}.json`);
  const ok = run('npx', [
    'vitest',
    'run',
    ...args,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ]);
  const counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { numPassedTests: 0, numFailedTests: 0 };
  passed += counts.numPassedTests;
  // A suite that could not be loaded, or a worker that died, has no failed test of its own.
  failed += Math.max(counts.numFailedTests, ok ? 0 : 1);
}

if (!run(process.execPath, [join('bin', 'install.mjs')])) process.exit(1);
check('the compiler', run('npx', ['tsc', '-p', 'tsconfig.json']));
check('the linter', run('npx', ['oxlint', '--type-aware']));
check('the format', run('npx', ['oxfmt', '--check']));
suite('unit', []);
suite('e2e', ['--config', 'vitest.e2e.config.ts']);
rmSync(reports, { recursive: true });
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
