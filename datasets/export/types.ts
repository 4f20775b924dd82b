import type { ExportFile } from './file.ts';

/** The two parts of a snapshot, in the order in which they are written. */
export const SPLITS = ['train', 'validation'] as const;
export type Split = (typeof SPLITS)[number];

/** A document as a format's writer gets it; one with `repeats` n comes n times in a row. */
export interface ExportDocument {
  id: string;
  /** UTF-8 of the edited text; null where the format takes tokens. */
  text: Uint8Array | null;
  /** Its tokens without the one that ends a document; null where the format takes text. */
  tokens: Uint16Array | Uint32Array | null;
  /** Length of the text [bytes of UTF-8]. */
  bytes: number;
}

/** What a format must know of the tokenizer. */
export interface TokenizerFacts {
  /** SHA-256 of its tokenizer.json. */
  sha256: string;
  /** Rows of an embedding, special tokens included. */
  vocabulary: number;
  /** The token that ends a document. */
  endOfText: number;
}

export interface FormatOptions {
  /** The snapshot's name, for files that carry it. */
  name: string;
  tokenizer: TokenizerFacts | null;
  /** Tokens in a sample, for formats that cut. */
  sequence: number | null;
  compression: 'none' | 'zstd';
  /** Tokens in a shard of llm.c. */
  shardTokens: number;
  /** Bytes in a shard of MDS and of nanochat; null for what their own writers take. */
  shardBytes: number | null;
  /** Documents that each split shows, as the snapshot states them: a hint, for sizes. */
  shown: Record<Split, number>;
}

/** Makes a file of the export; `name` is its path in the folder. */
export type CreateFile = (name: string) => ExportFile;

/** Writes one split. */
export interface SplitWriter {
  add(document: ExportDocument): void | Promise<void>;
  /** Ends the split; whole numbers that belong in its counts, e.g. `skipped_empty`. */
  close(): Record<string, number> | Promise<Record<string, number>>;
}

/** A file format that others read. */
export interface Format {
  /** One line for people. */
  about: string;
  needs: 'tokens' | 'text';
  /** Bytes a token takes in the files, from the size of the vocabulary; throws a GarnerError where it does not fit. */
  width?(vocabulary: number): 2 | 4;
  /** Called once an export; the function it gives is called once a split, train first. */
  open(create: CreateFile, options: FormatOptions): (split: Split) => SplitWriter;
}
