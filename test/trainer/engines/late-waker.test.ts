import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { asset } from '../../../core/root.ts';

test('a thread that was woken too late, when the work was gone, is called for the next list', (context) => {
  const compiler = findCompiler();
  if (!compiler) return context.skip('no C compiler');
  const folder = mkdtempSync(join(tmpdir(), 'garner-waker-'));
  try {
    const program = join(folder, 'late-waker');
    const flags = ['-std=gnu11', '-O1', '-Wno-psabi', '-I', asset('')];
    const built = spawnSync(compiler.command, [
      ...flags,
      asset('test/trainer/engines/late-waker.c'),
      '-o',
      program,
      '-lm',
      '-lpthread',
    ]);
    expect(built.stderr.toString()).toBe('');
    const { status, stdout } = spawnSync(program, { encoding: 'utf8', timeout: 60_000 });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
