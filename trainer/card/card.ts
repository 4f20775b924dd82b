import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';

/** Name of the file beside the weights. */
export const CARD_FILE = 'card.json';

/** Text of one source under one licence. */
export interface SourceShare {
  source: string;
  /** As stated; null where nothing is stated. */
  licence: string | null;
  documents: number;
  tokens: number;
  /** UTF-8. */
  bytes: number;
}

/** A rule of a filter as the recipe has it: rule, signal, a threshold, and for which texts. */
export type FilterRule = Record<string, unknown>;

/** What a pretraining has read. */
export interface Corpus {
  snapshot: {
    name: string;
    key: string;
    /** Which kept documents went in, as SQL; null for all. */
    sql: string | null;
    /** Weights of sources and of SQL selections, as the recipe has them. */
    weights: unknown;
    files: { file: string; sha256: string; documents: number }[];
  } | null;
  /** Tokens in the shards by split, source and licence; an epoch shows those of `train`. */
  train: SourceShare[];
  validation: SourceShare[];
  tokenizer: { sha256: string | null; vocabulary: number | null };
  /** Documents that were read. */
  documents: number;
  filters: { kept: number; dropped: number; rules: { name: string; rules: FilterRule[] }[] } | null;
  /** Texts in which personal data was masked, and how many places. */
  masked: { documents: number; edits: number } | null;
  duplicates: { exact: number; near: number; threshold: number | null } | null;
  /** Where the text was found: addresses a crawl began with, and names of files' sources. */
  origins: string[];
}

/** A file of conversations, preferences or prompts. */
export interface DataFileShare {
  file: string;
  sha256: string;
  /** By what the records say of themselves; null where the file is not of JSON lines. */
  sources: { source: string | null; licence: string | null; records: number }[] | null;
}

/** What stands beside the weights of a checkpoint: what they were trained on. The same bytes each time; no dates, no seconds. */
export interface ModelCard {
  format: 1;
  run: string;
  stage: string;
  /** Names the run's folder in its lake: a hash of all that it depends on. */
  key: string;
  model: { parameters: number; layers: number; width: number; heads: number; vocabulary: number; context: number };
  training: {
    step: number;
    /** Of the whole run. */
    steps: number;
    /** Trained tokens up to this step. */
    tokens: number;
    /** Samples of a step: rows, pairs, prompts. */
    batch: number;
    sequence: number;
    seed: number;
    learning_rate: number;
    /** Of the first step, and the mean of the last ones [nats]. */
    loss: { first: number; last: number };
    /** Where they were measured last. */
    validation_loss: number | null;
    bits_per_byte: number | null;
    /** Further numbers as last reported: kl, accuracy … */
    metrics: Record<string, number>;
  };
  /** How the stage was asked to train, as the recipe has it. */
  settings: unknown;
  corpus: Corpus | null;
  files: DataFileShare[];
  /** What was found in the data: conversations, held out, refused … */
  counts: Record<string, number>;
  /** The cards of the models that this one came from, by the stage that made them. */
  parents: Record<string, ModelCard>;
}

/** The card beside a checkpoint's weights; null where there is none. Throws a GarnerError for a damaged one. */
export function readCard(checkpoint: string): ModelCard | null {
  const path = join(checkpoint, CARD_FILE);
  if (!existsSync(path)) return null;
  const damaged = () =>
    new GarnerError({
      what: 'the card is damaged',
      where: path,
      hint: 'train the model again to get it back',
      fault: 2,
    });
  let card: ModelCard | null;
  try {
    card = JSON.parse(readFileSync(path, 'utf8')) as ModelCard | null;
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged();
    throw explainSystemError(error, path);
  }
  if (
    card?.format !== 1 ||
    typeof card.run !== 'string' ||
    typeof card.key !== 'string' ||
    typeof card.training?.step !== 'number'
  )
    throw damaged();
  return card;
}
