import { expect, test } from 'vitest';
import { codeUnits, countGrams, countKinds, simpleWords } from '../../../core/text/index.ts';

const grams = (text: string) => {
  const units = codeUnits(text);
  const words = countKinds(text, units, simpleWords(units));
  return {
    top: (n: number) => countGrams(units, words, [n], []).top[0],
    repeated: (n: number) => countGrams(units, words, [], [n]).repeated[0],
    all: () => countGrams(units, words, [2, 3, 4], [5, 6, 7, 8, 9, 10]),
  };
};

/** datatrove's loops over strings, word for word. */
function plainly(words: string[]) {
  return {
    top(n: number): number | null {
      const counts = new Map<string, number>();
      for (let i = 0; i + n <= words.length; i++) {
        const gram = words.slice(i, i + n).join(' ');
        counts.set(gram, (counts.get(gram) ?? 0) + 1);
      }
      let best: [string, number] | undefined;
      for (const entry of counts) if (!best || entry[1] > best[1]) best = entry;
      return best ? Array.from(best[0]).length * best[1] : null;
    },
    repeated(n: number): number {
      const seen = new Set<string>();
      let characters = 0;
      for (let i = 0; i + n <= words.length;) {
        const gram = words.slice(i, i + n).join('');
        if (seen.has(gram)) {
          characters += Array.from(gram).length;
          i += n;
        } else {
          seen.add(gram);
          i++;
        }
      }
      return characters;
    },
  };
}

test.each([
  ['a a a a', 2, 9],
  ['Hello world.', 2, 11],
  ['one', 2, null],
  ['x y z x y q q x', 2, 6],
])('the commonest n-gram of "%s"', (text, n, characters) => {
  expect(grams(text).top(n)).toBe(characters);
});

test('words are alike when their characters are, whatever their borders', () => {
  expect(grams('ab c d e f - a bc d e f').repeated(5)).toBe(6);
  expect(grams('ab c d e f - a bd d e f').repeated(5)).toBe(0);
});

test('numbers in place of strings give the same sums, on texts that repeat a lot', () => {
  let seed = 7;
  const random = (below: number) => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) % below;
  for (let round = 0; round < 300; round++) {
    const parts = ['a', 'b', 'ab', 'ba', 'aab', '🙂', 'é', 'x'].slice(0, 2 + random(7));
    const words = Array.from({ length: random(120) }, () => parts[random(parts.length)]!);
    const got = grams(words.join(' '));
    const want = plainly(words.flatMap((w) => (w.includes('🙂') ? Array.from(w) : [w])));
    expect({ round, ...got.all() }).toEqual({
      round,
      top: [2, 3, 4].map((n) => want.top(n)),
      repeated: [5, 6, 7, 8, 9, 10].map((n) => want.repeated(n)),
    });
  }
});
