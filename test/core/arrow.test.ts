import { expect, test } from 'vitest';
import { arrowSchema } from '../../core/records/arrow.ts';
import * as tables from '../../core/records/index.ts';
import { duckdbType, type Table } from '../../core/records/index.ts';

/** What DuckDB calls its types, in Arrow's words. */
const SAME: Record<string, string> = {
  VARCHAR: 'Utf8',
  BIGINT: 'Int64',
  DOUBLE: 'Float64',
  BOOLEAN: 'Bool',
  TIMESTAMP: 'Timestamp<MICROSECOND>',
  'VARCHAR[]': 'List<Utf8>',
  'BIGINT[]': 'List<Int64>',
  'DOUBLE[]': 'List<Float64>',
  'STRUCT("role" VARCHAR, "content" VARCHAR)[]': 'List<Struct<{role:Utf8, content:Utf8}>>',
  BLOB: 'Binary',
};

test('every table has one schema for DuckDB and Arrow: the same columns, types and nulls', async () => {
  const all = (Object.values(tables) as unknown[]).filter(
    (t): t is Table => typeof t === 'object' && t !== null && 'columns' in t,
  );
  expect(all.length).toBeGreaterThanOrEqual(14);
  for (const table of all) {
    const { fields } = await arrowSchema(table);
    expect(fields.map((f) => f.name)).toEqual(Object.keys(table.columns));
    for (const field of fields) {
      const column = table.columns[field.name]!;
      expect([table.name, field.name, field.nullable]).toEqual([table.name, field.name, column.nullable]);
      const type = duckdbType(column);
      if (type.startsWith('MAP')) expect(String(field.type)).toMatch(/^Map/);
      else expect([field.name, String(field.type)]).toEqual([field.name, SAME[type]]);
    }
  }
});
