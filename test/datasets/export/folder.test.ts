import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiledModule } from '../../../core/root.ts';
import { sha256 } from '../../../core/hash.ts';
import { openStaging } from '../../../datasets/export/folder.ts';
import { madeText } from '../lake.ts';
import { commandLine, exportableLake, temporaryFolder, tokenizerOf } from './lake.ts';

let lake: string;
beforeAll(async () => {
  lake = await exportableLake();
});
afterAll(() => rmSync(lake, { recursive: true, force: true }));

const garner = (...args: string[]) => commandLine(['export', ...args, '--lake', lake]);

/** Names and digests of everything below a folder. */
const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile())
      .map((e) => join(e.parentPath, e.name))
      .toSorted()
      .map((path) => [path.slice(folder.length + 1), sha256(readFileSync(path))]),
  );

describe('the folder', () => {
  test.each(['megatron', 'llm.c', 'nanogpt', 'nanochat', 'mds', 'parquet', 'jsonl'])(
    '%s: twice the same bytes, and the second time nothing is done',
    async (format) => {
      const [a, b] = [join(temporaryFolder(), 'a'), join(temporaryFolder(), 'deep', 'b')];
      expect((await garner('slice', '--format', format, '--out', a)).code).toBe(0);
      expect((await garner('slice', '--format', format, '--out', b)).code).toBe(0);
      expect(contents(a)).toEqual(contents(b));
      expect(readdirSync(dirname(a))).toEqual(['a']);
      const again = await garner('slice', '--format', format, '--out', a);
      expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('stands there already')]);
    },
  );

  test('an empty folder is taken, a damaged export is made again', async () => {
    const out = join(temporaryFolder(), 'out');
    mkdirSync(out);
    expect((await garner('slice', '--format', 'nanogpt', '--out', out)).code).toBe(0);
    const whole = contents(out);
    truncateSync(join(out, 'val.bin'), 10);
    const again = await garner('slice', '--format', 'nanogpt', '--out', out);
    expect([again.code, again.stdout]).toEqual([0, expect.not.stringContaining('stands there already')]);
    expect(contents(out)).toEqual(whole);
  });

  test.each([
    { why: 'other files', make: (out: string) => writeFileSync(join(out, 'thesis.tex'), 'x'), says: 'no export' },
    {
      why: 'an export.json of someone else',
      make: (out: string) => writeFileSync(join(out, 'export.json'), '{}'),
      says: 'no export',
    },
    {
      why: 'an export.json whose files are none',
      make: (out: string) =>
        writeFileSync(join(out, 'export.json'), '{"garner":"1","key":"k","files":[null,{"path":1}]}'),
      says: 'no export',
    },
    {
      why: 'an export, and a file beside it',
      make: async (out: string): Promise<void> => {
        await garner('slice', '--format', 'nanogpt', '--out', out);
        writeFileSync(join(out, 'notes.txt'), 'x');
      },
      says: 'notes.txt',
    },
    {
      why: 'another export',
      make: (out: string) => garner('slice', '--format', 'jsonl', '--out', out).then(() => undefined),
      says: 'another export',
    },
  ])('$why: refused with a sentence, nothing changed', async ({ make, says }) => {
    const out = join(temporaryFolder(), 'out');
    mkdirSync(out);
    await Promise.resolve(make(out));
    const before = contents(out);
    const { code, stderr } = await garner('slice', '--format', 'nanogpt', '--out', out);
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
    expect(contents(out)).toEqual(before);
    expect(readdirSync(dirname(out))).toEqual(['out']);
  });
});

test('a link to a folder is followed, also into the lake; a link to nothing is refused', async () => {
  const above = temporaryFolder();
  const [real, link, nothing, hidden] = ['real', 'link', 'nothing', 'hidden'].map((name) => join(above, name));
  mkdirSync(real!);
  symlinkSync(real!, link!);
  symlinkSync(join(above, 'absent'), nothing!);
  symlinkSync(lake, hidden!);
  expect((await garner('slice', '--format', 'nanogpt', '--out', link!)).code).toBe(0);
  expect(lstatSync(link!).isSymbolicLink()).toBe(true);
  expect(existsSync(join(real!, 'train.bin'))).toBe(true);
  const refused = await garner('slice', '--format', 'nanogpt', '--out', nothing!);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('a link to nothing')]);
  const inLake = await garner('slice', '--format', 'nanogpt', '--out', join(hidden!, 'deep', 'export'));
  expect([inLake.code, inLake.stderr]).toEqual([2, expect.stringContaining('lies in the lake')]);
});

test('a mounted volume: the files are moved into it, and nothing else is left there or beside it', async () => {
  const out = join(temporaryFolder(), 'volume');
  mkdirSync(join(out, 'sub'), { recursive: true });
  writeFileSync(join(out, 'sub', 'old.bin'), 'old');
  writeFileSync(join(out, 'export.json'), 'old');
  // What a killed process of this host has left; a process id that is above all others.
  mkdirSync(join(out, `.unfinished-${hostname()}-99999999`));
  const staging = openStaging(out, true);
  const file = staging.create('train/new.bin');
  file.write(Buffer.from('new'));
  expect(await file.close()).toEqual({ path: 'train/new.bin', bytes: 3, sha256: sha256('new') });
  writeFileSync(join(staging.path, 'export.json'), '{}');
  expect(readFileSync(join(out, 'sub', 'old.bin'), 'utf8')).toBe('old');
  await staging.publish();
  expect(Object.keys(contents(out))).toEqual(['export.json', 'train/new.bin']);
  expect(readdirSync(dirname(out))).toEqual(['volume']);
});

describe('arguments', () => {
  test.each([
    { args: ['slise', '--format', 'mds'], says: 'did you mean "slice"' },
    { args: ['slice', '--format', 'megaton'], says: 'did you mean "megatron"' },
    { args: ['slice'], says: '--format is not given' },
    { args: ['slice', '--format', 'nanogpt', '--compression', 'zstd'], says: '--compression is for' },
    { args: ['slice', '--format', 'nanogpt', '--tokenizer', '/nowhere.json'], says: 'no such file' },
  ])('$args.0 $args.2 $args.3: $says', async ({ args, says }) => {
    const out = join(temporaryFolder(), 'out');
    const { code, stderr } = await garner(...args, '--out', out);
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
    expect(existsSync(out)).toBe(false);
  });

  test('a folder in the lake is refused', async () => {
    const out = join(lake, 'out');
    const { code, stderr } = await garner('slice', '--format', 'jsonl', '--out', out);
    expect([code, stderr]).toEqual([2, expect.stringContaining('lies in the lake')]);
    expect(existsSync(out)).toBe(false);
  });

  test.each([
    { args: ['nanogpt', '--sequence', '8'], says: '--sequence is not used: what reads nanogpt cuts' },
    { args: ['parquet', '--tokenizer', 'x'], says: '--tokenizer is not used: parquet holds text' },
    { args: ['mds', '--tokenizer', 'x'], says: 'add --sequence T' },
  ])('$args: done, and said', async ({ args, says }) => {
    const [out, plain] = [join(temporaryFolder(), 'out'), join(temporaryFolder(), 'out')];
    const { code, stderr } = await garner('slice', '--format', ...args, '--out', out);
    expect([code, stderr]).toEqual([0, expect.stringContaining(says)]);
    await garner('slice', '--format', args[0]!, '--out', plain);
    expect(contents(out)).toEqual(contents(plain));
  });

  test('nanogpt refuses a vocabulary beyond 16 bits', async () => {
    const folder = temporaryFolder();
    const file = JSON.parse(readFileSync(tokenizerOf(lake), 'utf8')) as {
      added_tokens: { content: string; id: number }[];
    };
    file.added_tokens.find((t) => t.content === '<|endoftext|>')!.id = 65_536;
    writeFileSync(join(folder, 't.json'), JSON.stringify(file));
    const args = ['slice', '--format', 'nanogpt', '--tokenizer', join(folder, 't.json'), '--out', join(folder, 'out')];
    expect(await garner(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining('16 bits') as string });
    expect(readdirSync(folder)).toEqual(['t.json']);
  });

  test('a snapshot by its key', async () => {
    const key = readdirSync(join(lake, 'snapshots'))[0]!;
    const out = join(temporaryFolder(), 'out');
    expect((await garner(key.slice(0, 8), '--format', 'jsonl', '--out', out)).code).toBe(0);
  });
});

test('killed at any moment, an export leaves nothing that looks finished; the next one gives the same bytes', async () => {
  // Enough text that encoding it takes a while.
  const documents = Array.from({ length: 1500 }, (_, i) => ({ id: `k${i}`, text: madeText(i, 800) }));
  const large = await exportableLake(documents);
  try {
    const folder = temporaryFolder();
    const tokenizer = join(folder, 't.json');
    writeFileSync(tokenizer, ` ${readFileSync(tokenizerOf(large), 'utf8')}`);
    const program = `const { main } = await import(${JSON.stringify(compiledModule('cli/main'))}); process.exitCode = await main(process.argv.slice(1));`;
    const given = ['export', 'slice', '--format', 'megatron', '--tokenizer', tokenizer, '--threads', '1'];
    const args = (out: string) => ['--input-type=module', '-e', program, ...given, '--lake', large, '--out', out];
    const start = (out: string) => spawn(process.execPath, args(out), { stdio: 'ignore' });
    const ended = (child: ReturnType<typeof start>) => new Promise((resolve) => child.once('exit', resolve));
    const started = performance.now();
    expect(await ended(start(join(folder, 'whole')))).toBe(0);
    const time = performance.now() - started;
    let halfway = 0;
    for (const share of [0.4, 0.6, 0.75, 0.9]) {
      const child = start(join(folder, 'killed'));
      const end = ended(child);
      await sleep(time * share);
      halfway += readdirSync(folder).some((n) => n.startsWith('killed.unfinished')) ? 1 : 0;
      child.kill('SIGKILL');
      await end;
      if (existsSync(join(folder, 'killed'))) {
        expect(contents(join(folder, 'killed'))).toEqual(contents(join(folder, 'whole')));
        rmSync(join(folder, 'killed'), { recursive: true });
      }
    }
    expect(halfway).toBeGreaterThan(0);
    expect(await ended(start(join(folder, 'killed')))).toBe(0);
    expect(contents(join(folder, 'killed'))).toEqual(contents(join(folder, 'whole')));
    expect(readdirSync(folder).toSorted()).toEqual(['killed', 't.json', 'whole']);
  } finally {
    rmSync(large, { recursive: true, force: true });
  }
});
