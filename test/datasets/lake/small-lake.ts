import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { documentParts } from '../../../core/lake/documents.ts';
import { openLake } from '../../../core/lake/lake.ts';
import { writeTable } from '../../../core/lake/parquet.ts';
import { silent } from '../../../core/progress.ts';
import {
  captures,
  column,
  decisions,
  defineTable,
  documents,
  duplicates,
  edits,
  optional,
  snapshot,
  texts,
  tokenIndex,
  type Capture,
  type Decision,
  type Document,
  type Table,
  type Row,
} from '../../../core/records/index.ts';
import { defineStage, inProcess, run, type AnyStage } from '../../../core/stage/index.ts';

const capture = (id: string, url: string, outcome: string, reason: string | null = null): Capture => ({
  id,
  source: 'site',
  url,
  referrer: null,
  depth: 1,
  fetched_at: Date.UTC(2026, 10, 24),
  status: 200,
  media_type: 'text/html',
  charset: null,
  bytes: 1000,
  digest: null,
  warc_file: 'w.warc.gz',
  warc_offset: 0,
  warc_length: 500,
  outcome,
  reason,
  location: null,
  opt_outs: [],
  licence: null,
});
const document = (n: number, url: string, text: string, language: string): Document => ({
  id: `doc${n}`,
  capture_id: `c${n}`,
  source: 'site',
  url,
  text,
  title: `Title ${n}`,
  author: null,
  published: null,
  language,
  licence: null,
  metadata: { part: String(n) },
  location: `w.warc.gz:${n}`,
});

export const DOCUMENTS = [
  document(1, 'http://www.example.org/one', 'Call me Ishmael. Write to ishmael@pequod.example today.', 'en'),
  document(2, 'http://example.org/two', '话说天下大势，分久必合，合久必分。', 'zh'),
  document(3, 'http://example.org/three', 'buy buy buy', 'en'),
  document(4, 'http://example.org/four', 'Call me Ishmael. Write to someone today.', 'en'),
];
const decision = (
  subject_id: string,
  stage: string,
  rule: string,
  verdict: string,
  more: Partial<Decision> = {},
): Decision => ({
  subject_id,
  stage,
  rule,
  filter: null,
  signal: null,
  value: null,
  label: null,
  threshold: null,
  verdict,
  evidence: null,
  ...more,
});

/** A stage of the real names that writes fixed rows, so that the catalog is tested on files written as stages write them. */
const fixed = (
  name: string,
  inputs: string[],
  tables: [folder: string, table: Table, rows: object[]][],
  facts: object = {},
  units?: string[],
): AnyStage =>
  defineStage<object, object>({
    name,
    version: 1,
    module: 'none',
    inputs,
    params: () => ({}),
    ...(units ? { units: () => units.map((u) => ({ name: u, version: 1, params: {} })) } : {}),
    tasks: (found) =>
      documentParts(found).length > 0
        ? documentParts(found).map((p) => ({ id: p.id, input: null }))
        : [{ id: 'part-00000', input: null }],
    async run(task, _p, io) {
      for (const unit of io.pending) {
        for (const [folder, table, rows] of tables) {
          const out = await writeTable(io.file(folder, `${task.id}.parquet`, unit), table);
          for (const row of rows) out.append(row as Row<Table>);
          await out.close();
        }
        io.facts(facts as Record<string, unknown>, unit);
      }
      return { rows: tables[0]![2].length };
    },
  });

const languageSignals = defineTable({
  name: 'language',
  about: '',
  columns: { document_id: column('text', ''), language: optional('text', ''), score: optional('float', '') },
});

export const STAGES: AnyStage[] = [
  fixed(
    'crawl',
    [],
    [
      [
        'captures',
        captures,
        [
          ...DOCUMENTS.map((d, i) => capture(`c${i + 1}`, d.url!, 'fetched')),
          capture('c5', 'http://example.org/private', 'refused', 'robots'),
        ],
      ],
    ],
  ),
  fixed('extract', ['crawl'], [['documents', documents, DOCUMENTS]]),
  fixed(
    'measure',
    ['extract'],
    [['signals', languageSignals, DOCUMENTS.map((d) => ({ document_id: d.id, language: d.language, score: 0.9 }))]],
    { signals: { language: 'identified language', score: 'probability' } },
    ['language'],
  ),
  fixed(
    'judge',
    ['extract', 'measure'],
    [
      [
        'decisions',
        decisions,
        [
          decision('doc3', 'judge', 'gopher_short_doc', 'drop', {
            filter: 'gopher_quality',
            signal: 'words',
            value: 3,
            threshold: '< 50',
          }),
          decision('doc3', 'judge', 'gopher_enough_stop_words', 'drop', {
            filter: 'gopher_quality',
            signal: 'stop_words',
            value: 0,
            threshold: '< 2',
          }),
          ...['doc1', 'doc2', 'doc4'].map((d) => decision(d, 'judge', 'kept', 'keep')),
        ],
      ],
    ],
  ),
  fixed(
    'mask',
    ['extract'],
    [
      [
        'edits',
        edits,
        [{ document_id: 'doc1', start: 26, end: 48, replacement: '<email>', rule: 'EMAIL_ADDRESS', value_hash: null }],
      ],
      [
        'texts',
        texts,
        [
          {
            document_id: 'doc1',
            text: 'Call me Ishmael. Write to <email> today.',
            title: null,
            author: null,
            metadata: null,
          },
        ],
      ],
    ],
  ),
  fixed(
    'dedup',
    ['extract', 'judge'],
    [
      [
        'duplicates',
        duplicates,
        [{ document_id: 'doc4', kept_id: 'doc1', kind: 'near', similarity: 0.875, matched_id: 'doc1', band: 3 }],
      ],
      [
        'decisions',
        decisions,
        [decision('doc4', 'dedup', 'near_duplicate', 'drop', { value: 0.875, threshold: '>= 0.8', evidence: 'doc1' })],
      ],
    ],
  ),
  fixed(
    'mix',
    ['extract', 'dedup'],
    [
      [
        'snapshots',
        snapshot,
        [
          {
            id: 'doc1',
            source: 'site',
            url: DOCUMENTS[0]!.url,
            title: 'Title 1',
            language: 'en',
            licence: null,
            text: 'Call me Ishmael. Write to <email> today.',
            split: 'train',
            repeats: 1,
          },
          {
            id: 'doc2',
            source: 'site',
            url: DOCUMENTS[1]!.url,
            title: 'Title 2',
            language: 'zh',
            licence: null,
            text: DOCUMENTS[1]!.text,
            split: 'validation',
            repeats: 1,
          },
        ],
      ],
    ],
    { name: 'first' },
  ),
  fixed(
    'shards',
    ['mix'],
    [
      [
        'shards',
        tokenIndex,
        [
          {
            document_id: 'doc1',
            split: 'train',
            source: 'site',
            shard: 'train-00000.arrow',
            offset: 0,
            length: 12,
            bytes: 40,
          },
          {
            document_id: 'doc2',
            split: 'validation',
            source: 'site',
            shard: 'validation-00000.arrow',
            offset: 0,
            length: 20,
            bytes: 51,
          },
        ],
      ],
    ],
  ),
];

/** A lake of four documents with one of each kind of verdict; the caller removes it. */
export async function smallLake(): Promise<string> {
  const lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-lake-')));
  await run({ lake, recipe: { name: 'small' }, stages: STAGES, executor: inProcess(), progress: silent });
  return lake;
}
