import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadTokenizer, writeTokenizerJson } from '../../../tokenizer/encode/index.ts';
import { openEncodePool } from '../../../tokenizer/encode/pool.ts';
import { trainTokenizer } from '../../../tokenizer/train/index.ts';

let folder = '';
let file = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'garner-pool-'));
  file = join(folder, 'tokenizer.json');
  const text = Buffer.from('the quiet harbour 晚上的港口很安静 '.repeat(50));
  const trained = await trainTokenizer(
    (async function* () {
      yield text;
    })(),
    { split: 'cl100k', vocabulary: 300 },
  );
  writeFileSync(file, writeTokenizerJson(trained.vocabulary));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* batches(texts: readonly string[], size: number): AsyncGenerator<Buffer[]> {
  for (let at = 0; at < texts.length; at += size) yield texts.slice(at, at + size).map((t) => Buffer.from(t));
}

test.each([1, 3])('%i threads: every text once, in order, the tokens of one thread', async (threads) => {
  // Empty ones, some longer than what goes to a thread at once.
  const texts = Array.from({ length: 400 }, (_, i) => '晚上 the harbour '.repeat(i === 97 ? 60_000 : (i * i) % 50));
  const tokenizer = loadTokenizer(file, { engine: 'typescript' });
  const pool = openEncodePool(file, threads);
  try {
    let i = 0;
    for await (const batch of pool.encode(batches(texts, 30), (text) => text))
      for (const [text, tokens] of batch) {
        expect(text.equals(Buffer.from(texts[i]!))).toBe(true);
        const expected = tokenizer.encode(texts[i]!);
        expect(tokens.length).toBe(expected.length);
        expect(Buffer.compare(Buffer.from(tokens.slice().buffer), Buffer.from(expected.slice().buffer))).toBe(0);
        i++;
      }
    expect(i).toBe(texts.length);
  } finally {
    await pool.close();
  }
});

test('a thread that cannot begin is an error, not a wait', async () => {
  const pool = openEncodePool(join(folder, 'nowhere.json'), 2);
  try {
    const all = async () => {
      for await (const _ of pool.encode(batches(['a', 'b', 'c'], 1), (text) => text));
    };
    await expect(all()).rejects.toThrow(/no such file|ENOENT/);
  } finally {
    await pool.close();
  }
});
