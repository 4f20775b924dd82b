import { defineFilter } from '../rules.ts';
import { CERTAIN } from './identify.ts';

/** Which language it is written in, and how sure that is. Other filters take their numbers by `rules_language`. */
export const language = defineFilter({
  name: 'language',
  version: 1,
  about: 'Which language is it in: the label of fastText’s lid.176, over the beginning and the middle of the text.',
  source: 'Joulin et al. 2016, arXiv:1607.01759; the score that FineWeb keeps from, arXiv:2406.17557',
  needs: ['language'],
  signals: {
    language: { label: 'identified language, ISO 639-1 (639-3 where there is none)' },
    score: 'probability that the model gives it [0 to 1]',
    rules_language: { label: 'language whose words and thresholds the other filters took' },
  },
  measure(text) {
    const { identified } = text;
    return { language: identified?.language ?? null, score: identified?.score ?? null, rules_language: text.language };
  },
  rules: [
    { rule: 'other_language', key: 'keep', signal: 'language', never: true, takes: 'notIn' },
    { rule: 'unsure_language', key: 'min_score', signal: 'score', below: CERTAIN },
  ],
});
