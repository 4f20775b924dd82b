import { readFileSync, rmSync, statSync } from 'node:fs';
import { freshConnection, quote } from '../../core/lake/duckdb.ts';
import type { ExportFile } from './file.ts';

/**
 * Writes a file of at most 1 GB compressed, as one Zstandard frame that states its content's size: Python's `zstd`, which
 * MosaicML Streaming reads with, refuses a frame that does not. Node 20 has no Zstandard, DuckDB does, and leaves it out.
 */
export async function compressFile(path: string, to: ExportFile): Promise<void> {
  const packed = `${path}.packed`;
  const db = await freshConnection();
  try {
    await db.run(
      `COPY (SELECT content FROM read_blob(${quote(path)})) TO ${quote(packed)} (FORMAT blob, COMPRESSION zstd)`,
    );
    for (const part of withSize(readFileSync(packed), statSync(path).size)) to.write(part);
  } finally {
    db.closeSync();
    rmSync(packed, { force: true });
  }
}

const MAGIC = 0xfd2fb528;
/** Frame header descriptor: size of the content size (bits 7 and 6), single segment (bit 5), dictionary (bits 1 and 0). */
const SIZE_OF_FOUR_BYTES = 0x80;

/** The frame with its content's size in its header (RFC 8878 §3.1.1); as it is where it states one. */
function withSize(frame: Buffer, size: number): Buffer[] {
  const descriptor = frame[4]!;
  if (frame.readUInt32LE(0) !== MAGIC || descriptor & 0x03)
    throw new Error('not the Zstandard frame that was expected');
  if (descriptor & 0xe0) return [frame];
  const head = Buffer.alloc(10);
  head.writeUInt32LE(MAGIC, 0);
  head[4] = descriptor | SIZE_OF_FOUR_BYTES;
  head[5] = frame[5]!;
  head.writeUInt32LE(size, 6);
  return [head, frame.subarray(6)];
}
