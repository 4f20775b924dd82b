import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { formatError, type Terminal } from '../../cli/command.ts';
import { wholeNumber } from '../../cli/arguments.ts';
import { tell } from '../../cli/commands/why.ts';
import { main } from '../../cli/main.ts';
import { formatTable } from '../../cli/table.ts';
import { GarnerError } from '../../core/errors.ts';
import { createProgress } from '../../core/progress.ts';
import type { Story } from '../../datasets/lake/why.ts';

const evil = 'a\u001B[2J\u001B]0;owned\u0007\u0000b\u202Ec\u009B31m\r';
// What is left of a text on a terminal: letters and punctuation, nothing that moves the cursor.
const harmless = (text: string) => expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);

test('no text of a page can move the cursor of a terminal', () => {
  harmless(formatTable([evil, 'b'], [[evil, 1]], 80));
  harmless(formatError(new GarnerError({ what: evil, where: evil, hint: evil })));
  harmless(
    tell(
      {
        captures: [{ url: evil, outcome: evil, reason: evil, media_type: evil, referrer: evil }],
        document: { id: evil, title: evil, opening: evil, source: evil, language: evil },
        signals: { f: { s: evil } },
        decisions: [{ stage: evil, verdict: 'drop', rule: evil, evidence: evil }],
        edits: [{ rule: evil, count: 1, spans: '1–2' }],
        duplicates: [{ document_id: evil, kept_url: evil, kind: evil, similarity: 1 }],
        snapshot: { split: evil, repeats: 2 },
        shards: [{ shard: evil, length: 1, offset: 0 }],
        runs: [{ run: evil, steps: 1 }],
      } as unknown as Story,
      80,
    ),
  );
});

test('notices on a terminal are clean, too', () => {
  let said = '';
  const stream = Object.assign(
    new Writable({
      write: (chunk: Buffer, _, done) => {
        said += chunk.toString();
        done();
      },
    }),
    { isTTY: true, columns: 80 },
  ) as unknown as NodeJS.WriteStream;
  createProgress(stream).notice(evil);
  expect(said).not.toContain('\u001B[2J');
  expect(said).not.toContain('\u0007');
});

test('a table of very many and of very wide cells', () => {
  const many = formatTable(
    ['n'],
    Array.from({ length: 300_000 }, (_, i) => [i]),
    80,
  );
  expect(many.split('\n')).toHaveLength(300_002);
  const wide = formatTable(
    Array.from({ length: 200 }, (_, i) => `column ${i}`),
    [Array.from({ length: 200 }, () => '汉'.repeat(100_000))],
    80,
  );
  expect(wide.split('\n')).toHaveLength(3);
});

test('numbers of options: whole, in digits', () => {
  for (const bad of ['', ' ', 'x', '1.5', '1e3', '0x10', '-1', '99999999999999999999', 'NaN'])
    expect(() => wholeNumber('--n')(bad), bad).toThrow(GarnerError);
  expect(wholeNumber('--n')('12')).toBe(12);
});

test('garner help NAME is garner NAME --help', async () => {
  const said = async (...args: string[]) => {
    let text = '';
    const stdout = new Writable({
      write: (chunk: Buffer, _, done) => {
        text += chunk.toString();
        done();
      },
    });
    expect(await main(args, { stdin: process.stdin, stdout, stderr: process.stderr } as Terminal)).toBe(0);
    return text;
  };
  expect(await said('help', 'run')).toBe(await said('run', '--help'));
  expect(await said('help')).toBe(await said('--help'));
});
