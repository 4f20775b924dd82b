import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import command from '../../../cli/commands/mask.ts';
import type { Terminal } from '../../../cli/command.ts';
import { GarnerError } from '../../../core/errors.ts';
import { documentId } from '../../../core/hash.ts';
import { openLake } from '../../../core/lake/lake.ts';
import { readEditedDocuments, documentParts } from '../../../core/lake/documents.ts';
import { readTable, writeTable } from '../../../core/lake/parquet.ts';
import { silent } from '../../../core/progress.ts';
import { decisions, documents, edits, type Document } from '../../../core/records/index.ts';
import { defineStage, inProcess, run, type Output } from '../../../core/stage/index.ts';
import { readMarker } from '../../../core/stage/marker.ts';
import { applyEdits } from '../../../core/text/edits.ts';
import { parseRecipe } from '../../../core/recipe/read.ts';
import { mask } from '../../../filters/privacy/mask.ts';
import { ALL } from '../../../filters/privacy/detect.ts';
import { maskSection } from '../../../filters/privacy/recipe.ts';
import stage from '../../../filters/stages/mask.ts';

const TEXTS = [
  'Write to bob@example.com or 4111111111111111.',
  'Nothing here.',
  '致电13912345678，邮箱bob@example.com',
];

const row = (text: string, i: number): Document => ({
  id: documentId('toy', String(i)),
  capture_id: null,
  source: 'toy',
  url: null,
  text,
  title: i === 1 ? 'Letter to ann@example.org' : null,
  author: 'nobody',
  published: null,
  language: null,
  licence: null,
  metadata:
    i === 0
      ? { contact: 'bob@example.com', topic: 'post' }
      : i === 2
        ? { 'sent by eve@example.com': 'dan@example.com' }
        : {},
  location: `toy:${i}`,
});

const read = defineStage({
  name: 'read',
  version: 1,
  module: 'none',
  inputs: [],
  params: () => ({}),
  tasks: () => [{ id: 'part-00000', input: null }],
  async run(_task, _p, io) {
    const table = await writeTable(io.file('documents', 'part-00000.parquet'), documents);
    for (const [i, text] of TEXTS.entries()) table.append(row(text, i));
    await table.close();
    return { documents: TEXTS.length };
  },
});

let lake = '';
beforeEach(async () => {
  lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-mask-')));
});
afterEach(() => {
  rmSync(lake, { recursive: true, force: true });
  delete process.env['GARNER_KEY'];
});

const start = async (section: string): Promise<{ key: string; output: Output; inputs: Record<string, Output[]> }> => {
  const recipe = { name: 'toy', mask: parseRecipe('toy.yaml', section, maskSection) };
  const reports = await run({ lake, recipe, stages: [read, stage], executor: inProcess(), progress: silent });
  const outputs = reports.map((r) => readMarker(lake, r.stage, r.units[0]!.name, r.units[0]!.key!)!);
  return { key: outputs[1]!.key, output: outputs[1]!, inputs: { read: [outputs[0]!], mask: [outputs[1]!] } };
};

const rows = async <T>(batches: AsyncIterable<T[]>): Promise<T[]> => {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
};

const file = (output: Output, folder: string) => join(lake, output.files.find((f) => f.folder === folder)!.path);

test('the stage writes edits, the edited text, and a decision an edit that shows a span and no value', async () => {
  const { output, inputs } = await start('{}');
  expect(output.counts).toEqual({ documents: 3, edited: 3, edits: 4 });
  const made = await rows(readTable([file(output, 'edits')], edits));
  expect(made.map((e) => [e.rule, e.replacement, e.value_hash])).toEqual([
    ['EMAIL_ADDRESS', '<EMAIL>', null],
    ['CREDIT_CARD', '<CARD>', null],
    ['CN_MOBILE', '<PHONE>', null],
    ['EMAIL_ADDRESS', '<EMAIL>', null],
  ]);
  const decided = await rows(readTable([file(output, 'decisions')], decisions));
  expect(decided[0]).toMatchObject({ stage: 'mask', rule: 'EMAIL_ADDRESS', verdict: 'edit', evidence: '9-24' });
  const edited = await rows(
    readEditedDocuments(lake, documentParts(inputs)[0]!, inputs, ['text', 'title', 'author', 'metadata']),
  );
  expect(edited.map((d) => d.text)).toEqual([
    'Write to <EMAIL> or <CARD>.',
    'Nothing here.',
    '致电<PHONE>，邮箱<EMAIL>',
  ]);
  expect(edited.map((d) => d.title)).toEqual([null, 'Letter to <EMAIL>', null]);
  expect(edited.map((d) => d.author)).toEqual(['nobody', 'nobody', 'nobody']);
  expect(edited[0]!.metadata).toEqual({ contact: '<EMAIL>', topic: 'post' });
  expect(edited[2]!.metadata).toEqual({ 'sent by <EMAIL>': '<EMAIL>' });
  expect(decided.map((d) => d.evidence)).toEqual([
    '9-24',
    '28-44',
    'metadata.contact',
    'title',
    '2-13',
    '16-31',
    'metadata',
    'metadata.sent by <EMAIL>',
  ]);
  const first = made.filter((e) => e.document_id === documentId('toy', '0'));
  expect(applyEdits(TEXTS[0]!, first)).toBe(edited[0]!.text);
  for (const { path } of output.files) {
    const bytes = readFileSync(join(lake, path)).toString('latin1');
    for (const value of [
      'bob@example.com',
      'ann@example.org',
      'eve@example.com',
      'dan@example.com',
      '4111111111111111',
      '13912345678',
    ])
      expect(bytes).not.toContain(value);
  }
});

test('a key gives equal values equal hashes, and another key another output', async () => {
  const without = await start('{}');
  process.env['GARNER_KEY'] = 'first';
  const { key, output } = await start('{}');
  const made = await rows(readTable([file(output, 'edits')], edits));
  expect(made[0]!.value_hash).toMatch(/^[0-9a-f]{64}$/);
  expect(made[0]!.value_hash).toBe(made[3]!.value_hash);
  expect(new Set(made.map((e) => e.value_hash)).size).toBe(3);
  process.env['GARNER_KEY'] = 'second';
  const other = await start('{}');
  expect(new Set([without.key, key, other.key]).size).toBe(3);
  const hashes = await rows(readTable([file(other.output, 'edits')], edits));
  expect(hashes[0]!.value_hash).not.toBe(made[0]!.value_hash);
});

test('the recipe switches types off and chooses what stands in their place', async () => {
  const { output } = await start('{ emails: false, phones: false, replacement: "[TYPE]" }');
  const made = await rows(readTable([file(output, 'edits')], edits));
  expect(made.map((e) => e.replacement)).toEqual(['[CARD]']);
});

test('a region that does not exist is named with its place', () => {
  const broken = () => parseRecipe('toy.yaml', 'phones:\n  regions: [US, UK]', maskSection);
  expect(broken).toThrow(GarnerError);
  expect(broken).toThrow(/toy\.yaml:2:17.*country code/);
});

test('a masked text is a fixed point', () => {
  const once = mask(TEXTS.join('\n'), { detect: ALL, replacement: '<TYPE>', key: null });
  expect(mask(once.text, { detect: ALL, replacement: '<TYPE>', key: null }).edits).toEqual([]);
});

test('garner mask answers in input order, offsets into the input', async () => {
  let written = '';
  const terminal = {
    stdin: Readable.from([Buffer.from(`{"id":"a","text":"张伟zhang@example.cn"}\nnot json\n{"id":"c"}\n`)]),
    stdout: new Writable({ write: (chunk, _e, done) => ((written += String(chunk)), done()) }),
    stderr: process.stderr,
  } as unknown as Terminal;
  const options = { regions: 'US', replacement: '<TYPE>' };
  expect(await command.run([], options, terminal)).toBe(0);
  expect(
    written
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l) as unknown),
  ).toEqual([
    { id: 'a', text: '张伟<EMAIL>', spans: [{ start: 2, end: 18, type: 'EMAIL_ADDRESS' }] },
    { id: '2', error: 'not_json' },
    { id: 'c', error: 'no_text' },
  ]);
  expect(() => command.run([], { ...options, only: 'mails' }, terminal)).toThrow(/nothing to mask is called "mails"/);
  expect(() => command.run([], { ...options, regions: 'UK' }, terminal)).toThrow(/"UK" is no country code/);
});
