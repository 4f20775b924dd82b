import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLake } from '../../core/lake/lake.ts';
import { queryRows, readTable, writeTable } from '../../core/lake/parquet.ts';
import { silent } from '../../core/progress.ts';
import { decisions, documents, type Decision } from '../../core/records/index.ts';
import { defineStage, inProcess, run } from '../../core/stage/index.ts';
import { readMarker } from '../../core/stage/marker.ts';
import { filtersSection } from '../../filters/recipe.ts';
import judgeStage from '../../filters/stages/judge.ts';
import measureStage from '../../filters/stages/measure.ts';

const PROSE =
  'The water of the river moves slowly to the sea, and the people who live with it have known that for a very long time. ';
const CHINESE =
  '这条河的水慢慢地流向大海，住在河边的人们很久以前就知道这一点。他们在春天种下稻子，在秋天收获，日子过得很平静。';
const TEXTS: Record<string, string> = {
  prose: Array.from({ length: 6 }, (_, i) => `${PROSE}Day ${i} was like the day before it.`).join('\n'),
  short: 'The end of it.',
  chinese: Array.from({ length: 5 }, (_, i) => `第${i}天，${CHINESE}`).join('\n'),
  french:
    'La rivière coule lentement vers la mer, et les gens qui vivent près d’elle le savent depuis longtemps. '.repeat(6),
  empty: '',
  odd: '\uD800 \u202E'.repeat(40),
};

/** Two parts of documents, as the stage `read` would leave them. */
const readStage = defineStage<{ name: string }, object>({
  name: 'read',
  version: 1,
  module: 'none',
  inputs: [],
  params: () => ({}),
  tasks: () => [
    { id: 'part-00000', input: ['prose', 'short', 'chinese'] },
    { id: 'part-00001', input: ['french', 'empty', 'odd'] },
  ],
  async run(task, _p, io) {
    const out = await writeTable(io.file('documents', `${task.id}.parquet`), documents);
    const none = {
      capture_id: null,
      url: null,
      title: null,
      author: null,
      published: null,
      language: null,
      licence: null,
    };
    for (const id of task.input as string[])
      out.append({ ...none, id, source: 'test', text: TEXTS[id]!, metadata: {}, location: id });
    await out.close();
    return { documents: out.rows };
  },
});

let lake = '';
beforeAll(async () => {
  lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-filters-')));
});
afterAll(() => rmSync(lake, { recursive: true, force: true }));

async function runFilters(filters: unknown) {
  const recipe = { name: 'test', filters: filtersSection.parse(filters) };
  const reports = await run({
    lake,
    recipe,
    stages: [readStage, measureStage, judgeStage],
    executor: inProcess(),
    progress: silent,
  });
  const key = reports.find((r) => r.stage === 'judge')!.units[0]!.key!;
  const output = readMarker(lake, 'judge', 'judge', key)!;
  const rows: Decision[] = [];
  for await (const batch of readTable(
    output.files.map((f) => join(lake, f.path)),
    decisions,
  ))
    rows.push(...batch);
  return { reports, rows, output };
}

const FILTERS = { language: { keep: ['en', 'zh'] }, gopher_quality: {}, fineweb: {} };

test('every document gets its verdict: a row for each rule that drops, or one that it is kept', async () => {
  const { rows, output } = await runFilters(FILTERS);
  const verdicts = Object.keys(TEXTS).map((id) => [
    id,
    rows.filter((r) => r.subject_id === id).map((r) => `${r.verdict} ${r.filter ?? ''}.${r.rule}`),
  ]);
  const of = Object.fromEntries(verdicts) as Record<string, string[]>;
  expect(of['prose']).toEqual(['keep .kept']);
  expect(of['chinese']).toEqual(['keep .kept']);
  expect(of['french']![0]).toBe('drop language.other_language');
  expect(of['short']).toContain('drop gopher_quality.gopher_short_doc');
  expect(of['empty']).toContain('drop fineweb.empty');
  expect(of['odd']!.every((v) => v.startsWith('drop'))).toBe(true);
  expect(output.counts).toEqual({ documents: 6, dropped: 4, kept: 2 });
  const french = rows.find((r) => r.subject_id === 'french' && r.rule === 'other_language')!;
  expect(french).toMatchObject({ stage: 'judge', signal: 'language', label: 'fr', value: null, threshold: 'en, zh' });
  const short = rows.find((r) => r.subject_id === 'short' && r.rule === 'gopher_short_doc')!;
  expect(short).toMatchObject({ value: 4, threshold: '50', label: null, evidence: null });
});

test('signals lie one file a filter and part, one row a document, in file order', async () => {
  const { reports } = await runFilters(FILTERS);
  const units = reports.find((r) => r.stage === 'measure')!.units;
  expect(units.map((u) => u.name)).toEqual(['fineweb', 'gopher_quality', 'language']);
  const file = (name: string, part: number) =>
    join(lake, 'signals', name, units.find((u) => u.name === name)!.key!, `read-part-0000${part}.parquet`);
  expect(await queryRows(`SELECT document_id, language, rules_language FROM '${file('language', 0)}'`)).toEqual([
    { document_id: 'prose', language: 'en', rules_language: 'en' },
    { document_id: 'short', language: 'en', rules_language: 'en' },
    { document_id: 'chinese', language: 'zh', rules_language: 'zh' },
  ]);
  const key = units.find((u) => u.name === 'gopher_quality')!.key!;
  const { facts } = readMarker(lake, 'measure', 'gopher_quality', key)!;
  expect(facts['signals']).toMatchObject({ words: 'words, bare punctuation not counted [count]' });
  const [empty] = await queryRows(`SELECT * FROM '${file('gopher_quality', 1)}' WHERE document_id = 'empty'`);
  expect(empty).toMatchObject({ words: 0, word_length: null, alpha_words: null });
});

test('a changed threshold re-runs the verdicts alone, another filter only itself', async () => {
  const first = await runFilters(FILTERS);
  const changed = await runFilters({ ...FILTERS, gopher_quality: { gopher_short_doc: { en: 3 } } });
  const units = (r: typeof first) => r.reports.find((x) => x.stage === 'measure')!.units;
  expect(units(changed).every((u) => u.reused)).toBe(true);
  expect(changed.reports.find((r) => r.stage === 'judge')!.units[0]!.reused).toBe(false);
  expect(changed.rows.some((r) => r.subject_id === 'short' && r.rule === 'gopher_short_doc')).toBe(false);
  const more = await runFilters({ ...FILTERS, c4: {} });
  expect(
    units(more)
      .filter((u) => !u.reused)
      .map((u) => u.name),
  ).toEqual(['c4']);
  const words = await runFilters({ ...FILTERS, words: 'simple' });
  expect(
    units(words)
      .filter((u) => !u.reused)
      .map((u) => u.name),
  ).toEqual(['fineweb', 'gopher_quality']);
});

test('without a filter every document is kept, and its language is known', async () => {
  const { rows, reports } = await runFilters({});
  expect(rows.map((r) => r.rule)).toEqual(Object.keys(TEXTS).map(() => 'kept'));
  expect(reports.find((r) => r.stage === 'measure')!.units.map((u) => u.name)).toEqual(['language']);
});

test('the same input gives the same bytes', async () => {
  const { output } = await runFilters(FILTERS);
  const other = await openLake(mkdtempSync(join(tmpdir(), 'garner-filters-')));
  const here = lake;
  lake = other;
  try {
    const again = await runFilters(FILTERS);
    expect(again.output.key).toBe(output.key);
    for (const file of output.files)
      expect(readFileSync(join(other, file.path)).equals(readFileSync(join(here, file.path)))).toBe(true);
  } finally {
    lake = here;
    rmSync(other, { recursive: true, force: true });
  }
});
