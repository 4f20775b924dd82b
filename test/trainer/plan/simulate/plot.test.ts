import { SaxesParser } from 'saxes';
import { expect, test } from 'vitest';
import { findGpu } from '../../../../trainer/plan/gpus.ts';
import type { Layout } from '../../../../trainer/plan/memory.ts';
import { findModel } from '../../../../trainer/plan/models.ts';
import { drawScaling } from '../../../../trainer/plan/simulate/plot.ts';
import { scalingCurve } from '../../../../trainer/plan/simulate/scaling.ts';

const layout: Layout = {
  mesh: { data: 8, tensor: 8, pipeline: 16, context: 1 },
  zero: 1,
  microBatch: 1,
  microBatches: 96,
  sequence: 8192,
  recompute: 'selective',
  attention: 'flash',
  precision: 'bf16',
  chunks: 8,
  sequenceParallel: true,
};
const llama3 = { shape: findModel('llama3.1-405b'), gpu: findGpu('h100'), layout };
const points = scalingCurve(llama3);

test('a curve: the same batch on ever more GPUs, the own count among them, as far as the schedule goes', () => {
  const gpus = points.map((p) => p.gpus);
  expect(gpus).toEqual(gpus.toSorted((a, b) => a - b));
  expect(gpus).toContain(1024);
  expect([gpus[0], gpus.at(-1)]).toEqual([128, 6144]);
  for (const { layout: own } of points) {
    expect(own.microBatches * own.mesh.data).toBe(768);
    expect(own.microBatches % 16).toBe(0);
  }
  const [first, last] = [points[0]!, points.at(-1)!];
  expect(last.tokensPerSecond).toBeGreaterThan(20 * first.tokensPerSecond);
  expect(last.mfu).toBeLessThan(first.mfu);
  expect(last.effective).toBeLessThan(first.effective);
  expect([first.fits, last.fits]).toEqual([false, true]);
});

test('a batch of few divisors still makes a curve, of almost the whole batch; memory is that of the question', () => {
  const plain: Layout = { ...layout, mesh: { data: 1, tensor: 1, pipeline: 1, context: 1 }, chunks: 1, sequence: 1024 };
  const prime = { shape: findModel('gpt2-124m'), gpu: findGpu('h100'), layout: { ...plain, microBatches: 61 } };
  const curve = scalingCurve(prime);
  expect(curve.length).toBeGreaterThanOrEqual(6);
  for (const { layout: own } of curve) {
    expect(Number.isInteger(own.microBatches)).toBe(true);
    expect(own.microBatches * own.mesh.data).toBeGreaterThanOrEqual(0.95 * 61);
    expect(own.microBatches * own.mesh.data).toBeLessThanOrEqual(61);
  }
  expect(curve.every((p) => p.fits)).toBe(true);
  expect(scalingCurve({ ...prime, memory: 1e9 }).some((p) => p.fits)).toBe(false);
});

test('what cannot be simulated in seconds is refused with its numbers', () => {
  expect(() => scalingCurve({ ...llama3, most: 512 })).toThrow('1024 GPUs');
  const long = { ...llama3, layout: { ...layout, microBatches: 16_000 } };
  expect(() => scalingCurve(long)).toThrow('128000 micro-batches × pipeline 16 × 8 chunks');
  expect(() => scalingCurve({ ...llama3, layout: { ...layout, microBatches: 90 } })).toThrow('90 ≠ 5.63 × 16');
});

/** Texts and numbers of an SVG, which must be well-formed. */
function read(svg: string) {
  const [texts, numbers]: [string[], number[]] = [[], []];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('text', (text) => texts.push(text.trim()));
  parser.on('opentag', ({ attributes }) => {
    const { style: _, class: __, xmlns: ___, ...rest } = attributes as Record<string, string>;
    for (const name of ['x', 'y', 'x1', 'x2', 'y1', 'y2', 'cx', 'cy', 'd'])
      numbers.push(
        ...(rest[name]
          ?.split(/[MLZ ]/)
          .filter((n) => n !== '')
          .map(Number) ?? []),
      );
  });
  parser.write(svg).close();
  return { texts, numbers };
}

test('a picture is well-formed, stays in its frame and shows its numbers', () => {
  const svg = drawScaling(points, { title: 'A & B < "C"', note: '768 rows' });
  const { texts, numbers } = read(svg);
  expect(numbers.length).toBeGreaterThan(200);
  expect(numbers.filter((n) => !(n >= 0 && n <= 960))).toEqual([]);
  expect(texts).toEqual(
    expect.arrayContaining(['A & B < "C"', '768 rows', 'MFU', 'tokens a second', '6,144', 'ideal', 'stragglers']),
  );
  expect(texts).toContain(`${(points[0]!.mfu * 100).toFixed(1)} %`);
  expect(svg).toContain('prefers-color-scheme:dark');
});

test('one point, and a curve of small models, can be drawn too', () => {
  const one = { ...layout, mesh: { data: 1, tensor: 1, pipeline: 1, context: 1 }, microBatches: 1, chunks: 1 };
  const small = { shape: findModel('gpt2-124m'), gpu: findGpu('rtx4090'), layout: { ...one, sequence: 1024 } };
  for (const microBatches of [1, 12]) {
    const curve = scalingCurve({ ...small, layout: { ...small.layout, microBatches } });
    expect(curve).toHaveLength(microBatches === 1 ? 1 : 5);
    const { numbers } = read(drawScaling(curve, { title: 'GPT-2' }));
    expect(numbers.filter((n) => !(n >= 0 && n <= 960))).toEqual([]);
  }
});
