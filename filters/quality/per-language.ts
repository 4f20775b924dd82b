import type { Rule } from '../rules.ts';
import { FINEWEB2, type LanguageNumbers } from './fineweb2.ts';

/**
 * The rows of one rule: FineWeb-2's number for each language it was worked out for, then the published one for English and
 * all others. `number` gives null where FineWeb-2 switches the rule off.
 */
export function perLanguage<S extends string>(
  rule: Rule<S> & ({ below: number } | { above: number }),
  number: (numbers: LanguageNumbers) => number | null,
): Rule<S>[] {
  const side = 'below' in rule ? 'below' : 'above';
  const special = Object.entries(FINEWEB2).map(([language, numbers]) => {
    const threshold = number(numbers);
    const test = threshold === null ? { never: true } : { [side]: threshold };
    return { rule: rule.rule, signal: rule.signal, when: { language }, ...test } as Rule<S>;
  });
  return [...special, rule];
}
