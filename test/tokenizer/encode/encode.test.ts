import { expect, test } from 'vitest';
import { loadTokenizer, SPLITS } from '../../../tokenizer/encode/index.ts';
import { vocabularyOf } from '../../../tokenizer/train/index.ts';
import { goldenEncodings, randomNumbers, ranksFile, trickyText } from '../texts.ts';

const goldens = goldenEncodings();
const open = Object.fromEntries(
  SPLITS.map((split) => [
    split,
    {
      kernel: loadTokenizer(ranksFile(split), { split }),
      twin: loadTokenizer(ranksFile(split), { split, engine: 'typescript' }),
    },
  ]),
);

test.skipIf(goldens.length === 0).each(SPLITS)('%s: the ids of tiktoken on the golden strings, and back', (split) => {
  for (const golden of goldens) {
    for (const tokenizer of Object.values(open[split]!)) {
      const ids = Array.from(tokenizer.encode(golden.text));
      expect(ids, `${golden.id} ${tokenizer.engine}`).toEqual(golden[split]);
      expect(tokenizer.decode(ids)).toBe(golden.text);
    }
  }
});

test.each(SPLITS)('%s: kernel and twin agree on tricky text, and on bytes that are no UTF-8', (split) => {
  const { kernel, twin } = open[split]!;
  const random = randomNumbers(11);
  for (let i = 0; i < 1500; i++) {
    const text = trickyText(random, 1 + random(60));
    expect(kernel.encode(text), JSON.stringify(text)).toEqual(twin.encode(text));
    const bytes = Uint8Array.from({ length: 1 + random(60) }, () => (random(2) ? random(256) : 0xc0 + random(64)));
    expect(kernel.encodeBytes(bytes), bytes.join()).toEqual(twin.encodeBytes(bytes));
  }
});

test('pre-tokens around the border between scanning and heap give the same ids', () => {
  const { kernel, twin } = open['cl100k']!;
  const random = randomNumbers(3);
  for (let length = 120; length < 140; length++) {
    const text = Array.from({ length }, () => 'abcdeing'[random(8)]).join('');
    expect(kernel.encode(text)).toEqual(twin.encode(text));
    expect(kernel.encode('a'.repeat(length))).toEqual(twin.encode('a'.repeat(length)));
  }
  const long = Array.from({ length: 50_000 }, () => 'abcdeing'[random(8)]).join('');
  expect(kernel.encode(long)).toEqual(twin.encode(long));
});

test('a megabyte of one letter is no matter of minutes', () => {
  for (const letter of ['a', ' ', '\n', '!', '中']) {
    const text = letter.repeat(1_000_000 / Buffer.byteLength(letter));
    const started = process.cpuUsage();
    const ids = open['cl100k']!.kernel.encode(text);
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(2000);
    expect(open['cl100k']!.kernel.decode(ids)).toBe(text);
  }
});

test('special tokens are never made from text, and are decoded by name', () => {
  for (const { kernel, twin } of Object.values(open)) {
    for (const tokenizer of [kernel, twin]) {
      const end = tokenizer.endOfText;
      expect(tokenizer.specialTokens['<|endoftext|>']).toBe(end);
      expect(tokenizer.encode('a<|endoftext|>b')).not.toContain(end);
      expect(tokenizer.decode([...tokenizer.encode('a'), end])).toBe('a<|endoftext|>');
    }
  }
  expect(Object.values(open).map((t) => t.kernel.endOfText)).toEqual([50256, 100257, 199999]);
});

test('any string gives ids: lone surrogates count as U+FFFD, a leading U+FEFF stays', () => {
  const { kernel } = open['o200k']!;
  expect(kernel.encode('\ud800x')).toEqual(kernel.encode('\ufffdx'));
  expect(kernel.decode(kernel.encode('\ufeffx'))).toBe('\ufeffx');
  expect(kernel.encode('')).toHaveLength(0);
  expect(kernel.decode([])).toBe('');
});

test('an id that there is not is named; one that stands for nothing is empty', () => {
  const { kernel } = open['gpt2']!;
  expect(() => kernel.decode([50257])).toThrow('50257 is no id of this tokenizer (0 to 50256)');
  expect(open['cl100k']!.kernel.decode([100256])).toBe('');
  expect(kernel.bytesOf(0)).toEqual(Uint8Array.of(33));
  expect(Buffer.from(kernel.bytesOf(50256)).toString()).toBe('<|endoftext|>');
});

test('the first of two merges that could apply is the one of the lower rank, leftmost first', () => {
  // ids: 256 = ab, 257 = bc, 258 = aa, 259 = aaa by (aa, a)
  const [a, b, c] = [97, 98, 99];
  const made = vocabularyOf(Uint32Array.of(a, b, b, c, a, a, 258, a), 'gpt2');
  for (const engine of [undefined, 'typescript'] as const) {
    const tokenizer = loadTokenizer(made, { engine });
    const encode = (text: string) => tokenizer.encode(text);
    expect(Array.from(encode('abc'))).toEqual([256, c]);
    expect(Array.from(encode('bcabc'))).toEqual([257, 256, c]);
    expect(Array.from(encode('aaa'))).toEqual([259]);
    expect(Array.from(encode('aaaaa'))).toEqual([258, 259]);
  }
});
