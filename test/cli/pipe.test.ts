import { Readable, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Terminal } from '../../cli/command.ts';
import { pipe } from '../../cli/pipe.ts';

async function answers(input: string | Buffer): Promise<unknown[]> {
  let said = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _, done) => {
      said += chunk.toString();
      done();
    },
  });
  const terminal = {
    stdin: Readable.from([Buffer.from(input)]),
    stdout,
    stderr: process.stderr,
  } as unknown as Terminal;
  await pipe(undefined, terminal, (record) => ({ id: record.id, text: record.text }));
  return said
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

test('a field "error" of the input is no error of ours', async () => {
  expect(await answers('{"id":"a","text":"b","error":"theirs"}\nnot json\n')).toEqual([
    { id: 'a', text: 'b' },
    { id: '2', error: 'not_json' },
  ]);
});

test('a byte order mark at the start, and Windows line ends, are no part of the first record', async () => {
  expect(await answers('\uFEFF{"id":"a","text":"b"}\r\n{"id":"c","text":"d"}\r\n')).toEqual([
    { id: 'a', text: 'b' },
    { id: 'c', text: 'd' },
  ]);
});
