/** Where a row group lies: one column, one page. Sizes count the page's header too [bytes]. */
export interface RowGroup {
  rows: number;
  offset: number;
  plain: number;
  packed: number;
}

/** Thrift's compact protocol, as much of it as Parquet's metadata takes. Wire types of a field: */
const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

type Value = { type: number; bytes: Buffer };

/** A whole number of no more than 53 bits, in sevens, low ones first. */
function varint(n: number): Buffer {
  const bytes: number[] = [];
  for (; n >= 0x80; n = Math.floor(n / 0x80)) bytes.push((n % 0x80) | 0x80);
  return Buffer.from([...bytes, n]);
}

/** Numbers that are never negative here; zigzag doubles them. */
const zigzag = (n: number) => varint(2 * n);
const i32 = (n: number): Value => ({ type: I32, bytes: zigzag(n) });
const i64 = (n: number): Value => ({ type: I64, bytes: zigzag(n) });
const text = (s: string): Value => ({
  type: BINARY,
  bytes: Buffer.concat([varint(Buffer.byteLength(s)), Buffer.from(s)]),
});

function list(type: number, items: readonly Value[]): Value {
  const head =
    items.length < 15 ? Buffer.from([(items.length << 4) | type]) : [Buffer.from([0xf0 | type]), varint(items.length)];
  return { type: LIST, bytes: Buffer.concat([...[head].flat(), ...items.map((i) => i.bytes)]) };
}

/** Fields by their numbers, which rise by less than 16. */
function struct(fields: Record<number, Value>): Value {
  let last = 0;
  const parts: Buffer[] = [];
  for (const [id, { type, bytes }] of Object.entries(fields)) {
    parts.push(Buffer.from([((Number(id) - last) << 4) | type]), bytes);
    last = Number(id);
  }
  return { type: STRUCT, bytes: Buffer.concat([...parts, Buffer.from([0])]) };
}

// Numbers of Parquet's own enumerations.
const BYTE_ARRAY = 6;
const REQUIRED = 0;
const UTF8 = 0;
const PLAIN = 0;
const RLE = 3;
const GZIP = 2;
const DATA_PAGE = 0;

/** The header that stands before a page of `rows` values. */
export const pageHeader = (page: { rows: number; plain: number; packed: number }): Buffer =>
  struct({
    1: i32(DATA_PAGE),
    2: i32(page.plain),
    3: i32(page.packed),
    5: struct({ 1: i32(page.rows), 2: i32(PLAIN), 3: i32(RLE), 4: i32(RLE) }),
  }).bytes;

/** What ends the file: the schema (one required column `text`), where the row groups are, its own length, the magic word. */
export function footer(groups: readonly RowGroup[]): Buffer {
  const schema = [
    struct({ 4: text('schema'), 5: i32(1) }),
    struct({
      1: i32(BYTE_ARRAY),
      3: i32(REQUIRED),
      4: text('text'),
      6: i32(UTF8),
      10: struct({ 1: struct({}) }),
    }),
  ];
  const rowGroup = (g: RowGroup) => {
    const column = struct({
      1: i32(BYTE_ARRAY),
      2: list(I32, [i32(PLAIN), i32(RLE)]),
      3: list(BINARY, [text('text')]),
      4: i32(GZIP),
      5: i64(g.rows),
      6: i64(g.plain),
      7: i64(g.packed),
      9: i64(g.offset),
    });
    return struct({
      1: list(STRUCT, [struct({ 2: i64(g.offset), 3: column })]),
      2: i64(g.plain),
      3: i64(g.rows),
    });
  };
  const metadata = struct({
    1: i32(1),
    2: list(STRUCT, schema),
    3: i64(groups.reduce((n, g) => n + g.rows, 0)),
    4: list(STRUCT, groups.map(rowGroup)),
    6: text('garner'),
  }).bytes;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(metadata.length);
  return Buffer.concat([metadata, length, Buffer.from('PAR1')]);
}
