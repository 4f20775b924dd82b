import { expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { openCpu } from '../../../trainer/engines/cpu/engine.ts';
import { openEngine } from '../../../trainer/engines/open.ts';
import { add } from '../../../trainer/ops/add/op.ts';
import { defineKernel, type Tensor } from '../../../trainer/ops/define.ts';
import { linear } from '../../../trainer/ops/linear/op.ts';
import { record } from '../../../trainer/program/record.ts';

const noCompiler = findCompiler() === null;
if (noCompiler) console.warn('skipped: no C compiler, so there is no CPU engine');

const tensor = (name: string, shape: number[]): Tensor => ({ name, shape, type: 'f32', zone: 'inputs' });

test.skipIf(noCompiler)('thousands of short lists on more threads than processors: none is lost, none hangs', () => {
  const [x, w] = [tensor('x', [5, 5]), tensor('w', [5, 5])];
  const { tape } = record(() => add({ a: linear({ x, w }).y, b: x }));
  const long = openCpu(5)!;
  const short = openCpu(5)!;
  const values = Array.from({ length: 4 }, () => new Float32Array(64).fill(1));
  const [views, sum] = [new Map<string, Float32Array>(), values[3]!];
  views.set('x', values[0]!).set('w', values[1]!).set('linear.y', values[2]!).set('add.y', sum);
  const bound = tape.calls.map((call) => ({ ...call, views: call.tensors.map((t) => views.get(t.name)!) }));
  const both = long.bind([...bound, ...bound, ...bound]);
  const first = short.bind(bound.slice(0, 1));
  for (let i = 0; i < 5000; i++) {
    values[0]!.fill(i % 7);
    sum.fill(-1);
    both();
    first();
    if (sum[24] !== 6 * (i % 7)) expect(sum[24], `list ${i}`).toBe(6 * (i % 7));
  }
  expect(sum[25]).toBe(-1);
  long.close();
  expect(() => both()).toThrow('closed');
  first();
});

test.skipIf(noCompiler)('a kernel that C does not have is named when it is bound', () => {
  const missing = defineKernel({ name: 'nowhere', tensors: {}, numbers: [], reference: () => {} })({}, {});
  expect(() => openCpu(1)!.bind([{ ...missing, views: [] }])).toThrow('no kernel nowhere');
});

test('memory is zero, and a number of threads that cannot be is refused', () => {
  const engine = openEngine('cpu', 1);
  const { buffer, byteOffset } = engine.allocate(1000);
  expect(new Uint8Array(buffer, byteOffset, 1000).every((b) => b === 0)).toBe(true);
  expect(() => openEngine('cpu', 0)).toThrow(/whole number from 1/);
  expect(() => openEngine('cpu', 1.5)).toThrow(/whole number from 1/);
});
