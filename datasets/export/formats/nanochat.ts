import { textParquet } from '../text-parquet.ts';
import type { Format } from '../types.ts';

/** Text of a shard [bytes], and documents of a row group: about those of nanochat's own repackaging. */
const SHARD_BYTES = 250_000_000;
const GROUP = 1024;
/** nanochat's ranks take row groups in turn, and one that finds none waits for ever: small splits get this many. */
const GROUPS = 64;

/**
 * nanochat's shards of text: `shard_00000.parquet` … with a column `text`. Its loader takes the last file for validation
 * and tokenises with its own tokenizer.
 */
export const nanochat: Format = {
  about: 'nanochat: Parquet shards of text, the last one is validation',
  needs: 'text',
  open: (create, { shown, shardBytes }) => {
    let shards = 0;
    return (split) => {
      const first = shards;
      const group = Math.max(1, Math.min(GROUP, Math.ceil(shown[split] / GROUPS)));
      const open = () => textParquet(create(`shard_${String(shards++).padStart(5, '0')}.parquet`), group);
      let current = open();
      return {
        async add(document) {
          // A split may have many training shards; validation has to fit the last one.
          if (split === 'train' && current.bytes >= (shardBytes ?? SHARD_BYTES)) {
            await current.close();
            current = open();
          }
          await current.add(document.text!);
        },
        async close() {
          await current.close();
          return { shards: shards - first };
        },
      };
    };
  },
};
