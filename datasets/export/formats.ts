import { llmC } from './formats/llm-c.ts';
import { mdsText, mdsTokens } from './formats/mds.ts';
import { megatron } from './formats/megatron.ts';
import { nanochat } from './formats/nanochat.ts';
import { nanogpt } from './formats/nanogpt.ts';
import type { TableFormat } from './tables.ts';
import type { Format } from './types.ts';

/** Every format that `garner export` writes. */
export const FORMATS = ['megatron', 'llm.c', 'nanogpt', 'nanochat', 'mds', 'parquet', 'jsonl'] as const;
export type FormatName = (typeof FORMATS)[number];

/** True for the formats that are tables of documents: DuckDB writes them. */
export const isTable = (name: FormatName): name is TableFormat => name === 'parquet' || name === 'jsonl';

/** The writer of a format; MDS has tokens where a sequence length is given, else text. */
export function formatOf(name: Exclude<FormatName, TableFormat>, sequence: number | null): Format {
  if (name === 'mds') return sequence === null ? mdsText : mdsTokens;
  return { megatron, 'llm.c': llmC, nanogpt, nanochat }[name];
}
