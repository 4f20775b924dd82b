import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metrics as metricsTable, rollouts as rolloutsTable } from '../../../core/records/index.ts';
import { ppoSection } from '../../../trainer/align/policy-recipe.ts';
import { lakeWithOrder, outputs, rowsOf, runOrder, stepsOf, TOY, toySums, type Moment } from './toy-sums.ts';

let root = '';
let checkpoint = '';
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'garner-ppo-'));
  checkpoint = (await toySums(join(root, 'base'))).checkpoint;
});
afterAll(() => rmSync(root, { recursive: true }));

const lakeOf = (name: string, over: object = {}) =>
  lakeWithOrder(join(root, name), 'ppo', { ...ppoSection.parse({ ...TOY, ...over }), name: 'toy-ppo' }, checkpoint);

test('killed inside rollouts, rows and checkpoints of both models, and started again: the same files to the last bit', async () => {
  const undisturbed = lakeOf('undisturbed');
  expect(await runOrder(undisturbed)).toBe('exit 0');
  const rows = await rowsOf(join(undisturbed, 'rollouts/key/rollouts.parquet'), rolloutsTable);
  expect(rows).toHaveLength(4 * 4 * 4);
  for (const { tokens, values } of rows) expect(values).toHaveLength(tokens.length);
  const metrics = await rowsOf(join(undisturbed, 'metrics/key/metrics.parquet'), metricsTable);
  const losses = metrics.filter((m) => m.name === 'value_loss').map((m) => m.value);
  expect(losses).toHaveLength(4);
  for (const loss of losses) expect(loss).toBeGreaterThan(0);
  const lake = lakeOf('killed');
  const moments: Moment[] = [
    ['write', 8],
    ['rename', 8],
    ['step', 3],
  ];
  for (const moment of moments) expect([moment, await runOrder(lake, moment)]).toEqual([moment, 'SIGKILL']);
  expect(await runOrder(lake)).toBe('exit 0');
  expect(await stepsOf(lake)).toEqual(await stepsOf(undisturbed));
  expect(outputs(lake)).toEqual(outputs(undisturbed));
}, 120_000);

test('two ranks: the losses of one, of the value model too', async () => {
  const [one, two] = [join(root, 'undisturbed'), lakeOf('two', { ranks: 2 })];
  expect(await runOrder(two)).toBe('exit 0');
  const [a, b] = [await stepsOf(one), await stepsOf(two)];
  a.forEach((row, i) => expect(Math.abs(row.loss - b[i]!.loss)).toBeLessThan(1e-5));
  const valued = async (lake: string) =>
    (await rowsOf(join(lake, 'metrics/key/metrics.parquet'), metricsTable)).filter((m) => m.name === 'value_loss');
  const [x, y] = [await valued(one), await valued(two)];
  expect(x).toHaveLength(4);
  x.forEach(({ value }, i) => expect(Math.abs(value - y[i]!.value)).toBeLessThan(1e-5));
}, 120_000);
