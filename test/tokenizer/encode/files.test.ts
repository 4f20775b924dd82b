import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer as Theirs } from 'tokenizers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PUBLISHED } from '../../../tokenizer/encode/patterns.ts';
import { GarnerError } from '../../../core/errors.ts';
import { loadTokenizer, SPLITS, writeTokenizerJson, type Vocabulary } from '../../../tokenizer/encode/index.ts';
import { trainTokenizer, vocabularyOf } from '../../../tokenizer/train/index.ts';
import { goldenEncodings, shared, trickyText, randomNumbers } from '../texts.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'garner-tokenizer-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(content: string | object): string {
  const path = join(folder, 'file.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const small = vocabularyOf(Uint32Array.of(104, 101, 108, 108, 256, 257, 258, 111, 32, 259), 'cl100k');
const smallJson = () =>
  JSON.parse(writeTokenizerJson(small)) as Record<string, never> & { model: Record<string, unknown> };

const training = ['tokenizer/train-mixed.txt.gz', 'tokenizer/train-shakespeare.txt.gz'].map(shared);
const real = [
  ...goldenEncodings().map((g) => g.text),
  ...(shared('text/english-c4.jsonl.gz')?.toString().split('\n').slice(0, 40) ?? []),
  ...(shared('text/chinese-novels.txt.gz')?.toString().split('\n').slice(0, 60) ?? []),
];

test.skipIf(training.includes(null)).each(SPLITS)(
  '%s: Hugging Face tokenizers loads our tokenizer.json and gives the same ids',
  async (split) => {
    const { vocabulary } = await trainTokenizer(training as Buffer[], { split, vocabulary: 3000 });
    const path = write(writeTokenizerJson(vocabulary));
    const [theirs, ours, twin] = [
      Theirs.fromFile(path),
      loadTokenizer(path),
      loadTokenizer(path, { engine: 'typescript' }),
    ];
    expect(theirs.getVocabSize(true)).toBe(ours.vocabularySize);
    const random = randomNumbers(8);
    // Their encoder makes special tokens from text that names them; ours never does.
    const texts = [...real, ...Array.from({ length: 100 }, () => trickyText(random, 40))].filter(
      (t) => !t.includes('<|'),
    );
    expect(texts.length).toBeGreaterThan(600);
    for (const text of texts) {
      const ids = Array.from(ours.encode(text));
      expect(ids, JSON.stringify(text)).toEqual(
        (await theirs.encode(text, null, { addSpecialTokens: false })).getIds(),
      );
      expect(Array.from(twin.encode(text))).toEqual(ids);
      expect(ours.decode(ids)).toBe(text);
    }
    const [end, start] = [ours.specialTokens['<|im_end|>']!, ours.specialTokens['<|im_start|>']!];
    expect(Array.from((await theirs.encode('<|im_start|><|im_end|>')).getIds())).toEqual([start, end]);
    expect(await theirs.decode([...ours.encode('你好'), end], false)).toBe('你好<|im_end|>');
  },
);

test('a written tokenizer.json reads back as the same vocabulary, byte for byte', () => {
  const path = write(writeTokenizerJson(small));
  const tokenizer = loadTokenizer(path);
  expect(Array.from(tokenizer.encode('hello hello'))).toEqual([259, 260]);
  expect(tokenizer.specialTokens).toEqual({ '<|endoftext|>': 261, '<|im_start|>': 262, '<|im_end|>': 263 });
  expect(tokenizer.vocabularySize).toBe(264);
  expect(writeTokenizerJson({ ...small })).toBe(writeTokenizerJson(small));
});

test('a token may be called __proto__', () => {
  const letters = [...Buffer.from('__proto__')];
  const merges = letters.slice(1).flatMap((letter, i) => [i === 0 ? letters[0]! : 255 + i, letter]);
  const path = write(writeTokenizerJson(vocabularyOf(Uint32Array.from(merges), 'gpt2')));
  for (const engine of [undefined, 'typescript'] as const) {
    const tokenizer = loadTokenizer(path, { engine });
    expect(tokenizer.decode([263])).toBe('__proto__');
    expect(Array.from(tokenizer.encodeBytes(Buffer.from('__')))).toEqual([256]);
  }
});

test('merges as strings, and the pre-tokenizer of GPT-2 files', () => {
  const file = smallJson();
  file.model['merges'] = (file.model['merges'] as string[][]).map((m) => m.join(' '));
  const gpt2 = { ...file, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false } };
  const tokenizer = loadTokenizer(write(gpt2));
  expect(tokenizer.split).toBe('gpt2');
  expect(Array.from(tokenizer.encode('hello hello'))).toEqual([259, 260]);
});

test('ignore_merges: a pre-token that is a token is taken whole, else by the merges only', () => {
  const unreachable: Vocabulary = { ...small, tokens: [...small.tokens, Buffer.from('xyz')], specialTokens: {} };
  for (const engine of [undefined, 'typescript'] as const) {
    expect(Array.from(loadTokenizer(unreachable, { engine }).encode('xyz'))).toEqual([120, 121, 122]);
    expect(Array.from(loadTokenizer({ ...unreachable, whole: true }, { engine }).encode('xyz'))).toEqual([261]);
  }
});

test('a byte that the vocabulary lacks gives nothing', () => {
  const tokens = small.tokens.map((t, id) => (id === 33 ? new Uint8Array(0) : t));
  for (const engine of [undefined, 'typescript'] as const)
    expect(Array.from(loadTokenizer({ ...small, tokens }, { engine }).encode('hello!hello'))).toEqual([259, 259]);
});

test('ranks: plain lines and the compact lines of npm tiktoken', () => {
  const base64 = (s: string) => Buffer.from(s).toString('base64');
  const words = ['a', 'b', 'c', 'ab', 'abc'];
  const plain = write(words.map((w, i) => `${base64(w)} ${i}\n`).join(''));
  expect(Array.from(loadTokenizer(plain, { split: 'gpt2' }).encode('abcab'))).toEqual([4, 3]);
  const compact = write({
    bpe_ranks: `! 0 ${words.slice(0, 3).map(base64).join(' ')}\n! 3 ${words.slice(3).map(base64).join(' ')}`,
  });
  const tokenizer = loadTokenizer(compact, { split: 'gpt2' });
  expect(Array.from(tokenizer.encode('abcab'))).toEqual([4, 3]);
  expect(tokenizer.endOfText).toBe(5);
});

test.each([
  { why: 'ranks without a split', content: 'YQ== 0\n', says: 'a ranks file does not say how text is split' },
  {
    why: 'a torn ranks file',
    content: 'YQ== 0\nYg=',
    split: true,
    says: 'file.json:2: this is no line of a ranks file',
  },
  { why: 'bad base64', content: 'Y*== 0\n', split: true, says: '"Y*==" is no base64' },
  { why: 'a token twice', content: 'YQ== 0\nYQ== 1\n', split: true, says: 'token "YQ==" occurs twice' },
  { why: 'an id twice', content: 'YQ== 0\nYg== 0\n', split: true, says: 'id 0 occurs twice' },
  { why: 'an id to fill the memory with', content: 'YQ== 4000000000\n', split: true, says: 'this is no line' },
  { why: 'a torn tokenizer.json', content: '{"model":', says: 'the file is no JSON' },
  { why: 'another JSON', content: '{"name":"x"}', says: 'a tokenizer.json with a byte-level BPE is expected' },
  {
    why: 'another model',
    change: { model: { type: 'Unigram', vocab: {}, merges: [] } },
    says: 'the model is a Unigram',
  },
  { why: 'a normalizer', change: { normalizer: { type: 'NFC' } }, says: 'it changes text before splitting' },
  { why: 'an unknown split', change: { pre_tokenizer: { type: 'Whitespace' } }, says: 'its split pattern is not one' },
  {
    why: 'a split that drops its matches',
    change: {
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: PUBLISHED.cl100k }, behavior: 'Removed', invert: false },
          { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
        ],
      },
    },
    says: 'its split pattern is not one',
  },
  {
    why: 'white space that is taken out before splitting',
    change: { added_tokens: [{ id: 9, content: '  ', special: false }] },
    says: 'added token 9 takes white space out of the text',
  },
  {
    why: 'a merge of three',
    change: { model: { vocab: { a: 0, aa: 1, aaa: 2 }, merges: ['a a a'] } },
    says: 'merge 1 ("a a a")',
  },
  {
    why: 'a merge of what is not there',
    change: { model: { vocab: { a: 0 }, merges: [['a', 'b']] } },
    says: 'merge 1 (["a","b"]) names a token that is not in the vocabulary',
  },
  {
    why: 'a merge that names a property of objects',
    change: { model: { vocab: { a: 0 }, merges: ['constructor a'] } },
    says: 'names a token that is not in the vocabulary',
  },
])('$why: one clear sentence', ({ content, change, split, says }) => {
  const path = write(content ?? { ...smallJson(), ...change });
  const open = () => loadTokenizer(path, split ? { split: 'gpt2' } : {});
  expect(open).toThrow(GarnerError);
  try {
    open();
  } catch (error) {
    expect((error as GarnerError).format()).toContain(says);
    expect((error as GarnerError).fault).toBe(2);
  }
});
