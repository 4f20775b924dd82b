import { writeFile } from 'node:fs/promises';

/** 2 bytes a token up to this vocabulary, else 4. */
const MOST_FOR_TWO_BYTES = 65_536;

export type TokenArray = Uint16Array | Uint32Array;

/** What a shard says of itself, beside its tokens. */
export interface ShardFacts {
  tokens: number;
  documents: number;
  /** UTF-8 bytes of the texts, which bits per byte are reckoned by. */
  bytes: number;
  /** Rows of an embedding, special tokens included. */
  vocabulary: number;
  /** SHA-256 of the tokenizer.json. */
  tokenizer: string;
}

/** The prefix of garner's keys in a shard's Arrow metadata. */
export const METADATA = 'garner.';

/** An array that grows: tokens of one shard. */
export function openTokens(vocabulary: number): { append(ids: Uint32Array): void; take(): TokenArray; length: number } {
  const empty = (n: number): TokenArray => (vocabulary <= MOST_FOR_TWO_BYTES ? new Uint16Array(n) : new Uint32Array(n));
  let held = empty(1 << 16);
  const tokens = {
    length: 0,
    append(ids: Uint32Array) {
      if (tokens.length + ids.length > held.length) {
        const more = empty(Math.max(2 * held.length, tokens.length + ids.length));
        more.set(held.subarray(0, tokens.length));
        held = more;
      }
      held.set(ids, tokens.length);
      tokens.length += ids.length;
    },
    take() {
      const all = held.subarray(0, tokens.length);
      held = empty(1 << 16);
      tokens.length = 0;
      return all;
    },
  };
  return tokens;
}

/** Writes a shard: an Arrow IPC file with one flat column `tokens` in one record batch; the same tokens give the same bytes. */
export async function writeShard(path: string, tokens: TokenArray, facts: ShardFacts): Promise<void> {
  const arrow = await import('apache-arrow');
  const type = tokens instanceof Uint16Array ? new arrow.Uint16() : new arrow.Uint32();
  const metadata = new Map(Object.entries(facts).map(([name, value]) => [METADATA + name, String(value)]));
  const schema = new arrow.Schema([new arrow.Field('tokens', type, false)], metadata);
  const column = arrow.makeData({ type, length: tokens.length, data: tokens } as Parameters<typeof arrow.makeData>[0]);
  const batch = new arrow.RecordBatch(
    schema,
    arrow.makeData({ type: new arrow.Struct(schema.fields), length: tokens.length, children: [column] }),
  );
  await writeFile(path, arrow.tableToIPC(new arrow.Table(schema, [batch]), 'file'));
}
