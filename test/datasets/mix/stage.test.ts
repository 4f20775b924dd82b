import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GarnerError } from '../../../core/errors.ts';
import { sha256File } from '../../../core/hash.ts';
import { writeTable } from '../../../core/lake/parquet.ts';
import { column, decisions, defineTable, optional, snapshot, type Columns } from '../../../core/records/index.ts';
import { defineStage } from '../../../core/stage/index.ts';
import { mixRecipe, narrowed } from '../../../datasets/mix/recipe.ts';
import mix from '../../../datasets/mix/stage.ts';
import { filesBelow, madeText, rowsIn, runStages, stagesBefore, temporaryLake, type Before } from '../lake.ts';

async function mixed(before: Before, section: object = {}) {
  const lake = await temporaryLake();
  const recipe = { mix: mixRecipe.parse(section) };
  const reports = await runStages(lake, [...stagesBefore(before), mix], recipe);
  const rows = await rowsIn(lake, 'snapshots', snapshot);
  return { lake, counts: reports.at(-1)!.counts, rows, left: await rowsIn(lake, 'decisions/mix', decisions) };
}
const ids = (rows: readonly { id: string }[]) => rows.map((r) => r.id).toSorted();
const corpus = (n: number) =>
  Array.from({ length: n }, (_, i) => ({
    id: `d${String(i).padStart(5, '0')}`,
    text: madeText(i, 20 + (i % 7)),
    source: i % 3 === 0 ? 'news' : 'books',
    language: i % 2 === 0 ? 'en' : 'zh',
    licence: 'https://creativecommons.org/licenses/by/4.0/',
  }));

test('what fits goes in with its edited text; what does not has a row that says why', async () => {
  const documents = corpus(6);
  const { rows, left, counts } = await mixed(
    { parts: [documents.slice(0, 3), documents.slice(3)], dropped: ['d00004'], edited: { d00002: 'masked text' } },
    { where: "language = 'en'", validation: { share: 0 } },
  );
  expect(ids(rows)).toEqual(['d00000', 'd00002']);
  expect(rows.find((r) => r.id === 'd00002')!.text).toBe('masked text');
  expect(left.map((d) => [d.subject_id, d.rule, d.verdict, d.threshold])).toEqual(
    ['d00001', 'd00003', 'd00005'].map((id) => [id, 'mix_where', 'drop', "language = 'en'"]),
  );
  expect(counts).toMatchObject({ train: 2, validation: 0, left_out: 3 });
});

test('where sees what the filters measured; the identified language comes before the stated one', async () => {
  const measured = (name: string, columns: Columns, rows: Record<string, unknown>[]) => ({ name, columns, rows });
  const filters = [
    measured('language', { language: optional('text', 'label') }, [
      { document_id: 'd00000', language: 'de' },
      { document_id: 'd00001', language: null },
    ]),
    measured('gopher_quality', { words: optional('int', 'count') }, [
      { document_id: 'd00000', words: 5 },
      { document_id: 'd00001', words: 50 },
      { document_id: 'd00002', words: null },
    ]),
  ];
  const measure = defineStage({
    name: 'measure',
    version: 1,
    module: 'none',
    inputs: ['read'],
    params: () => ({}),
    units: () => filters.map(({ name }) => ({ name, version: 1, params: {} })),
    tasks: () => [{ id: 'read-part-00000', input: null }],
    async run(task, _p, io) {
      for (const { name, columns, rows } of filters) {
        const table = defineTable({
          name,
          about: '',
          columns: { document_id: column('text', 'document'), ...columns },
        });
        const writer = await writeTable(io.file('signals', `${task.id}.parquet`, name), table);
        for (const row of rows) writer.append(row as never);
        await writer.close();
      }
      return {};
    },
  });
  const picked = async (where: string) => {
    const lake = await temporaryLake();
    const recipe = { mix: mixRecipe.parse({ where, validation: { share: 0 } }) };
    await runStages(lake, [...stagesBefore({ parts: [corpus(3)] }), measure, mix], recipe);
    const rows = await rowsIn(lake, 'snapshots', snapshot);
    return rows.map((r) => `${r.id} ${r.language}`).toSorted();
  };
  expect(await picked('gopher_quality.words > 10')).toEqual(['d00001 zh']);
  expect(await picked("language in ('de', 'en')")).toEqual(['d00000 de', 'd00002 en']);
});

test('weights: whole ones repeat, fractions take a seeded share, the first rule that fits multiplies', async () => {
  const { rows, left } = await mixed(
    { parts: [corpus(600)] },
    {
      sources: { news: 2.5 },
      by: [
        { where: "language = 'zh'", weight: 0 },
        { where: 'true', weight: 1 },
      ],
      validation: { share: 0 },
    },
  );
  expect(rows.every((r) => r.language === 'en')).toBe(true);
  const news = rows.filter((r) => r.source === 'news').map((r) => r.repeats);
  expect(news.length).toBe(100);
  expect(new Set(news)).toEqual(new Set([2, 3]));
  // 100 draws at one half: within 4 standard deviations.
  expect(Math.abs(news.filter((n) => n === 3).length - 50)).toBeLessThan(20);
  expect(rows.filter((r) => r.source === 'books').every((r) => r.repeats === 1)).toBe(true);
  expect(left.length).toBe(300);
  expect(new Set(left.map((d) => `${d.rule} ${d.threshold}`))).toEqual(new Set(['mix_weight 0.0']));
});

test('the split depends on seed and id alone, so it holds as the corpus grows', async () => {
  const small = await mixed({ parts: [corpus(500)] }, { validation: { share: 0.1, seed: 7 } });
  const large = await mixed(
    { parts: [corpus(700), []] },
    { validation: { share: 0.1, seed: 7 }, seed: 5, sources: { news: 3 } },
  );
  const held = (rows: typeof small.rows) => ids(rows.filter((r) => r.split === 'validation'));
  expect(held(small.rows).length).toBeGreaterThan(25);
  expect(held(large.rows).filter((id) => id < 'd00500')).toEqual(held(small.rows));
  expect(large.rows.filter((r) => r.split === 'validation').every((r) => r.repeats === 1)).toBe(true);
  const other = await mixed({ parts: [corpus(500)] }, { validation: { share: 0.1, seed: 8 } });
  expect(held(other.rows)).not.toEqual(held(small.rows));
});

test('sources interleave, and any order and split of the input gives the same bytes', async () => {
  const documents = corpus(200);
  const one = await mixed({ parts: [documents] });
  const two = await mixed({ parts: [[], documents.slice(90).toReversed(), documents.slice(0, 90)] });
  const bytes = (lake: string) => filesBelow(lake, 'snapshots').map((f) => readFileSync(f).toString('base64'));
  expect(bytes(two.lake)).toEqual(bytes(one.lake));
  const order = one.rows.filter((r) => r.split === 'train').map((r) => r.source);
  const changes = order.filter((s, i) => i > 0 && s !== order[i - 1]).length;
  expect(changes).toBeGreaterThan(50);
  const other = await mixed({ parts: [documents] }, { seed: 2 });
  expect(other.rows.map((r) => r.id)).not.toEqual(one.rows.map((r) => r.id));
  expect(ids(other.rows)).toEqual(ids(one.rows));
});

test('snapshot.json says what the files are, with digests that hold', async () => {
  const { lake, rows } = await mixed({ parts: [corpus(50)] }, { name: 'first', where: 'words > 22' });
  const folder = join(filesBelow(lake, 'snapshots')[0]!, '..');
  const about = JSON.parse(readFileSync(join(folder, 'snapshot.json'), 'utf8'));
  expect(about).toMatchObject({ name: 'first', sql: 'words > 22', seed: 1 });
  for (const { file, sha256, documents } of about.files) {
    expect(await sha256File(join(folder, file))).toBe(sha256);
    expect(rows.filter((r) => file.startsWith(r.split)).length).toBe(documents);
  }
  expect(about.languages.en.documents + about.languages.zh.documents).toBe(rows.length);
  expect(about.licences['https://creativecommons.org/licenses/by/4.0/'].documents).toBe(rows.length);
});

test.each([
  ["language = 'en", /no SQL expression/],
  ['1 = 1; DROP TABLE seen', /more than one SQL expression|no SQL expression/],
  ['true) UNION SELECT (1', /more than one SQL expression/],
  ['true) -- ', /no SQL expression/],
  ['true) LIMIT (1', /more than one SQL expression/],
  ['false) OR (true', /more than one SQL expression/],
  ["id IN (SELECT content FROM read_text('/etc/hostname'))", /a query inside/],
  ['row_number() OVER () = 1', /window/],
  ['random() < 0.5', /another answer each time/],
  ['published < now()::VARCHAR', /another answer each time/],
  ['wrods > 5', /"wrods"/],
  ["words > 'many'", /Could not convert/],
  ['count(*) > 1', /aggregate count_star/],
  ['max(words) > 1', /aggregate max/],
])('where: %s is refused with exit 2', async (where, why) => {
  const refused = mixed({ parts: [corpus(3)] }, { where });
  await expect(refused).rejects.toThrow(why);
  const error: unknown = await refused.catch((e: unknown) => e);
  expect(error).toBeInstanceOf(GarnerError);
  expect((error as GarnerError).fault).toBe(2);
});

test('an unknown column names the nearest', async () => {
  const error: unknown = await mixed({ parts: [corpus(3)] }, { where: 'wrods > 5' }).catch((e: unknown) => e);
  expect((error as GarnerError).hint).toContain('did you mean "words"?');
});

test('no files, no rows, nothing that fits: empty files with columns', async () => {
  expect((await mixed({ parts: [] })).rows).toEqual([]);
  expect((await mixed({ parts: [[]] })).counts).toMatchObject({ train: 0, validation: 0 });
  const { lake, rows } = await mixed({ parts: [corpus(3)] }, { where: 'false' });
  expect(rows).toEqual([]);
  expect(filesBelow(lake, 'snapshots').length).toBe(2);
});

test('a narrowed mix keeps what the recipe says and has a name of its own', () => {
  const base = mixRecipe.parse({ where: "language = 'en' -- only", seed: 9 });
  const made = narrowed(base, 'news', 'words > 10');
  expect(made.where).toBe("(language = 'en' -- only\n) AND (words > 10\n)");
  expect(made.seed).toBe(9);
  expect(made.name).toMatch(/^news-[0-9a-f]{8}$/);
  expect(narrowed(undefined, 'news', 'words > 10').where).toBe('words > 10');
});
