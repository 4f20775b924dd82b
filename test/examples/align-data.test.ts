import { expect, test } from 'vitest';
import { makeAlignFiles } from '../../examples/align/data.ts';
import { allRequests } from '../../examples/align/requests.ts';
import { dealtPairs, nearMiss, question, sentence } from '../../examples/align/sums.ts';
import { randomFrom } from '../../examples/sample-site/random.ts';
import { isRefusal, conversationOf, preferenceOf, promptOf } from '../../trainer/data/shapes.ts';

const files = makeAlignFiles(1);
const place = { source: 'made', location: 'made:1' };
const numbersOf = (text: string) => text.match(/\d+/g)!.map(Number);

/** The pairs of numbers that a text asks for or adds, both orders alike. */
const pairsIn = (text: string) =>
  [...text.matchAll(/(\d+) (?:\+|加) (\d+)/g)].map(([, a, b]) =>
    [Number(a), Number(b)].toSorted((x, y) => x - y).join(),
  );

test('the same seed makes the same data, another seed other data', () => {
  expect(makeAlignFiles(1)).toEqual(files);
  expect(makeAlignFiles(2).sums[0]).not.toEqual(files.sums[0]);
});

test('what is tested is in no training, in neither order', () => {
  const pairs = dealtPairs(1);
  expect(pairs.train.length + pairs.test.length).toBe(10_000);
  expect(pairs.test.length).toBeGreaterThan(1000);
  const trained = new Set(
    [files.sums, files.conversations, files.preferences, files.prompts].flatMap((f) => pairsIn(JSON.stringify(f))),
  );
  expect(trained.size).toBeGreaterThan(3500);
  const tested = pairsIn(JSON.stringify(files.test));
  expect(tested.length).toBeGreaterThanOrEqual(500);
  expect(tested.filter((p) => trained.has(p))).toEqual([]);
  const asked = new Set(
    files.conversations
      .map((c) => JSON.stringify(c['messages']))
      .join('\n')
      .match(/[^"]+/g),
  );
  const requests = files.test.filter((t) => t['answer'] === undefined);
  expect(requests.length).toBeGreaterThan(30);
  expect(requests.filter((r) => asked.has((r['prompt'] as { content: string }[])[0]!.content))).toEqual([]);
});

test('every line is a record of its kind, and every sum is right where it should be', () => {
  for (const [list, shape] of [
    [files.conversations, conversationOf],
    [files.preferences, preferenceOf],
    [[...files.prompts, ...files.test], promptOf],
  ] as const)
    expect(list.filter((line) => isRefusal(shape(line, place) as object))).toEqual([]);
  for (const { text } of files.sums)
    for (const line of (text as string).split('\n')) {
      const [c, b, a] = numbersOf(line).toReversed();
      expect(a! + b!).toBe(c);
    }
  for (const { source, prompt, chosen, rejected } of files.preferences) {
    if (source === 'refusals') continue;
    const [a, b] = numbersOf((prompt as { content: string }[])[0]!.content);
    expect(numbersOf(chosen as string).at(-1)).toBe(a! + b!);
    const same = numbersOf(rejected as string).at(-1) === a! + b!;
    expect([source, same]).toEqual([source, source === 'styles']);
  }
});

test('both languages are there in equal number, and only files that may be shipped', () => {
  const chinese = files.sums.filter((s) => s['language'] === 'zh').length;
  expect(chinese).toBe(files.sums.length / 2);
  expect(new Set(files.conversations.map((c) => c['source']))).toEqual(
    new Set(['sums', 'refusals', 'self-instruct-seed', 'self-instruct-user', 'belle-seed-chinese']),
  );
  const requests = allRequests();
  expect(new Set(requests.map((r) => r.text)).size).toBe(requests.length);
  expect(requests.every((r) => r.polite !== (r.rude as string))).toBe(true);
});

test('a near miss is never right, and forgets a carry now and then', () => {
  const random = randomFrom(3, 'test');
  const wrong = Array.from({ length: 500 }, () => nearMiss([47, 38], random));
  expect(wrong).not.toContain(85);
  expect(new Set(wrong)).toEqual(new Set([84, 86, 75, 95]));
  expect(question([4, 5], 'zh') + sentence([4, 5], 'zh')).toBe('4 加 5 等于多少？4 加 5 等于 9。');
  expect(nearMiss([0, 0], random)).toBeGreaterThan(0);
});
