import { expect, test } from 'vitest';
import { PUBLISHED_STEPS, simulateRow } from '../../../../bench/published-steps.ts';

const rows = PUBLISHED_STEPS.map((row) => ({ ...row, label: `${row.group}: ${row.name}` }));
const barred = rows.filter(
  ({ group, sequence }) => group === 'GPT-3, strong scaling' || (group === 'Llama 3' && sequence === 8192),
);

test.each(barred)('$label: $published %, within 2 points whatever GPUs are drawn', (row) => {
  for (const seed of [1, 2, 3]) expect(Math.abs(simulateRow(row, seed).share - row.published)).toBeLessThan(2);
});

test('the tables of A100 that the one fitted number comes from: median error 0, each within 6 points', () => {
  const errors = rows
    .filter(({ gpu, counts, group }) => gpu === 'a100' && (counts === 'HFU' || group.startsWith('Korthikanti')))
    .map((row) => simulateRow(row).share - row.published)
    .toSorted((a, b) => a - b);
  expect(errors).toHaveLength(14);
  expect(Math.abs((errors[6]! + errors[7]!) / 2)).toBeLessThan(0.5);
  expect(Math.max(...errors.map(Math.abs))).toBeLessThan(6);
});

test('Megatron-Core on H100, none of which was fitted: each within 6 points, the median within 3', () => {
  const errors = rows
    .filter(({ group }) => group === 'Megatron-Core')
    .map((row) => Math.abs(simulateRow(row).share - row.published))
    .toSorted((a, b) => a - b);
  expect(errors.at(-1)!).toBeLessThan(6);
  expect(errors[4]!).toBeLessThan(3);
});
