import type { DataType, Field, Schema } from 'apache-arrow';
import type { Column, Table } from './schema.ts';

/** The Arrow schema of a table: what its Parquet files read as in Arrow. Loads apache-arrow when it is first asked for. */
export async function arrowSchema(table: Table): Promise<Schema> {
  const arrow = await import('apache-arrow');
  const field = (name: string, type: DataType, nullable: boolean): Field => new arrow.Field(name, type, nullable);
  const entries = new arrow.Struct([field('key', new arrow.Utf8(), false), field('value', new arrow.Utf8(), true)]);
  const numbers = new arrow.Struct([field('key', new arrow.Utf8(), false), field('value', new arrow.Float64(), true)]);
  const turn = new arrow.Struct([field('role', new arrow.Utf8(), true), field('content', new arrow.Utf8(), true)]);
  const types: Record<Column['type'], DataType> = {
    text: new arrow.Utf8(),
    int: new arrow.Int64(),
    float: new arrow.Float64(),
    bool: new arrow.Bool(),
    time: new arrow.TimestampMicrosecond(),
    texts: new arrow.List(field('element', new arrow.Utf8(), true)),
    ints: new arrow.List(field('element', new arrow.Int64(), true)),
    floats: new arrow.List(field('element', new arrow.Float64(), true)),
    map: new arrow.Map_(field('entries', entries, false) as Field<typeof entries>),
    numbers: new arrow.Map_(field('entries', numbers, false) as Field<typeof numbers>),
    messages: new arrow.List(field('element', turn, true)),
    bytes: new arrow.Binary(),
  };
  return new arrow.Schema(
    Object.entries(table.columns).map(([name, c]) => new arrow.Field(name, types[c.type], c.nullable)),
  );
}
