import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../core/root.ts';
import { runGarner, startGarner, type Ran } from './lakes.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'garner-bad-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const recipe = (name: string, text: string): string => {
  const path = join(folder, `${name}.yaml`);
  writeFileSync(path, text);
  return path;
};
/** One clear sentence and what to do, nothing of our own inside. */
function clear(ran: Ran): string {
  expect(ran.err).not.toMatch(/bug of garner|at .*\.js:\d+|node:internal/);
  const lines = ran.err.split('\n').filter((l) => l && !l.startsWith('{'));
  expect(lines[0]).toMatch(/^garner: /);
  return lines.join('\n');
}
const books = (n: number) =>
  Array.from({ length: n }, (_, i) =>
    JSON.stringify({ id: i, text: `${i} ${readFileSync(join(packageRoot, 'README.md'), 'utf8')}` }),
  ).join('\n');

describe('exit code 2, where a recipe or an argument must change', () => {
  test('an unknown key: file, line, column, the nearest key', () => {
    const ran = runGarner(['run', recipe('key', 'name: a\ndedup: { treshold: 0.8 }\n'), '--lake', join(folder, 'l')]);
    expect(ran.code).toBe(2);
    expect(clear(ran)).toMatch(/key\.yaml:2:10: unknown key "treshold" in dedup\n {2}did you mean "threshold"\?/);
  });

  test('an unknown rule of a filter', () => {
    const ran = runGarner([
      'run',
      recipe('rule', 'name: a\nfilters:\n  gopher_quality: { gopher_shrt_doc: 30 }\n'),
      '--lake',
      join(folder, 'l'),
    ]);
    expect(ran.code).toBe(2);
    expect(clear(ran)).toContain('did you mean "gopher_short_doc"?');
  });

  test('a recipe, an input and a lake that are not there', () => {
    for (const args of [
      ['run', join(folder, 'none.yaml')],
      ['run', recipe('gone', `name: a\nfiles: [{ path: ${folder}/none.jsonl }]\n`), '--lake', join(folder, 'l')],
      ['sql', 'select 1', '--lake', join(folder, 'nolake')],
    ]) {
      const ran = runGarner(args);
      expect([args, ran.code]).toEqual([args, 2]);
      expect(clear(ran).split('\n').length).toBeGreaterThanOrEqual(2);
    }
  });

  test('an unknown command, option and stage; a word where a number should be', () => {
    const good = recipe(
      'good',
      `name: a\nfiles: [{ path: ${join(packageRoot, 'examples', 'quickstart-chat.jsonl')}, text: messages }]\n`,
    );
    for (const args of [
      ['rnu', good],
      ['run', good, '--worker', '1'],
      ['run', good, '--until', 'jugde'],
      ['run', good, '--workers', 'two'],
    ]) {
      const ran = runGarner([...args, ...(args[0] === 'run' ? ['--lake', join(folder, 'l')] : [])]);
      expect([args, ran.code]).toEqual([args, 2]);
      clear(ran);
    }
  });

  test('a recipe without a source', () => {
    const ran = runGarner(['run', recipe('empty', 'name: a\n'), '--lake', join(folder, 'l')]);
    expect(ran.code).toBe(2);
    expect(clear(ran)).toContain('names no source');
  });

  test('a folder with other files is no lake', () => {
    const ran = runGarner(['run', recipe('full', 'name: a\nfiles: [{ path: x.jsonl }]\n'), '--lake', packageRoot]);
    expect(ran.code).toBe(2);
    expect(clear(ran)).toContain('is no lake');
  });
});

describe('exit code 1, for what the world does', () => {
  test('a truncated gzip is named; nothing of it stands behind a marker', () => {
    const path = join(folder, 'cut.jsonl.gz');
    writeFileSync(
      path,
      gzipSync(
        Array.from({ length: 3000 }, (_, i) => JSON.stringify({ id: i, text: `${Math.sin(i)} text` })).join('\n'),
      ),
    );
    truncateSync(path, 20_000);
    const lake = join(folder, 'cut');
    const ran = runGarner(['run', recipe('cut', `name: cut\nfiles: [{ path: ${path} }]\n`), '--lake', lake]);
    expect(ran.code).toBe(1);
    expect(clear(ran)).toContain('cut.jsonl.gz');
    expect(markers(lake)).toEqual([]);
  });

  test('a port in use', async () => {
    const lake = join(folder, 'port');
    const server = createServer();
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
    );
    mkdirSync(lake);
    writeFileSync(join(lake, '.site-port'), `${port}\n`);
    const ran = runGarner(['quickstart', '--lake', lake]);
    server.close();
    expect(ran.code).toBe(1);
    expect(clear(ran)).toMatch(new RegExp(`${port}.*in use`));
  });

  const small = mkdtempSync(join(tmpdir(), 'garner-small-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1500k', 'tmpfs', small]).status === 0;
  afterAll(() => {
    if (mounted) spawnSync('umount', [small]);
    rmSync(small, { recursive: true, force: true });
  });
  if (!mounted) console.warn('skipped: a full disk needs the right to mount a small one');
  test.skipIf(!mounted)(
    'a full disk: one sentence, no half-written file behind a marker, and the run goes on when there is space',
    () => {
      const path = join(folder, 'big.jsonl');
      writeFileSync(
        path,
        Array.from({ length: 400 }, (_, i) =>
          JSON.stringify({
            id: i,
            text: Array.from({ length: 900 }, (_v, j) => Math.sin(i * 1000 + j).toString(36)).join(' '),
          }),
        ).join('\n'),
      );
      const lake = join(small, 'lake');
      const file = recipe('disk', `name: disk\nfiles: [{ path: ${path} }]\n`);
      const ran = runGarner(['run', file, '--lake', lake]);
      expect(ran.code).toBe(1);
      expect(clear(ran)).toMatch(/disk is full/);
      expect(markers(lake)).toEqual([]);
      spawnSync('mount', ['-o', 'remount,size=100m', small]);
      expect(runGarner(['run', file, '--lake', lake]).code).toBe(0);
      expect(markers(lake)).toHaveLength(1);
    },
  );
});

test('Ctrl-C: exit code 130, nothing half-written, and the same command goes on', async () => {
  const path = join(folder, 'many.jsonl');
  writeFileSync(path, books(800));
  const lake = join(folder, 'ctrl-c');
  const file = recipe(
    'ctrl-c',
    `name: c\nfiles: [{ path: ${path} }]\nfilters: { gopher_quality: {}, gopher_repetition: {}, c4: {}, fineweb: {} }\n`,
  );
  const { child, ended, said } = startGarner(['run', file, '--lake', lake]);
  await said('"stage":"measure"');
  process.kill(-child.pid!, 'SIGINT');
  const ran = await ended;
  expect(ran.code).toBe(130);
  expect(clear(ran)).toContain('goes on where it stopped');
  expect(runGarner(['run', file, '--lake', lake]).code).toBe(0);
});

test('a closed pipe is no error', () => {
  const ran = spawnSync(
    'sh',
    ['-c', `"${process.execPath}" "${join(packageRoot, 'bin', 'garner')}" schema | head -1`],
    { encoding: 'utf8' },
  );
  expect(ran.stderr).toBe('');
  expect(ran.stdout).toBe('{\n');
});

function markers(lake: string): string[] {
  const stages = join(lake, 'stages');
  return existsSync(stages)
    ? readdirSync(stages, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('done.json'))
    : [];
}
