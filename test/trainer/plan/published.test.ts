import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { comparedMeshes, comparedRuns, outputOf, publishedTables } from '../../../cli/plan-published.ts';
import { asset } from '../../../core/root.ts';
import { flopsPerToken } from '../../../trainer/plan/flops.ts';
import { findModel } from '../../../trainer/plan/models.ts';

const runs = await comparedRuns();
const meshes = await comparedMeshes();
const BARS = { time: 0.05, money: 0.15, 'CO₂': 0.05 } as const;

test.each(runs.map((r) => [r.of, r.row.run, r] as const))('%s of %s', (of, _, { ratio }) => {
  expect(Math.abs(ratio - 1)).toBeLessThanOrEqual(BARS[of]);
});

test.each(meshes.map((m) => [m.row.run, m.row.fits ? 'yes' : 'no', m] as const))('%s: %s', (_, __, { row, plan }) => {
  expect(plan.fits).toBe(row.fits);
  if (row.gigabytes !== null) {
    expect(plan.memoryPerGpu.total / 1e9).toBeGreaterThan(row.gigabytes * 0.9);
    expect(plan.memoryPerGpu.total / 1e9).toBeLessThan(row.gigabytes * 1.1);
  }
  const { total, ...parts } = plan.memoryPerGpu;
  expect(Object.values(parts).reduce((a, b) => a + b, 0)).toBeCloseTo(total, 0);
});

test('every row of the published figures is there, and the planner’s own guess is no fit to them', () => {
  expect(runs.filter((r) => r.of === 'time')).toHaveLength(15);
  expect(runs.filter((r) => r.of === 'money')).toHaveLength(5);
  expect(runs.filter((r) => r.of === 'CO₂')).toHaveLength(2);
  expect(meshes.filter((m) => m.row.fits).length).toBeGreaterThanOrEqual(6);
  expect(meshes.filter((m) => !m.row.fits).length).toBeGreaterThanOrEqual(5);
  for (const { row, guessedMfu } of runs)
    expect([row.run, row.efficiency]).not.toEqual([row.run, `--mfu ${guessedMfu}`]);
});

test('the length matters: Llama 3 405B at 131,072 costs 2.16 times what it costs at 8,192, and 2.33 times 6 a parameter', () => {
  const model = findModel('llama3.1-405b');
  expect(flopsPerToken(model, 131_072) / flopsPerToken(model, 8192)).toBeCloseTo(2.16, 2);
  expect(flopsPerToken(model, 131_072) / flopsPerToken(model, 131_072, '6nd')).toBeCloseTo(2.33, 2);
});

const path = asset('docs/guides/cost.md');

/** The guide with its tables and the output of its commands made anew; `| head -N` cuts as the shell does. */
async function remade(text: string): Promise<string> {
  const tables = publishedTables(runs, meshes);
  let page = text.replace(
    /(<!-- made by [^\n]*-->\n)[^]*?(<!-- \/made -->)/,
    (_, from: string, to: string) => `${from}${tables}\n${to}`,
  );
  for (const [block, command] of text.matchAll(/```\n\$ garner ([^\n]+)\n[^]*?```/g)) {
    const [, words, lines] = /^(.*?)(?: \| head -(\d+))?$/.exec(command!)!;
    const output = (await outputOf(words!.split(' '))).trimEnd().split('\n');
    page = page.replace(
      block,
      () =>
        `\`\`\`\n$ garner ${command!}\n${output
          .slice(0, Number(lines ?? 1000))
          .join('\n')
          .trimEnd()}\n\`\`\``,
    );
  }
  return page;
}

test('docs/guides/cost.md shows what the commands print and what the rows give (UPDATE_DOCS=1 writes it)', async () => {
  const text = readFileSync(path, 'utf8');
  const made = await remade(text);
  if (process.env['UPDATE_DOCS']) writeFileSync(path, made);
  expect(readFileSync(path, 'utf8')).toBe(made);
});

test('the guide tells GPT-3’s two figures apart', async () => {
  const guide = readFileSync(path, 'utf8');
  expect(guide).toMatch(/time +34\.\d days/);
  expect(guide).toMatch(/money +\$4\.6\d million/);
});
