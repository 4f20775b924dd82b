import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { bytesOf, createFile, type ExportFile } from '../file.ts';
import { tokenSink } from '../tokens.ts';
import type { Format } from '../types.ts';

const MAGIC = Buffer.from('MMIDIDX\0\0', 'latin1');
const CODES = { 2: 8, 4: 4 } as const;
/** Megatron itself leaves some room below 65,536. */
const FIRST_FOR_FOUR_BYTES = 65_500;
/** Lengths that are read at once. */
const PIECE = 1 << 16;

/**
 * Megatron-LM's indexed dataset: `<split>_text_document.bin` and `.idx`. A document is one sequence with its end token;
 * empty ones are passed over, as Megatron's own preprocessing does. Tokens are uint16 below 65,500 ids, else int32.
 */
export const megatron: Format = {
  about: 'Megatron-LM: .bin and .idx, a document index, uint16 or int32',
  needs: 'tokens',
  width: (vocabulary) => (vocabulary < FIRST_FOR_FOUR_BYTES ? 2 : 4),
  open: (create, { tokenizer }) => {
    const width = megatron.width!(tokenizer!.vocabulary);
    const end = [tokenizer!.endOfText];
    return (split) => {
      const prefix = `${split}_text_document`;
      const bin = create(`${prefix}.bin`);
      const tokens = tokenSink(bin, width);
      // Lengths come before offsets in the index: they wait in a file, not in memory.
      const lengths = createFile(dirname(bin.path), `${prefix}.lengths`, () => {});
      const sink = tokenSink(lengths, 4);
      let skipped = 0;
      return {
        add(document) {
          if (document.tokens!.length === 0) return void skipped++;
          tokens.append(document.tokens!);
          tokens.append(end);
          sink.append([document.tokens!.length + 1]);
        },
        async close() {
          tokens.flush();
          await bin.close();
          sink.flush();
          await lengths.close();
          await writeIndex(create(`${prefix}.idx`), lengths.path, sink.length, width);
          rmSync(lengths.path);
          return { tokens: tokens.length, skipped_empty: skipped };
        },
      };
    };
  },
};

async function writeIndex(idx: ExportFile, lengths: string, count: number, width: 2 | 4): Promise<void> {
  const head = Buffer.alloc(25);
  head.writeBigUInt64LE(1n, 0);
  head.writeUInt8(CODES[width], 8);
  head.writeBigUInt64LE(BigInt(count), 9);
  head.writeBigUInt64LE(BigInt(count + 1), 17);
  idx.write(MAGIC);
  idx.write(head);
  for (const piece of pieces(lengths)) idx.write(bytesOf(piece));
  let offset = 0n;
  for (const piece of pieces(lengths))
    idx.write(
      bytesOf(
        BigInt64Array.from(piece, (length) => {
          const here = offset;
          offset += BigInt(length * width);
          return here;
        }),
      ),
    );
  for (let from = 0; from <= count; from += PIECE)
    idx.write(bytesOf(BigInt64Array.from({ length: Math.min(PIECE, count + 1 - from) }, (_, i) => BigInt(from + i))));
  await idx.close();
}

function* pieces(path: string): Generator<Int32Array> {
  const fd = openSync(path, 'r');
  try {
    for (;;) {
      const held = new Int32Array(PIECE);
      let filled = 0;
      for (let n = -1; n !== 0 && filled < held.byteLength; filled += n)
        n = readSync(fd, held, filled, held.byteLength - filled, null);
      if (filled === 0) return;
      yield held.subarray(0, filled / 4);
    }
  } finally {
    closeSync(fd);
  }
}
