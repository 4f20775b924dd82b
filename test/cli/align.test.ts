import { join } from 'node:path';
import { expect, test } from 'vitest';
import { alignRecipe } from '../../cli/align/prepare.ts';
import { alignReport } from '../../cli/align/report.ts';
import type { Standing } from '../../cli/align/measure.ts';
import { displayWidth } from '../../cli/table.ts';
import type { Output } from '../../core/stage/index.ts';

test('the recipe reads the folder that was made, and nothing else', () => {
  const recipe = alignRecipe('/some where/data, {x}');
  const paths = [
    ...recipe.files!.map((f) => f.path),
    recipe.tokenizer!.file,
    recipe.finetune!.data,
    recipe.reward!.data,
    recipe.dpo!.data,
    recipe.grpo!.prompts,
  ].flat();
  expect(paths).toHaveLength(7);
  for (const path of paths) expect(path).toBe(join('/some where/data, {x}', String(path).split('/').at(-1)!));
  expect(recipe.name).toBe('align');
});

const run = (stage: string, more: object = {}) =>
  ({
    stage,
    facts: { steps: 1600, parameters: 1_115_648, loss: { first: 7.671, last: 2.14 }, ...more },
  }) as unknown as Output;
const standing = (greedy: number, shown: string): Standing => ({
  greedy,
  sampled: greedy / 2,
  sentences: 0.9,
  kl: 1.2345,
  wins: 0.75,
  shown: [shown],
});

test('the table shows each run, before and after, in 80 columns, and says what the model cannot do', () => {
  const report = alignReport(
    [
      run('pretrain'),
      run('finetune'),
      run('reward', { held_out: { accuracy: 0.68 } }),
      run('dpo', { held_out: { accuracy: 0.8 } }),
      run('grpo'),
    ],
    new Map([
      ['finetune', standing(0.61, '48')],
      ['dpo', standing(0.7, '48 + 6 = 54.')],
      ['grpo', standing(1, '\u202e48 + 6\n= 54.')],
    ]),
    [{ id: 'a', turns: [{ role: 'user', content: 'What is 48 + 6?' }], reference: '54' }],
    { prompts: 500, seconds: 203.4, width: 80 },
  );
  const lines = report.split('\n');
  expect(lines.filter((l) => displayWidth(l) > 80)).toEqual([]);
  expect(lines.find((l) => l.startsWith('dpo'))).toMatch(
    /^dpo +1600 +7\.67 → 2\.14 +80 +1\.23 +61 → 70 +31 → 35 +90 → 90 +75$/,
  );
  expect(lines.find((l) => l.startsWith('finetune'))).toMatch(/^finetune +1600 +7\.67 → 2\.14 +61 +31 +90$/);
  expect(lines.find((l) => l.startsWith('grpo'))).toContain('61 → 100');
  expect(report).not.toContain('…');
  expect(report).toContain('    grpo      48 + 6 ⏎ = 54.');
  for (const words of [
    'What is 48 + 6?',
    'general questions are beyond it',
    '203 seconds',
    '1.12 M parameters',
    'chat align-grpo',
  ])
    expect(report).toContain(words);
});
