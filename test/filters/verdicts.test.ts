import { describe, expect, test } from 'vitest';
import { FILTERS } from '../../filters/index.ts';
import { judge } from '../../filters/rules.ts';
import { prepare } from '../../filters/text.ts';
import { goldenTexts } from './golden.ts';

const english = goldenTexts('english');

describe.skipIf(!english)('datatrove’s verdicts on English texts', () => {
  const judged = FILTERS.filter((f) => english?.[0]?.verdictsSimple[f.name]);
  test.each(judged.map((f) => [f.name, f] as const))('%s, plain words: every reason', (name, filter) => {
    const wrong = english!
      .filter((t) => t.verdictsSimple[name]!.keep !== null)
      .map((t) => {
        const text = prepare(t.text, { words: 'simple', language: 'en' });
        const dropped = judge(filter.rules, filter.measure(text), 'en').find((v) => !v.keep);
        return { id: t.id, got: dropped?.rule ?? null, want: t.verdictsSimple[name]!.reason };
      })
      .filter(({ got, want }) => got !== want);
    expect(wrong).toEqual([]);
  });
});
