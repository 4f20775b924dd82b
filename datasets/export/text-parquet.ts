import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ExportFile } from './file.ts';
import { footer, pageHeader, type RowGroup } from './parquet-footer.ts';

/** A row group is closed at this size, however few its rows [bytes]. */
const GROUP_BYTES = 64 << 20;
/** Row groups that are compressed at once. */
const AT_ONCE = 4;

const compress = promisify(gzip);

/** A Parquet file with one column of text. */
export interface TextParquet {
  /** Text so far [bytes of UTF-8]. */
  bytes: number;
  add(text: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/**
 * Writes a Parquet file with the one required column `text`, `rows` to a row group: plain encoding, one page a group, gzip.
 * DuckDB cannot make row groups of fewer than 2,048 rows, and readers that share them out among ranks want small ones.
 */
export function textParquet(file: ExportFile, rows: number): TextParquet {
  const groups: RowGroup[] = [];
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const packing: { rows: number; plain: number; packed: Promise<Buffer> }[] = [];
  file.write(MAGIC);
  const write = async () => {
    const { rows: count, plain, packed } = packing.shift()!;
    const data = await packed;
    const header = pageHeader({ rows: count, plain, packed: data.length });
    groups.push({
      rows: count,
      offset: file.bytes,
      plain: header.length + plain,
      packed: header.length + data.length,
    });
    file.write(header);
    file.write(data);
  };
  const flush = async () => {
    const page = Buffer.concat(held);
    const count = held.length / 2;
    [held, heldBytes] = [[], 0];
    const packed = compress(page, { level: 4 });
    // An error is met where the page is written; until then nobody listens.
    packed.catch(() => {});
    packing.push({ rows: count, plain: page.length, packed });
    if (packing.length >= AT_ONCE) await write();
  };
  const parquet: TextParquet = {
    bytes: 0,
    async add(text) {
      if (held.length > 0 && heldBytes + text.length > GROUP_BYTES) await flush();
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      held.push(length, text);
      heldBytes += text.length + 4;
      parquet.bytes += text.length;
      if (held.length === 2 * rows) await flush();
    },
    async close() {
      if (held.length > 0) await flush();
      while (packing.length > 0) await write();
      file.write(footer(groups));
      await file.close();
    },
  };
  return parquet;
}

const MAGIC = Buffer.from('PAR1');
