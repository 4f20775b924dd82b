import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { passAtK, writeAnswers } from '../../../trainer/align/evaluate.ts';
import { openSampler } from '../../../trainer/sample/sampler.ts';
import { toyModel } from '../toy-model.ts';

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'garner-eval-'));
  await toyModel(join(folder, 'toy'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Share of all choices of k of n answers, of which the first c are right, that have a right one. */
function counted(n: number, c: number, k: number): number {
  let [all, good] = [0, 0];
  for (let set = 0; set < 2 ** n; set++) {
    const members = [...set.toString(2)].filter((b) => b === '1').length;
    if (members !== k) continue;
    all++;
    if (set % 2 ** c > 0) good++;
  }
  return good / all;
}

test('pass@k is the share of all choices of k answers with a right one', () => {
  for (let n = 1; n <= 7; n++)
    for (let c = 0; c <= n; c++)
      for (let k = 1; k <= n; k++) expect(passAtK(n, c, k)).toBeCloseTo(counted(n, c, k), 12);
  expect(passAtK(4, 2, 5)).toBeNaN();
});

test('an answer depends on its prompt and number alone, however many are written at one time', () => {
  const write = (slots: number) => {
    const sampler = openSampler(join(folder, 'toy'), { threads: 1, slots });
    const prompts = ['one', 'two', '三'].map((content) => sampler.chat!.prompt([{ role: 'user', content }]));
    const all = writeAnswers(sampler, prompts, 3, { temperature: 1, topK: 0, topP: 1, seed: 4, tokens: 9 });
    sampler.close();
    return all;
  };
  const all = write(9);
  expect(write(2)).toEqual(all);
  expect(all.map((list) => list.length)).toEqual([3, 3, 3]);
  expect(new Set(all.flat().map((a) => a.text)).size).toBeGreaterThan(5);
  for (const { finish, tokens } of all.flat()) expect(finish === 'stop' || tokens === 9).toBe(true);
});
