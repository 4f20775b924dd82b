import { Readable, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import command from '../../../cli/commands/dedup.ts';
import type { Terminal } from '../../../cli/command.ts';
import { GarnerError } from '../../../core/errors.ts';
import { createShingler, jaccard } from '../../../core/text/shingles.ts';
import { createBucketTable, BUCKET_LIMIT } from '../../../datasets/dedup/buckets.ts';
import { createFingerprint } from '../../../datasets/dedup/fingerprint.ts';
import { createDeduplicator } from '../../../datasets/dedup/stream.ts';
import { dice, jsonLines, madeText } from '../lake.ts';
import { sharedData } from '../../shared.ts';

const OPTIONS = { threshold: 0.8, recall: 0.999, functions: 112, seed: 1, reading: 'plain' } as const;
function answers(texts: readonly string[], options = OPTIONS) {
  const stream = createDeduplicator(options);
  try {
    return texts.map((text) => stream.add(text));
  } finally {
    stream.close();
  }
}

async function pipe(input: string, options: Record<string, unknown> = { threshold: 0.8, recall: 0.999, seed: 1 }) {
  let output = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      output += chunk.toString();
      done();
    },
  });
  const terminal: Terminal = { stdin: Readable.from([Buffer.from(input)]), stdout, stderr: process.stderr };
  const code = await command.run([], options, terminal);
  return {
    code,
    lines: output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

test('a line of output for each of input, in order, bad ones too', async () => {
  const text = madeText(1, 200);
  const near = text.replace(/ \S+ /, ' other ');
  const input = [
    JSON.stringify({ id: 'a', text }),
    '{broken',
    JSON.stringify({ id: 7, text: near }),
    JSON.stringify({ id: 'c' }),
    JSON.stringify({ id: 'd', text: `${text.toUpperCase()}!` }),
    JSON.stringify({ id: 'e', text: '' }),
    JSON.stringify({ id: 'f', text: 'lone \uD800 surrogate' }),
  ];
  const { code, lines } = await pipe(input.join('\n'));
  expect(code).toBe(0);
  const shingle = createShingler('plain');
  const similarity = Number(jaccard(shingle(text).slice(), shingle(near)).toFixed(6));
  expect(lines).toEqual([
    { id: 'a', duplicateOf: null, similarity: null },
    { id: '2', error: 'not_json' },
    { id: 7, duplicateOf: 'a', similarity },
    { id: 'c', error: 'no_text' },
    { id: 'd', duplicateOf: 'a', similarity: 1 },
    { id: 'e', duplicateOf: null, similarity: null },
    { id: 'f', duplicateOf: null, similarity: null },
  ]);
});

test('what duplicateOf names is kept itself, also for a copy of a near copy and through another spelling', () => {
  const text = madeText(2, 200);
  const near = text.replace(/ \S+ /, ' other ');
  const commas = text.replaceAll(' ', ', ');
  const nearCommas = near.replaceAll(' ', ', ');
  const all = answers([text, near, near.toUpperCase(), commas, nearCommas]);
  expect(all.map((a) => a.duplicateOf)).toEqual([null, 0, 0, 0, 0]);
  // A comma after each word puts it into every shingle: only the other spelling that was seen can match it.
  expect(all[3]!.similarity).toBe(1);
  expect(all[2]!.similarity).toBe(all[1]!.similarity);
});

test('a thousand texts from few families: no kept pair reaches the threshold, every answer is true', () => {
  const roll = dice(11);
  const texts = Array.from({ length: 1000 }, (_, i) =>
    madeText(roll(150), 60)
      .split(' ')
      .map((w) => (roll(40) === 0 ? `n${i}` : w))
      .join(' '),
  );
  const all = answers(texts);
  const shingle = createShingler('plain');
  const sets = texts.map((t) => shingle(t).slice());
  let near = 0;
  for (const [i, { duplicateOf, similarity }] of all.entries()) {
    if (duplicateOf !== null) {
      expect(all[duplicateOf]!.duplicateOf).toBe(null);
      expect(similarity).toBe(jaccard(sets[i]!, sets[duplicateOf]!));
      expect(similarity).toBeGreaterThanOrEqual(0.8);
      if (similarity! < 1) near++;
    } else
      for (let j = 0; j < i; j++)
        if (all[j]!.duplicateOf === null) expect(jaccard(sets[i]!, sets[j]!)).toBeLessThan(0.8);
  }
  expect(near).toBeGreaterThan(100);
});

test('where too many texts are alike, how often comparing was cut short is said', () => {
  const roll = dice(5);
  const words = madeText(9, 100).split(' ');
  // Any two share half of their shingles: all are kept, and all lie in the same buckets.
  const alike = Array.from({ length: 300 }, (_, i) => {
    const text = [...words];
    for (let k = 0; k < 3; k++) text[roll(100)] = `n${i}x${k}`;
    return text.join(' ');
  });
  const stream = createDeduplicator(OPTIONS);
  for (const text of alike.slice(0, 30)) stream.add(text);
  expect(stream.crowded()).toBe(0);
  for (const text of alike.slice(30)) stream.add(text);
  expect(stream.crowded()).toBeGreaterThan(0);
  stream.close();
});

const cases = sharedData('dedup/cases.jsonl.gz');
interface Case {
  kind: string;
  relation: string;
  a: string;
  b: string;
}
test.skipIf(!cases)('cases: the same text in two spellings is found, different ones never', () => {
  const found: Record<string, [number, number]> = {};
  for (const { kind, relation, a, b } of jsonLines<Case>(cases!)) {
    const tally = (found[`${relation} ${kind}`] ??= [0, 0]);
    tally[1]++;
    if (answers([a, b])[1]!.duplicateOf === 0) tally[0]++;
  }
  const of = (relation: string) => Object.entries(found).filter(([name]) => name.startsWith(`${relation} `));
  // Traditional and simplified characters need a table; declarations are other translations.
  const hard = ['same zh/traditional', 'same zh/declaration'];
  expect(of('same').filter(([name, [n, all]]) => n < all && !hard.includes(name))).toEqual([]);
  for (const relation of ['different', 'template', 'contained'])
    expect(of(relation).filter(([, [n]]) => n > 0)).toEqual([]);
  expect(of('same').length).toBeGreaterThan(10);
});

test.each([
  ['case', 'The House of the Rising Sun in New Orleans', 'THE HOUSE OF THE RISING SUN IN NEW ORLEANS', true],
  ['punctuation', 'The house, of the rising sun: in New-Orleans', 'The house of the rising sun in New Orleans', true],
  ['joined words', 'The house of the rising sun in New Orleans', 'The houseofthe rising suninNew Orleans', true],
  ['a letter', 'The house of the rising sun in New Orleans', 'The house of the rising son in New Orleans', false],
  ['an accent', 'Le café est fermé pendant toute la semaine', 'Le cafe est ferme pendant toute la semaine', false],
  ['short: white space', ' 1.2 ', '1.2\n', true],
  ['short: punctuation', '1.2', '12', false],
  ['short: case', 'Polish', 'polish', false],
])('fingerprint: %s', (_, a, b, equal) => {
  const fingerprint = createFingerprint();
  expect(fingerprint(a) === fingerprint(b)).toBe(equal);
});

test('in a fingerprint a digit stays a digit, whatever its width', () => {
  const fingerprint = createFingerprint();
  const text = (digit: string) => `the number in this line of thirty letters is ${digit}`;
  for (let d = 0; d < 10; d++) {
    expect(fingerprint(text(String.fromCharCode(0xff10 + d)))).toBe(fingerprint(text(String(d))));
    expect(fingerprint(text(String(d)))).not.toBe(fingerprint(text(String((d + 1) % 10))));
  }
});

test('a fingerprint reads a text of many pieces as one', () => {
  const fingerprint = createFingerprint();
  const long = 'é, 漢字 \u{20000} '.repeat(300_000);
  expect(fingerprint(long)).toBe(fingerprint(long.normalize('NFD').replaceAll(',', '')));
  expect(fingerprint(long)).not.toBe(fingerprint(`${long}x`));
});

test('buckets: lists by key, newest first, bounded, forgotten by clear', () => {
  const table = createBucketTable();
  const roll = dice(3);
  for (let round = 0; round < 3; round++) {
    const truth = new Map<number, number[]>();
    for (let i = 0; i < 20_000; i++) {
      const key = Math.imul(roll(2000), 0x10001) | 0;
      const list = truth.get(key) ?? [];
      if (table.add(key, i) !== list.length < BUCKET_LIMIT) throw new Error(`bucket of ${list.length}`);
      if (list.length < BUCKET_LIMIT) list.push(i);
      truth.set(key, list);
    }
    for (const [key, list] of truth) {
      const seen: number[] = [];
      table.visit(key, (v) => seen.push(v));
      expect(seen.toReversed()).toEqual(list);
    }
    table.clear();
    let left = 0;
    for (const key of truth.keys()) table.visit(key, () => left++);
    expect(left).toBe(0);
  }
});

test.each([
  [{ threshold: 2, recall: 0.9, seed: 1 }, /--threshold/],
  [{ threshold: 0.8, recall: 1, seed: 1 }, /--recall/],
  [{ threshold: 0.8, recall: 0.9, seed: Number.NaN }, /--seed/],
])('options %j are refused with exit 2', async (options, where) => {
  const error: unknown = await pipe('', options).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(GarnerError);
  expect((error as GarnerError).message).toMatch(where);
  expect((error as GarnerError).fault).toBe(2);
});
