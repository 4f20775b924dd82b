import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GarnerError } from '../../core/errors.ts';
import type { Command, Options, Terminal } from '../../cli/command.ts';
import tokenize from '../../cli/commands/tokenize.ts';
import tokenizer from '../../cli/commands/tokenizer.ts';
import { loadTokenizer } from '../../tokenizer/encode/index.ts';
import { ranksFile } from './texts.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'garner-commands-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function call(command: Command, args: string[], options: Options, input = ''): Promise<string> {
  let out = '';
  const sink = () =>
    new Writable({
      write(chunk, _encoding, done) {
        out += String(chunk);
        done();
      },
    });
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = {
    stdin: Readable.from([Buffer.from(input)]),
    stdout: sink(),
    stderr: silent,
  } as unknown as Terminal;
  expect(await command.run(args, options, terminal)).toBe(0);
  return out;
}

test('train, then tokenize: plain text, gzip and JSON lines teach the same', async () => {
  const text = 'hello hello world\n'.repeat(40);
  const outs: string[] = [];
  for (const [name, content] of [
    ['a.txt', text],
    ['a.txt.gz', gzipSync(text)],
    ['a.jsonl', `${JSON.stringify({ text })}\n{}\n`],
  ] as const) {
    writeFileSync(join(folder, name), content);
    const out = join(folder, `${name}.json`);
    const said = await call(tokenizer, ['train', join(folder, name)], { vocab: 262, split: 'cl100k', out });
    expect(said).toMatch(/: 6 merges, 3 special tokens, [\d.]+ bytes per token over 720 bytes, [\d.]+ s\n$/);
    outs.push(readFileSync(out, 'utf8'));
  }
  expect(new Set(outs).size).toBe(1);
  const path = join(folder, 'a.txt.json');
  const lines = '{"id":"x","text":"hello <|endoftext|>"}\n{"id":3}\nnope\n{"id":"\ud83d\ude00","text":""}\n';
  const answers = (await call(tokenize, [], { tokenizer: path }, lines))
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l) as { ids?: number[] });
  expect(answers[0]).toEqual({ id: 'x', ids: Array.from(loadTokenizer(path).encode('hello <|endoftext|>')) });
  expect(answers.slice(1)).toEqual([
    { id: 3, error: 'no_text' },
    { id: '3', error: 'not_json' },
    { id: '\ud83d\ude00', ids: [] },
  ]);
});

test('a ranks file with --split gives the ids of tiktoken', async () => {
  const out = await call(
    tokenize,
    ['-'],
    { tokenizer: ranksFile('gpt2'), split: 'gpt2' },
    '{"id":"1","text":"Hello world"}\n',
  );
  expect(JSON.parse(out)).toEqual({ id: '1', ids: [15496, 995] });
});

test.each([
  { why: 'no tokenizer', command: tokenize, args: [], options: {}, says: 'no tokenizer is named' },
  {
    why: 'a missing tokenizer',
    command: tokenize,
    args: [],
    options: { tokenizer: '/none' },
    says: '/none: no such file',
  },
  { why: 'another action', command: tokenizer, args: ['teach', 'x'], options: {}, says: '"teach" is nothing that' },
  { why: 'a missing text', command: tokenizer, args: ['train', '/none'], options: {}, says: '/none: no such file' },
])('$why: one clear sentence, exit 2', async ({ command, args, options, says }) => {
  const failure = await call(command, args, options).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(GarnerError);
  expect((failure as GarnerError).message).toContain(says);
  expect((failure as GarnerError).fault).toBe(2);
});

test('flags that are wrong are named', () => {
  const parse = (name: string) =>
    [...tokenizer.options!, ...tokenize.options!].find((o) => o.flag.startsWith(name))!.parse!;
  expect(() => parse('--vocab')('255', undefined)).toThrow('--vocab: "255" is no size of a vocabulary');
  expect(() => parse('--split')('cl100', undefined)).toThrow(GarnerError);
  expect(parse('--split')('o200k', undefined)).toBe('o200k');
});
