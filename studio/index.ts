// The door of the studio: local pages over a lake, the ranking page first.
export { krippendorff, wilson } from './rank/agreement.ts';
export { compact, readJudgements } from './rank/journal.ts';
export { openRanking } from './rank/open.ts';
export { pairsOf, standing } from './rank/pairs.ts';
export type { Agreement, Share } from './rank/agreement.ts';
export type { Ranking, RankingOptions } from './rank/open.ts';
