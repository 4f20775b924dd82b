import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findCompiler } from '../../core/native/compile.ts';
import { asset } from '../../core/root.ts';
import { classTable } from '../../tokenizer/encode/classes.ts';

const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

test('the kernels touch nothing that is not theirs, whatever the bytes', (context) => {
  const compiler = findCompiler();
  if (!compiler) return context.skip('no C compiler');
  const folder = mkdtempSync(join(tmpdir(), 'garner-sanitizer-'));
  try {
    const program = join(folder, 'sanitizer');
    const tables = join(folder, 'tables');
    const { blocks, classes } = classTable();
    writeFileSync(tables, Buffer.concat([Buffer.from(blocks.buffer), classes]));
    writeFileSync(join(folder, 'empty.c'), 'int main(void) { return 0; }');
    const probe = [...SANITIZERS, join(folder, 'empty.c'), '-o', join(folder, 'empty')];
    if (spawnSync(compiler.command, probe, { stdio: 'ignore' }).status !== 0) return context.skip('no sanitizers');
    const flags = ['-std=gnu11', '-O1', '-g', '-Wall', '-Wno-psabi', ...SANITIZERS, '-I', asset('')];
    execFileSync(compiler.command, [...flags, asset('test/tokenizer/sanitizer.c'), '-o', program]);
    const { status, stderr } = spawnSync(program, [tables], { encoding: 'utf8', timeout: 50_000 });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
