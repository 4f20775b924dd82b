import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decisions, duplicates, type Duplicate } from '../../../core/records/index.ts';
import { createShingler, jaccard } from '../../../core/text/shingles.ts';
import { dedupRecipe } from '../../../datasets/dedup/recipe.ts';
import dedup from '../../../datasets/dedup/stages/dedup.ts';
import signatures from '../../../datasets/dedup/stages/signatures.ts';
import { sharedData } from '../../shared.ts';
import {
  dice,
  filesBelow,
  jsonLines,
  madeText,
  rowsIn,
  runStages,
  stagesBefore,
  temporaryLake,
  type Before,
  type MadeDocument,
} from '../lake.ts';

async function deduplicate(before: Before, over: object = {}) {
  const lake = await temporaryLake();
  const recipe = { dedup: dedupRecipe.parse(over) };
  const reports = await runStages(lake, [...stagesBefore(before), signatures, dedup], recipe);
  return { lake, reports, counts: reports.at(-1)!.counts, rows: await rowsIn(lake, 'duplicates', duplicates) };
}
const pairsOf = (rows: readonly Duplicate[]) => rows.map((r) => `${r.document_id} ${r.kind} of ${r.kept_id}`);

const original = madeText(1, 300);
/** Changes every n-th word, from the first on, to one that stands nowhere else. */
const changed = (text: string, every: number, mark: string, first = every - 1) =>
  text
    .split(' ')
    .map((w, i) => (i >= first && (i - first) % every === 0 ? `${mark}${i}` : w))
    .join(' ');

test('exact copies in other spellings, near copies and others: each has its row', async () => {
  const { lake, rows, counts } = await deduplicate({
    parts: [
      [
        { id: 'a', text: original },
        { id: 'b', text: original.toUpperCase().replaceAll(' ', ' \n') },
      ],
      [
        { id: 'c', text: changed(original, 60, 'x') },
        { id: 'd', text: changed(original, 10, 'y') },
        { id: 'e', text: madeText(2, 300) },
        { id: 'f', text: `${original.replaceAll(' ', ', ')}.` },
      ],
    ],
  });
  // The longest stays: f, whose commas count. c is near to a, the same text without them, and goes for f's sake.
  expect(pairsOf(rows)).toEqual(['a exact of f', 'b exact of f', 'c near of f']);
  expect(rows[2]!.matched_id).toMatch(/^[ab]$/);
  expect(counts).toMatchObject({ documents: 6, exact: 2, near: 1, kept: 3 });
  const verdicts = await rowsIn(lake, 'decisions/dedup', decisions);
  expect(verdicts.map((v) => [v.subject_id, v.rule, v.verdict, v.evidence, v.value])).toEqual(
    rows.map((r) => [r.document_id, `${r.kind}_duplicate`, 'drop', r.kept_id, r.similarity]),
  );
});

test('a chain a ~ b ~ c without a ~ c: b goes, both ends stay', async () => {
  const b = madeText(3, 400).split(' ');
  const a = [...b.slice(0, -35), 'tail'].join(' ');
  const c = b.slice(35).join(' ');
  const { rows } = await deduplicate({
    parts: [
      [
        { id: 'a', text: `${a} ${madeText(4, 40)}` },
        { id: 'b', text: b.join(' ') },
        { id: 'c', text: c },
      ],
    ],
  });
  expect(pairsOf(rows)).toEqual(['b near of a']);
});

test('only what judge keeps takes part, and the edited text counts', async () => {
  const masked = original.replace(/^\S+ \S+ \S+/, 'EMAIL EMAIL EMAIL');
  const before = {
    parts: [
      [
        { id: 'a', text: original },
        { id: 'b', text: original },
        { id: 'c', text: madeText(5, 100) },
        { id: 'd', text: madeText(6, 100) },
      ],
    ],
    dropped: ['a'],
    edited: { c: masked, d: masked },
  };
  const { rows, counts } = await deduplicate(before);
  expect(pairsOf(rows)).toEqual(['c near of b', 'd exact of b']);
  expect(counts['documents']).toBe(3);
});

test('a changed threshold reads no text again', async () => {
  const lake = await temporaryLake();
  const before = stagesBefore({ parts: [[{ id: 'a', text: original }]] });
  const stages = [...before, signatures, dedup];
  await runStages(lake, stages, { dedup: dedupRecipe.parse({}) });
  const reports = await runStages(lake, stages, { dedup: dedupRecipe.parse({ threshold: 0.9 }) });
  expect(reports.map((r) => `${r.stage} ${r.units[0]!.reused}`)).toEqual([
    'read true',
    'judge true',
    'mask true',
    'signatures true',
    'dedup false',
  ]);
});

/** Families of near copies, among them chains, exact copies and texts by themselves. */
function corpus(): MadeDocument[] {
  const roll = dice(7);
  return Array.from({ length: 300 }, (_, i) => {
    const base = madeText(roll(60), 60 + roll(3) * 40);
    const kind = roll(4);
    const text =
      kind === 0 ? base : kind === 1 ? base.toUpperCase() : changed(base, 20 + roll(200), `z${i}q`, roll(60));
    return { id: `${i}`.padStart(32, '0'), text, source: `s${roll(3)}`, url: `https://example.org/${roll(50)}` };
  });
}

test('any order and split gives the same bytes; every drop has a verified kept partner', async () => {
  const all = corpus();
  const shuffled = all.map((d, i) => ({ d, key: dice(i)(1e9) })).toSorted((x, y) => x.key - y.key);
  const texts = shuffled.map((s) => s.d);
  const one = await deduplicate({ parts: [all] });
  const many = await deduplicate({
    parts: [[], texts.slice(0, 50), [], texts.slice(50, 51), texts.slice(51), []],
  });
  const bytes = (lake: string) => [
    ...filesBelow(lake, 'duplicates').map((f) => readFileSync(f).toString('base64')),
    ...filesBelow(lake, 'decisions/dedup').map((f) => readFileSync(f).toString('base64')),
  ];
  expect(bytes(many.lake)).toEqual(bytes(one.lake));

  const shingle = createShingler('plain');
  const sets = new Map(all.map((d) => [d.id, shingle(d.text).slice()]));
  const gone = new Set(one.rows.map((r) => r.document_id));
  expect(one.rows.length).toBeGreaterThan(100);
  expect(gone.size).toBe(one.rows.length);
  expect(all.length - gone.size).toBe(one.counts['kept']);
  for (const r of one.rows) {
    expect(gone.has(r.kept_id)).toBe(false);
    const there = jaccard(sets.get(r.document_id)!, sets.get(r.matched_id)!);
    expect(r.similarity).toBe(there);
    expect(there).toBeGreaterThanOrEqual(0.8);
  }
  // What stays has no partner that stays: complete, since the caps were not met.
  expect(one.counts['crowded']).toBe(0);
  const kept = all.filter((d) => !gone.has(d.id));
  for (const [i, a] of kept.entries())
    for (const b of kept.slice(i + 1)) expect(jaccard(sets.get(a.id)!, sets.get(b.id)!)).toBeLessThan(0.8);
});

test('three copies are three rows that each name the kept one, whatever the ids', async () => {
  const ids = ['0'.repeat(32), '00000000ffffffff'.padEnd(32, '0'), 'f'.repeat(32), '000000ffffffffff'.padEnd(32, 'f')];
  const { rows } = await deduplicate({ parts: [ids.map((id) => ({ id, text: original }))] });
  expect(pairsOf(rows)).toEqual(
    ids
      .slice(1)
      .toSorted()
      .map((id) => `${id} exact of ${ids[0]!}`),
  );
});

const OPTIONS = {
  threshold: 0.7,
  recall: 0.9,
  normalise: true,
  functions: 256,
  seed: 2,
  keep: 'first',
};
const sets = [...Object.entries(OPTIONS).map(([name, value]) => ({ [name]: value })), OPTIONS];
test.each(sets)('with %j set, exact and near-duplicates are found', async (options) => {
  const parts = [
    [
      { id: 'a', text: original },
      { id: 'b', text: original.toUpperCase() },
      { id: 'c', text: changed(original, 150, 'x') },
    ],
  ];
  const { rows } = await deduplicate({ parts }, options);
  expect(rows.map((r) => r.kind).toSorted()).toEqual(['exact', 'near']);
});

test('no files, no rows, texts without tokens, one token, a very long token', async () => {
  expect((await deduplicate({ parts: [] })).counts).toEqual({});
  expect((await deduplicate({ parts: [[]] })).counts).toMatchObject({ documents: 0, kept: 0 });
  const { rows } = await deduplicate({
    parts: [
      [
        { id: 'a', text: '' },
        { id: 'b', text: ' \n' },
        { id: 'c', text: 'word' },
        { id: 'd', text: 'word word' },
        { id: 'e', text: 'word' },
        { id: 'f', text: '1.2' },
        { id: 'g', text: '12' },
        { id: 'h', text: 'x'.repeat(3_000_000) },
        { id: 'i', text: 'x'.repeat(3_000_000) },
        { id: 'j', text: '\u200B' },
        { id: 'k', text: '!!!' },
        { id: 'l', text: '???' },
      ],
    ],
  });
  expect(pairsOf(rows)).toEqual(['a exact of b', 'e exact of c', 'i exact of h']);
});

test('a damaged signature file stops the stage by name, and nothing counts as done; a cut one is made again', async () => {
  const lake = await temporaryLake();
  const stages = [...stagesBefore({ parts: [[{ id: 'a', text: original }]] }), signatures, dedup];
  const recipe = { dedup: dedupRecipe.parse({}) };
  await runStages(lake, stages.slice(0, -1), recipe);
  const [file] = filesBelow(lake, 'signatures');
  const whole = readFileSync(file!);
  writeFileSync(file!, Buffer.from(whole).fill(0, 8, whole.length >> 1));
  await expect(runStages(lake, stages, recipe)).rejects.toThrow(/dedup: task part-00000 failed/);
  expect(filesBelow(lake, 'duplicates')).toEqual([]);
  writeFileSync(file!, whole.subarray(0, whole.length / 2));
  expect((await runStages(lake, stages, recipe)).at(-1)!.counts['documents']).toBe(1);
  expect(readFileSync(file!).equals(whole)).toBe(true);
});

test('an id that stands twice never drops itself', async () => {
  const { rows, counts } = await deduplicate({
    parts: [
      [
        { id: 'a', text: original },
        { id: 'a', text: original },
      ],
      [{ id: 'a', text: madeText(9, 100) }],
    ],
  });
  expect(rows).toEqual([]);
  expect(counts['documents']).toBe(1);
});

interface Planted {
  a: string;
  b: string;
  inter: number;
  union: number;
}

const planted = (['english', 'chinese'] as const).map((language) => ({
  language,
  texts: sharedData(`dedup/planted-${language}.jsonl.gz`),
  manifest: sharedData(`dedup/planted-${language}.manifest.json`),
}));

test.skipIf(planted.some((p) => !p.texts || !p.manifest)).each(planted)(
  'planted pairs in $language: each of 0.8 and more, none below, at its exact similarity',
  async ({ texts, manifest }) => {
    const all = jsonLines<MadeDocument>(texts!);
    const { pairs } = JSON.parse(readFileSync(manifest!, 'utf8')) as { pairs: Planted[] };
    const { rows } = await deduplicate({ parts: [all.slice(0, 150), all.slice(150)] });
    const found = new Map(rows.map((r) => [[r.document_id, r.kept_id].toSorted().join(), r.similarity]));
    const expected = pairs
      .filter((p) => p.inter / p.union >= 0.8)
      .map((p) => [[p.a, p.b].toSorted().join(), p.inter / p.union] as const);
    expect(expected.length).toBeGreaterThan(0);
    expect(found).toEqual(new Map(expected));
  },
);
