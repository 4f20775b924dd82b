import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../core/root.ts';
import { killGroup, lakeDigest, runGarner, startGarner } from './lakes.ts';

/** A recipe of a few seconds over real text in both languages, from files to a trained model. */
const recipe = (folder: string, over: { short?: number; threshold?: number } = {}) => `
name: repeat
files:
  - { path: ${join(folder, 'input')}, type: jsonl, name: books }
filters:
  language: { keep: [en, zh] }
  gopher_repetition: {}
  gopher_quality: { gopher_short_doc: ${over.short ?? 20} }
  fineweb: {}
mask: {}
dedup: { threshold: ${over.threshold ?? 0.8} }
mix: { validation: { share: 0.1, seed: 1 } }
tokenizer: { vocabulary: 512 }
pretrain:
  model: { depth: 1, width: 64, heads: 2 }
  sequence: 64
  batch: 4
  steps: 12
  learning_rate: { peak: 0.003, schedule: cosine, warmup: 2 }
  validation: { every: 6, windows: 2 }
  checkpoint: { every: 4 }
  seed: 7
`;

let folder = '';
let file = '';
let reference: Record<string, string> = {};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'garner-repeat-'));
  mkdirSync(join(folder, 'input'));
  const texts = join(packageRoot, 'examples', 'sample-site', 'texts');
  const moby = join(packageRoot, 'node_modules', '@stdlib', 'datasets-moby-dick', 'data');
  const chapters = Array.from({ length: 60 }, (_, i) => readFileSync(join(moby, `chapter_${i + 1}.txt`), 'utf8'));
  const novel = gunzipSync(readFileSync(join(texts, 'chinese-novels.txt.gz')))
    .toString('utf8')
    .split('\n')
    .filter((p) => p.length > 100)
    .slice(0, 120);
  const documents = [
    ...chapters,
    ...novel,
    ...chapters.slice(0, 5),
    'write to a.reader@example.com or +1 212 555 0123 for more of this page and the others of its kind',
  ];
  for (let part = 0; part < 3; part++) {
    const lines = documents
      .filter((_, i) => i % 3 === part)
      .map((text, i) => JSON.stringify({ id: `${part}-${i}`, text }));
    writeFileSync(
      join(folder, 'input', `part-${part}.jsonl`),
      `${lines.join('\n')}\n${part === 0 ? 'not json\n' : ''}`,
    );
  }
  file = join(folder, 'repeat.yaml');
  writeFileSync(file, recipe(folder));
  const first = runGarner(['run', file, '--lake', join(folder, 'one'), '--workers', '1']);
  expect(first.err + first.out).not.toMatch(/a bug of garner/);
  expect(first.code).toBe(0);
  reference = lakeDigest(join(folder, 'one'));
  expect(Object.keys(reference).length).toBeGreaterThan(20);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the same input and recipe give the same bytes', () => {
  test('with two workers', () => {
    expect(runGarner(['run', file, '--lake', join(folder, 'two'), '--workers', '2']).code).toBe(0);
    expect(lakeDigest(join(folder, 'two'))).toEqual(reference);
  });

  test('after kill -9 at ten moments, each followed by the same command', async () => {
    const lake = join(folder, 'killed');
    let kills = 0;
    const during = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const { child, ended } = startGarner(['run', file, '--lake', lake, '--workers', '2']);
      // Spread over the few seconds of a run, from its first files to its last step.
      const done = await Promise.race([ended.then(() => true), sleep(400 + 250 * i).then(() => false)]);
      if (done) break;
      killGroup(child);
      const { err } = await ended;
      during.add([...err.matchAll(/"begin","stage":"(\w+)"/g)].at(-1)?.[1] ?? 'start');
      kills++;
    }
    expect(kills).toBeGreaterThanOrEqual(5);
    expect(during.size).toBeGreaterThanOrEqual(2);
    expect(runGarner(['run', file, '--lake', lake, '--workers', '2']).code).toBe(0);
    expect(lakeDigest(lake)).toEqual(reference);
  });

  test('a second run makes nothing and changes nothing', () => {
    const again = runGarner(['run', file, '--lake', join(folder, 'one'), '--json']);
    const reports = again.out
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l) as { units: { reused: boolean }[] });
    expect(reports.flatMap((r) => r.units).every((u) => u.reused)).toBe(true);
    expect(lakeDigest(join(folder, 'one'))).toEqual(reference);
  });
});

test('a changed threshold re-runs exactly what depends on it', () => {
  const lake = join(folder, 'changed');
  cpSync(join(folder, 'one'), lake, { recursive: true });
  const changed = join(folder, 'changed.yaml');
  const made = (over: Parameters<typeof recipe>[1]) => {
    writeFileSync(changed, recipe(folder, over));
    const { out } = runGarner(['run', changed, '--lake', lake, '--json']);
    const reports = out
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l) as { stage: string; units: { name: string; reused: boolean }[] });
    return reports.filter((r) => r.units.some((u) => !u.reused)).map((r) => r.stage);
  };
  expect(made({ threshold: 0.85 })).toEqual(['dedup', 'mix', 'tokenizer', 'shards', 'pretrain']);
  expect(made({ threshold: 0.85, short: 60 })).toEqual(['judge', 'dedup', 'mix', 'tokenizer', 'shards', 'pretrain']);
});
