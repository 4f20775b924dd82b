import { expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { sha256 } from '../../../core/hash.ts';
import { chunksOf, textsOfJsonLines } from '../../../tokenizer/train/files.ts';
import { forgetfulNotice, trainTokenizer, type TrainOptions } from '../../../tokenizer/train/index.ts';
import { SPLITS } from '../../../tokenizer/encode/index.ts';
import { randomNumbers, shared, trickyText } from '../texts.ts';

const ENGINES = [undefined, 'typescript'] as const;

interface Golden {
  bytes: number;
  distinctPieces: number;
  tokensAfter2048: number;
  mergesSha256: Record<string, string>;
  merges: [number, number][];
  counts: number[];
}

const goldens = (['shakespeare', 'mixed'] as const).flatMap((name) =>
  (['gpt2', 'cl100k'] as const).map((split) => ({
    name,
    split,
    text: shared(`tokenizer/train-${name}.txt.gz`),
    golden: JSON.parse(shared(`tokenizer/train-${name}.${split}.json.gz`)?.toString() ?? 'null') as Golden | null,
  })),
);

test.skipIf(goldens.some((g) => !g.golden)).each(goldens)(
  '$name under $split: the merges of the plain trainer',
  async ({ text, split, golden }) => {
    for (const engine of ENGINES) {
      for (const vocabulary of [512, 2048]) {
        const { merges, counts, figures } = await trainTokenizer([text!], { split, vocabulary, engine });
        const lines = Array.from({ length: vocabulary - 256 }, (_, i) => `${merges[2 * i]} ${merges[2 * i + 1]}`);
        expect(lines).toEqual(golden!.merges.slice(0, vocabulary - 256).map((m) => m.join(' ')));
        expect(sha256(lines.join('\n'))).toBe(golden!.mergesSha256[vocabulary]);
        expect(Array.from(counts)).toEqual(golden!.counts.slice(0, vocabulary - 256));
        expect(figures).toMatchObject({ bytes: golden!.bytes, distinct: golden!.distinctPieces });
        if (vocabulary === 2048) expect(figures.tokens).toBe(golden!.tokensAfter2048);
      }
    }
  },
);

/** Recounts everything at every step: the definition. */
function plainMerges(pieces: string[], merges: number): number[][] {
  const words = pieces.map((piece) => Array.from(Buffer.from(piece)));
  const made: number[][] = [];
  for (let z = 256; made.length < merges; z++) {
    const counts = new Map<string, number>();
    for (const w of words)
      for (let i = 0; i + 1 < w.length; i++)
        counts.set(`${w[i]} ${w[i + 1]}`, (counts.get(`${w[i]} ${w[i + 1]}`) ?? 0) + 1);
    const ranked = [...counts].map(([pair, n]) => [...pair.split(' ').map(Number), n] as [number, number, number]);
    ranked.sort((a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1]);
    if (ranked.length === 0) break;
    const [left, right] = ranked[0]!;
    made.push([left, right]);
    for (const w of words)
      for (let i = 0; i + 1 < w.length; i++) if (w[i] === left && w[i + 1] === right) w.splice(i, 2, z);
  }
  return made;
}

test('runs of one letter and texts of few letters: as the definition says, overlaps included', async () => {
  const random = randomNumbers(5);
  for (let i = 0; i < 60; i++) {
    const letters = 1 + random(3);
    const words = Array.from({ length: 1 + random(12) }, () =>
      Array.from({ length: 1 + random(14) }, () => 'abc'[random(letters)]).join(''),
    );
    const expected = plainMerges(words, 40).flat();
    for (const engine of ENGINES) {
      const { merges } = await trainTokenizer(
        words.map((w) => Buffer.from(w)),
        { split: 'gpt2', vocabulary: 296, engine },
      );
      expect(Array.from(merges), words.join(' ')).toEqual(expected);
    }
  }
});

const train = (texts: string[], options: Partial<TrainOptions> = {}) =>
  trainTokenizer(
    texts.map((t) => Buffer.from(t)),
    { split: 'cl100k', vocabulary: 400, ...options },
  );

test.each(SPLITS)('%s: kernel and twin learn the same from tricky text', async (split) => {
  const random = randomNumbers(9);
  const texts = Array.from({ length: 200 }, () => trickyText(random, 1 + random(80)));
  const [kernel, twin] = await Promise.all(ENGINES.map((engine) => train(texts, { split, engine })));
  expect([kernel!.engine, twin!.engine]).toEqual([findCompiler() ? 'c' : 'typescript', 'typescript']);
  expect({ ...kernel, engine: '' }).toEqual({ ...twin, engine: '' });
});

test('the order of the texts does not matter', async () => {
  const random = randomNumbers(2);
  const texts = Array.from({ length: 50 }, () => trickyText(random, 60));
  expect((await train(texts)).merges).toEqual((await train(texts.toReversed())).merges);
});

test('beyond the limit the rarest pre-tokens are forgotten, by kernel and twin alike', async () => {
  const random = randomNumbers(4);
  const rare = Array.from({ length: 3000 }, () => ` ${Array.from({ length: 9 }, () => 'xyzw'[random(4)]).join('')}`);
  const texts = rare.flatMap((word, i) => [word, i % 3 === 0 ? ' often' : ' frequent']);
  const [kernel, twin] = await Promise.all(ENGINES.map((engine) => train(texts, { engine, limit: 4096 })));
  expect(kernel!.figures).toEqual(twin!.figures);
  expect(kernel!.merges).toEqual(twin!.merges);
  expect(kernel!.figures.distinctBytes).toBeLessThanOrEqual(4096);
  expect(kernel!.figures.forgotten).toBeGreaterThan(2000);
  expect(forgetfulNotice(kernel!.figures)).toContain('were forgotten');
  expect(forgetfulNotice((await train(texts)).figures)).toBe(null);
  const words = kernel!.vocabulary.tokens.map((t) => Buffer.from(t).toString());
  expect(words).toContain(' frequent');
});

test('training ends early where no pair is left, and without any text', async () => {
  expect(Array.from((await train(['ab', 'ab'])).merges)).toEqual([97, 98]);
  expect((await train([])).merges).toHaveLength(0);
  expect((await train([''])).vocabulary.tokens).toHaveLength(256);
});

test('a megabyte of one letter trains, cut into pieces of a megabyte where it is longer', async () => {
  const { merges, figures } = await train(['a'.repeat((1 << 20) + 8)]);
  expect(Array.from(merges.slice(0, 4))).toEqual([97, 97, 256, 256]);
  expect(figures.distinct).toBe(2);
});

async function* inParts(text: Buffer, random: (n: number) => number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < text.length;) {
    const n = 1 + random(700);
    yield text.subarray(i, i + n);
    i += n;
  }
}

test.each(SPLITS)('%s: text read in chunks has the pre-tokens of the whole', async (split) => {
  const random = randomNumbers(6);
  const text = Buffer.from(Array.from({ length: 400 }, () => `${trickyText(random, random(40))}\n`).join(''));
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(inParts(text, random), 1024)) chunks.push(Buffer.from(chunk));
  expect(chunks.length).toBeGreaterThan(3);
  expect(Buffer.concat(chunks)).toEqual(text);
  const whole = await trainTokenizer([text], { split, vocabulary: 600 });
  expect(await trainTokenizer(chunks, { split, vocabulary: 600 })).toEqual(whole);
});

test('text without any place to cut it is held until its end', async () => {
  const text = Buffer.from('\n '.repeat(20_000));
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(inParts(text, randomNumbers(1)), 1024)) chunks.push(chunk);
  expect(chunks).toHaveLength(1);
  expect(Buffer.compare(chunks[0]!, text)).toBe(0);
});

test('JSON lines: a line without a text is named by its number', async () => {
  const lines = Buffer.from('{"text":"one"}\n\nnot json\n{"id":1}\n{"text":"two"}\n[1]\n');
  const bad: number[] = [];
  const texts: string[] = [];
  for await (const text of textsOfJsonLines(
    inParts(lines, () => 3),
    (n) => void bad.push(n),
  ))
    texts.push(Buffer.from(text).toString());
  expect(texts).toEqual(['one', 'two']);
  expect(bad).toEqual([3, 4, 6]);
});
