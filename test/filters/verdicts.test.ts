import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../core/hash.ts';
import { asset } from '../../core/root.ts';
import { FILTERS, findFilter } from '../../filters/index.ts';
import { judge, type Filter } from '../../filters/rules.ts';
import { prepare, WORD_RULES, type WordRule } from '../../filters/text.ts';
import { sharedData } from '../shared.ts';
import { goldenTexts, type GoldenText } from './golden.ts';

const SETS = ['english', 'other-languages'] as const;

/** Shares of verdicts equal to datatrove's, reason included: they may rise and never fall unseen. */
const { verdicts: floors } = JSON.parse(readFileSync(asset('bench/floors.json'), 'utf8')) as {
  verdicts: Record<(typeof SETS)[number], { sha256: string } & Record<WordRule, Record<string, number>>>;
};

/** Texts whose first dropping rule is not datatrove's. Where that crashed there is no verdict. */
function differing(filter: Filter, texts: readonly GoldenText[], words: WordRule) {
  const want = (t: GoldenText) => t[words === 'simple' ? 'verdictsSimple' : 'verdicts'][filter.name]!;
  const judged = texts.filter((t) => want(t).keep !== null);
  const wrong = judged
    .map((t) => {
      const text = prepare(t.text, { words, language: t.lang });
      const dropped = judge(filter.rules, filter.measure(text), t.lang).find((v) => !v.keep);
      return { id: t.id, got: dropped?.rule ?? null, want: want(t).reason };
    })
    .filter(({ got, want: reason }) => got !== reason);
  return { judged: judged.length, wrong };
}

describe.each(SETS.map((set) => [set]))('datatrove’s verdicts, reason included: %s', (set) => {
  const texts = goldenTexts(set);
  test.skipIf(!texts)('the data that the floors were measured on', () => {
    expect(sha256(readFileSync(sharedData(`filters/${set}.jsonl.gz`)!))).toBe(floors[set].sha256);
  });
  const cases = WORD_RULES.flatMap((words) =>
    Object.entries(floors[set][words]).map(([name, floor]) => [name, words, floor] as const),
  );
  test.skipIf(!texts).each(cases)('%s, words: %s, %d', (name, words, floor) => {
    const { judged, wrong } = differing(findFilter(name)!, texts!, words);
    expect(judged).toBeGreaterThanOrEqual(texts!.length - 1);
    if (floor === 1) expect(wrong).toEqual([]);
    expect(1 - wrong.length / judged).toBeGreaterThanOrEqual(floor);
  });
});

const chinese = goldenTexts('other-languages')?.filter((t) => t.lang === 'zh');

test.skipIf(!chinese).each(Object.keys(floors['other-languages'].spacy))('%s, Chinese by jieba: every one', (name) => {
  const { judged, wrong } = differing(findFilter(name)!, chinese!, 'spacy');
  expect(judged).toBeGreaterThan(70);
  expect(wrong).toEqual([]);
});

const english = goldenTexts('english');

describe.skipIf(!english)('the lines that C4 keeps', () => {
  test.each(FILTERS.filter((f) => /^c4(_fineweb|_sentences)?$/.test(f.name)).map((f) => [f.name, f] as const))(
    '%s counts every line as datatrove does',
    (name, filter) => {
      const whole = english!.filter((t) => t.verdictsSimple[name]!.keep);
      expect(whole.length).toBeGreaterThan(500);
      for (const t of whole) {
        const signals = filter.measure(prepare(t.text, { words: 'simple', language: 'en' }));
        const { total, kept, ...lost } = t.verdictsSimple[name]!.lines!;
        const want = Object.fromEntries(Object.entries(lost).map(([k, n]) => [k.replace('filter-', ''), n]));
        expect({ id: t.id, ...signals }).toMatchObject({ id: t.id, lines: total, lines_kept: kept ?? 0, ...want });
      }
    },
  );
});
