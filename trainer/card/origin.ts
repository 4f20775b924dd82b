import { basename, join } from 'node:path';
import { linesOf, readBytes } from '../../core/files.ts';
import { only, type Inputs } from '../../core/stage/index.ts';
import { corpusOf } from './corpus.ts';
import { readCard, type DataFileShare, type ModelCard } from './card.ts';

/** The part of a card that is known before the first step. */
export type Origin = Pick<ModelCard, 'stage' | 'settings' | 'corpus' | 'files' | 'parents'>;

/** A training as far as a card looks at it. */
interface Described {
  stage: string;
  params: object;
  /** Checkpoint whose weights it starts from; null for weights from the seed. */
  weights: string | null;
}

/** Settings that change no result, or stand elsewhere in a card. */
const ELSEWHERE = ['name', 'data', 'prompts', 'threads', 'ranks', 'parallel', 'checkpoint', 'sample'];

/** What a training comes from. The corpus stands on the card of the model that has read it, and on no later one again. */
export async function originOf(lake: string, inputs: Inputs, { stage, params, weights }: Described): Promise<Origin> {
  const parents: Record<string, ModelCard> = {};
  for (const checkpoint of [weights, rewardModelOf(lake, inputs, params)]) {
    const card = checkpoint === null ? null : readCard(checkpoint);
    if (card) parents[card.stage] = card;
  }
  const settings = Object.fromEntries(
    Object.entries(params)
      .filter(([name]) => !ELSEWHERE.includes(name))
      .map(([name, value]) => [name, isFile(value) ? { name: basename(value.path), sha256: value.sha256 } : value]),
  );
  const named = Object.entries(params)
    .filter(([name]) => name === 'data' || name === 'prompts')
    .flatMap(([, value]) => [value as unknown].flat())
    .filter(isFile);
  return {
    stage,
    settings,
    corpus: stage === 'pretrain' ? await corpusOf(lake, inputs) : null,
    files: await Promise.all(named.map(shareOf)),
    parents,
  };
}

interface DataFile {
  path: string;
  sha256: string;
}

/** The checkpoint whose scores are among the rewards of a training. */
function rewardModelOf(lake: string, inputs: Inputs, params: { rewards?: readonly { name: string }[] }): string | null {
  if (!params.rewards?.some((r) => r.name === 'model')) return null;
  const checkpoint = only(inputs, 'reward')?.facts['checkpoint'];
  return typeof checkpoint === 'string' ? join(lake, checkpoint) : null;
}

/** A file or folder by path and content; a card says its name, and nothing of the machine. */
const isFile = (value: unknown): value is DataFile =>
  typeof (value as Partial<DataFile> | null)?.sha256 === 'string' &&
  typeof (value as Partial<DataFile> | null)?.path === 'string';

/** Longer lines are counted and not read [bytes]. */
const LONGEST_LINE = 4 << 20;

/** Sources that are told apart; the rest are counted together. */
const MOST_SOURCES = 100;

async function shareOf({ path, sha256 }: DataFile): Promise<DataFileShare> {
  const file = basename(path);
  if (!/\.(?:jsonl|ndjson|json)(?:\.gz)?$/i.test(file)) return { file, sha256, sources: null };
  const found = new Map<string, { source: string | null; licence: string | null; records: number }>();
  for await (const { text } of linesOf(readBytes(path), LONGEST_LINE)) {
    if (text.trim() === '') continue;
    let { source, licence } = ownWords(text);
    if (found.size >= MOST_SOURCES && !found.has(JSON.stringify([source, licence]))) [source, licence] = [null, null];
    const key = JSON.stringify([source, licence]);
    const share = found.get(key) ?? { source, licence, records: 0 };
    share.records++;
    found.set(key, share);
  }
  const sources = [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, share]) => share);
  return { file, sha256, sources };
}

/** What a record says of where it is from. */
function ownWords(line: string): { source: string | null; licence: string | null } {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    record = null;
  }
  const { source, licence, license } = Object(record) as Record<string, unknown>;
  const word = (value: unknown) => (typeof value === 'string' && value !== '' ? value.slice(0, 200) : null);
  return { source: word(source), licence: word(licence) ?? word(license) };
}
