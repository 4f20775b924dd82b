import { describe, expect, test } from 'vitest';
import { FILTERS } from '../../filters/index.ts';
import { judge, type Filter } from '../../filters/rules.ts';
import { prepare, type WordRule } from '../../filters/text.ts';
import { goldenTexts, type GoldenText } from './golden.ts';

const english = goldenTexts('english');
const others = goldenTexts('other-languages');

/** Texts whose first dropping rule is not datatrove's. Where that crashed there is no verdict. */
function differing(filter: Filter, texts: readonly GoldenText[], words: WordRule) {
  const want = (t: GoldenText) => t[words === 'simple' ? 'verdictsSimple' : 'verdicts'][filter.name];
  const judged = texts.filter((t) => want(t) && want(t)!.keep !== null);
  const wrong = judged
    .map((t) => {
      const text = prepare(t.text, { words, language: t.lang });
      const dropped = judge(filter.rules, filter.measure(text), t.lang).find((v) => !v.keep);
      return { id: t.id, got: dropped?.rule ?? null, want: want(t)!.reason };
    })
    .filter(({ got, want: reason }) => got !== reason);
  return { judged: judged.length, wrong };
}

describe.skipIf(!english)('datatrove’s verdicts on English texts, reason included', () => {
  const filters = FILTERS.filter((f) => english?.[0]?.verdicts[f.name]).map((f) => [f.name, f] as const);
  test.each(filters)('%s, plain words: every one', (_name, filter) => {
    const { judged, wrong } = differing(filter, english!, 'simple');
    expect(judged).toBeGreaterThan(1000);
    expect(wrong).toEqual([]);
  });
  test.each(filters)('%s, words by spaCy’s rules: 99 in 100', (_name, filter) => {
    const { judged, wrong } = differing(filter, english!, 'spacy');
    expect(judged).toBeGreaterThan(1000);
    expect(wrong.length / judged).toBeLessThan(0.01);
  });
});

describe.skipIf(!others)('verdicts with FineWeb-2’s numbers', () => {
  const filters = FILTERS.filter((f) => others?.[0]?.verdicts[f.name]).map((f) => [f.name, f] as const);
  test.each(filters)('%s, plain words: every one in five languages', (_name, filter) => {
    const { judged, wrong } = differing(filter, others!, 'simple');
    expect(judged).toBe(others!.length);
    expect(wrong).toEqual([]);
  });
  test.each(filters)('%s, Chinese by jieba: every one', (_name, filter) => {
    const chinese = others!.filter((t) => t.lang === 'zh');
    const { judged, wrong } = differing(filter, chinese, 'spacy');
    expect(judged).toBeGreaterThan(70);
    expect(wrong).toEqual([]);
  });
  test.each(filters)('%s, the others by spaCy’s rules: 97 in 100', (_name, filter) => {
    const { judged, wrong } = differing(filter, others!, 'spacy');
    expect(wrong.length / judged).toBeLessThan(0.03);
  });
});

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
