import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { GarnerError } from '../../core/errors.ts';
import { parseRecipe } from '../../core/recipe/read.ts';

const schema = z.strictObject({
  name: z.string(),
  dedup: z
    .strictObject({ shingle: z.number().int().positive().default(5), threshold: z.number().min(0).max(1).default(0.8) })
    .optional(),
  tokenizer: z.strictObject({ split: z.enum(['gpt2', 'cl100k', 'o200k']), vocabulary: z.number() }).optional(),
  files: z.array(z.strictObject({ path: z.string(), type: z.enum(['jsonl', 'warc']).optional() })).optional(),
  rules: z
    .record(z.string(), z.union([z.number(), z.literal('never'), z.strictObject({ en: z.number(), zh: z.number() })]))
    .optional(),
});

const fault = (source: string): GarnerError => {
  try {
    parseRecipe('r.yaml', source, schema);
  } catch (error) {
    return error as GarnerError;
  }
  throw new Error('accepted');
};

test.each([
  {
    why: 'unknown key at the top',
    source: 'name: a\ntokeniser: {}\n',
    says: 'r.yaml:2:1: unknown key "tokeniser"',
    hint: 'did you mean "tokenizer"? (all keys: name, dedup, tokenizer, files, rules)',
  },
  {
    why: 'unknown key in a section',
    source: 'name: a\ndedup:\n  treshold: 0.8\n',
    says: 'r.yaml:3:3: unknown key "treshold" in dedup',
    hint: 'did you mean "threshold"? (all keys: shingle, threshold)',
  },
  {
    why: 'a far guess is none',
    source: 'name: a\ndedup:\n  foo: 0.8\n',
    says: 'r.yaml:3:3: unknown key "foo" in dedup',
    hint: '(all keys: shingle, threshold)',
  },
  { why: 'unknown key in a list', source: 'name: a\nfiles:\n  - path: x\n  - pth: y\n', says: 'r.yaml:4:5:', hint: '' },
  {
    why: 'a value out of its set',
    source: 'name: a\ntokenizer: { split: cl100, vocabulary: 8 }\n',
    says: 'r.yaml:2:21: tokenizer.split: "cl100" is not one of its values',
    hint: 'all values: gpt2, cl100k, o200k',
  },
  { why: 'a missing key', source: 'dedup: {}\n', says: 'r.yaml:1:1: name is missing', hint: '' },
  {
    why: 'a wrong type',
    source: 'name: a\ndedup:\n  threshold: high\n',
    says: 'r.yaml:3:14: dedup.threshold: ',
    hint: '',
  },
  {
    why: 'out of range',
    source: 'name: a\ndedup:\n  threshold: 2\n',
    says: 'r.yaml:3:14: dedup.threshold: ',
    hint: '',
  },
  {
    why: 'a wrong member of a union',
    source: 'name: a\nrules:\n  short: off\n',
    says: 'r.yaml:3:10: rules.short: ',
    hint: '',
  },
  {
    why: 'an unknown key in a member of a union',
    source: 'name: a\nrules:\n  short: { en: 1, zh: 2, fr: 3 }\n',
    says: 'r.yaml:3:26: unknown key "fr"',
    hint: 'en, zh',
  },
  { why: 'YAML that is none', source: 'name: [a\n', says: 'r.yaml:', hint: 'not valid YAML' },
  { why: 'a key twice', source: 'name: a\nname: b\n', says: 'r.yaml:2:1:', hint: '' },
  { why: 'nothing at all', source: '', says: 'r.yaml:1:1: name is missing', hint: '' },
  { why: 'a list in place of a recipe', source: '- a\n', says: 'r.yaml:1:1: the recipe: ', hint: '' },
])('$why: one sentence with its place', ({ source, says, hint }) => {
  const error = fault(source);
  expect(error).toBeInstanceOf(GarnerError);
  expect(error.message).toContain(says);
  expect(error.hint ?? '').toContain(hint);
  expect(error.fault).toBe(2);
});

test('defaults are filled in, and YAML keeps words as words', () => {
  expect(parseRecipe('r.yaml', 'name: no\ndedup: {}\n', schema)).toEqual({
    name: 'no',
    dedup: { shingle: 5, threshold: 0.8 },
  });
});

test('an alias bomb is refused', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefgh'.split('').map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
  ].join('\n');
  expect(() => parseRecipe('r.yaml', bomb, schema)).toThrow();
});

describe('YAML of every wrong kind is one sentence', () => {
  const many = (n: number, f: (i: number) => string) => Array.from({ length: n }, (_, i) => f(i)).join('');
  const cases: Record<string, [string, RegExp]> = {
    tabs: ['name: a\n\tfiles: []\n', /r\.yaml:2:1: Tabs are not allowed/],
    'an unknown anchor': ['name: *x\n', /alias .* has no anchor .*x/i],
    'a merge key': ['name: a\ndedup:\n  <<: { threshold: 0.9 }\n', /r\.yaml:3:3: unknown key "<<" in dedup/],
    'two documents': ['name: a\n---\nname: b\n', /r\.yaml:2:1: a second document begins here/],
    'a key twice': ['name: a\nname: b\n', /r\.yaml:2:1: the same key stands there twice/],
    'nesting without end': [`name: ${'['.repeat(10_000)}${']'.repeat(10_000)}\n`, /nested too deeply/],
    'blocks without end': [`name:${many(3000, (i) => `\n${' '.repeat(i + 1)}a:`)}\n`, /nested too deeply|at most/],
    'a million laughs': [
      `a: &a [x,x,x,x,x,x,x,x,x]\n${many(9, (i) => `${'bcdefghij'[i]}: &${'bcdefghij'[i]} [${Array(9).fill(`*${'abcdefghij'[i]}`).join(',')}]\n`)}`,
      /aliases .* multiply/,
    ],
    'an alias of itself': ['name: &n [*n]\n', /./],
    'five megabytes': [`name: a\n#${'x'.repeat(5_000_000)}\n`, /at most 1000000 are read/],
    'a tag': ['name: !!js/function "x"\n', /r\.yaml:1:7: Unresolved tag/],
    'a number as a string': ['name: a\ndedup: { threshold: "0.8" }\n', /expected number, received string/],
    'a string as a number': ['name: 12\n', /expected string, received number/],
    'a key __proto__': ['name: a\n__proto__: { dedup: {} }\n', /unknown key "__proto__"/],
    'a key __proto__ in a section': [
      'name: a\ndedup: { __proto__: { threshold: 9 } }\n',
      /r\.yaml:2:10: unknown key "__proto__"/,
    ],
    'a key constructor': ['name: a\ndedup: { constructor: 1 }\n', /unknown key "constructor" in dedup/],
    'an unknown key below __proto__': [
      'name: a\nrules: { __proto__: { nope: 1 } }\n',
      /r\.yaml:2:10: unknown key "__proto__"/,
    ],
    'an empty key': ['name: a\n? \n: x\n', /r\.yaml:2:3: unknown key ""/],
    'a map as a key': ['name: a\n? { b: 1 }\n: x\n', /unknown key/],
    'a list': ['- a\n', /expected object, received array/],
    nothing: ['', /name is missing/],
    infinity: ['name: a\ndedup: { threshold: .inf }\n', /expected number|Too big/],
    'an open quote': ['name: "a\n', /r\.yaml:2:1: Missing closing/],
  };
  for (const [name, [source, says]] of Object.entries(cases))
    test(name, () => {
      const error = fault(source);
      expect(error).toBeInstanceOf(GarnerError);
      expect(error.message.split('\n')).toHaveLength(1);
      expect(error.message.length).toBeLessThan(300);
      expect([error.message, error.fault]).toEqual([expect.stringMatching(says) as string, 2]);
    });

  test('a byte order mark and Windows line ends are no fault', () => {
    expect(parseRecipe('r.yaml', '\uFEFFname: a\r\ndedup:\r\n  threshold: 0.9\r\n', schema)).toEqual({
      name: 'a',
      dedup: { shingle: 5, threshold: 0.9 },
    });
  });
});
