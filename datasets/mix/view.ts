import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { partFile, type Part } from '../../core/lake/documents.ts';
import { fileList, identifier, quote } from '../../core/lake/duckdb.ts';
import { domainSql, wordsSql } from '../../core/lake/expressions.ts';
import { only, type Inputs } from '../../core/stage/index.ts';

/** What `where` in a recipe may name, and its meaning. Each measured filter is a struct beside these: `gopher_quality.words`. */
const MIX_COLUMNS: Record<string, string> = {
  id: 'document',
  url: 'where it was published',
  domain: 'host of the URL, without www.',
  source: 'name of the source in the recipe',
  title: 'title of the page',
  author: 'author as stated',
  published: 'date as stated, ISO 8601',
  language: 'language as identified, else as stated',
  licence: 'licence URL as stated',
  words: 'runs without white space; each Han or Kana character counts for itself [count]',
  characters: 'length of the edited text [code points]',
  bytes: 'its UTF-8 length [bytes]',
  metadata: 'other fields of the input record, a map of texts',
  text: 'edited text: masked, cut',
};

/** All that `where` may name here: the columns, and the filters that were measured. */
export const mixNames = (inputs: Inputs): string[] => [
  ...new Set([...Object.keys(MIX_COLUMNS), ...(inputs['measure'] ?? []).map((o) => o.unit)]),
];

/**
 * The documents of one part with everything that `where` may name, and `row`, their place in it. Columns that nobody names
 * are not computed.
 */
export async function partSql(db: DuckDBConnection, lake: string, part: Part, inputs: Inputs): Promise<string> {
  const edited = partFile(lake, only(inputs, 'mask'), 'texts', part.id);
  const field = (name: string) => (edited ? `coalesce(t.${name}, d.${name})` : `d.${name}`);
  const text = field('text');
  const joins: string[] = [];
  const structs: string[] = [];
  let language = 'd.language';
  if (edited) joins.push(`LEFT JOIN read_parquet(${fileList([edited])}) t ON t.document_id = d.id`);
  for (const [i, output] of (inputs['measure'] ?? []).entries()) {
    const file = partFile(lake, output, 'signals', part.id);
    if (!file) continue;
    const columns = await columnsOf(db, file);
    joins.push(`LEFT JOIN read_parquet(${fileList([file])}) s${i} ON s${i}.document_id = d.id`);
    const members = columns.filter((c) => c !== 'document_id').map((c) => `${quote(c)}: s${i}.${identifier(c)}`);
    // A filter is never hidden by a column of the documents; `language` is one, and what it found is that column.
    if (members.length > 0 && !(output.unit in MIX_COLUMNS))
      structs.push(`{${members.join(', ')}} AS ${identifier(output.unit)}`);
    if (output.unit === 'language' && columns.includes('language')) language = `coalesce(s${i}.language, d.language)`;
  }
  return `SELECT d.id, d.url, ${domainSql('d.url')} AS domain, d.source,
      ${field('title')} AS title, ${field('author')} AS author, d.published,
      ${language} AS language, d.licence, ${wordsSql(text)} AS words, length(${text}) AS characters,
      strlen(${text}) AS bytes, ${field('metadata')} AS metadata, ${text} AS text, d.file_row_number AS row${structs.map((s) => `, ${s}`).join('')}
    FROM read_parquet(${fileList([join(lake, part.path)])}, file_row_number = true) d ${joins.join(' ')}`;
}

async function columnsOf(db: DuckDBConnection, file: string): Promise<string[]> {
  const described = await db.runAndReadAll(`DESCRIBE FROM read_parquet(${quote(file)})`);
  return described.getRows().map(([name]) => String(name));
}
