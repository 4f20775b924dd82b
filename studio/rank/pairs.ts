import { keyOf } from '../../core/hash.ts';
import type { Judgement, Preference, Turn } from '../../core/records/index.ts';

/** A pair as `garner rank export --format pairs` writes it and `import` reads it. */
export interface PairLine {
  id: string;
  source: string;
  prompt: Turn[];
  chosen: string;
  rejected: string;
  judge: string;
  /** ISO 8601. */
  at: string;
  /** The judgement it comes from. */
  judgement: string;
}

const SOURCE = 'rank';
/** The session of judgements that came from a file. */
const IMPORTED = 'import';

/** The judgements that stand: retractions applied, skips and retractions themselves left out. */
export async function standing(lines: AsyncIterable<Judgement>): Promise<Judgement[]> {
  const kept = new Map<string, Judgement>();
  const retracted = new Set<string>();
  for await (const line of lines) {
    if (line.verdict === 'retract') retracted.add(line.retracts ?? '');
    else if (line.verdict !== 'skip') kept.set(line.id, line);
  }
  return [...kept.values()].filter((j) => !retracted.has(j.id));
}

/**
 * The pairs of a judgement: each answer of a better group with each of a worse one. The best of four gives three pairs, a
 * full ranking of four gives six; a tie, all bad and a skip give none, nor do two answers with the same text.
 */
export function pairsOf(j: Judgement): PairLine[] {
  if (j.verdict !== 'ranked') return [];
  const answers = new Map(j.candidates.map((c) => [c.id, c.answer]));
  const found: [string, string][] = [];
  for (const [i, better] of j.order.entries())
    for (const worse of j.order.slice(i + 1).flat()) for (const best of better) found.push([best, worse]);
  const texts = found
    .map(([best, worse]) => [answers.get(best), answers.get(worse)] as const)
    .filter((t): t is [string, string] => t[0] !== undefined && t[1] !== undefined && t[0] !== t[1]);
  return texts.map(([chosen, rejected], i) => ({
    // A single pair bears the judgement's own name, so that it is known again after a way through a file.
    id: texts.length === 1 ? j.id : `${j.id}-${i + 1}`,
    source: SOURCE,
    prompt: j.prompt,
    chosen,
    rejected,
    judge: j.judge,
    at: j.at,
    judgement: j.id,
  }));
}

/** What a lake knows already, so that a file can be read twice. */
export interface Known {
  has(id: string): boolean;
  add(line: Judgement): void;
}

/** Ids of judgements, of the pairs they give, and of those from which imported pairs came. */
export function openKnown(): Known {
  const ids = new Set<string>();
  return {
    has: (id) => ids.has(id),
    add(line) {
      ids.add(line.id);
      for (const pair of pairsOf(line)) ids.add(pair.id);
      // Pairs came without their judgement: the whole judgement must not count once more.
      if (line.session === IMPORTED && line.task.startsWith(`${IMPORTED}:`)) ids.add(`whole:${line.task.slice(7)}`);
    },
  };
}

/** Whether a whole judgement is new: neither itself nor its pairs are there. */
export const isNew = (known: Known, line: Judgement): boolean => !known.has(line.id) && !known.has(`whole:${line.id}`);

/** An id as the journal keeps it, the same for the same one. */
const shortId = (id: string): string => (id.length > 150 ? keyOf(id) : id.toWellFormed());

/** A pair of a file as a judgement of two answers; its id is the pair's. */
export function judgementOfPair(pair: Preference, now: number): Judgement {
  const id = shortId(pair.id);
  const [chosen, rejected] = [`${id}-chosen`, `${id}-rejected`];
  const candidate = (name: string, answer: string) => ({
    id: name,
    run: null,
    checkpoint: null,
    answer,
    sampling: null,
    finish: null,
  });
  return {
    id,
    at: new Date(pair.at ?? now).toISOString(),
    judge: pair.judge ?? pair.source,
    session: IMPORTED,
    task: `${IMPORTED}:${shortId(pair.judgement ?? pair.id)}`,
    prompt_id: id,
    prompt: pair.prompt,
    candidates: [candidate(chosen, pair.chosen), candidate(rejected, pair.rejected)],
    // Nobody knows how they stood.
    shown: [],
    verdict: 'ranked',
    order: [[chosen], [rejected]],
    retracts: null,
    comment: null,
    ms: null,
    guideline: null,
  };
}
