import { afterAll, describe, expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { openCpu } from '../../../trainer/engines/cpu/engine.ts';
import { openReference } from '../../../trainer/engines/reference.ts';
import { CASES } from '../../../trainer/ops/cases.ts';
import { OP_FOLDERS } from '../../../trainer/ops/folders.ts';
import { distance, openCase } from './harness.ts';

const reference = openReference();
const teams = findCompiler() ? [1, 2, 3].map((threads) => ({ threads, engine: openCpu(threads)! })) : [];
if (teams.length === 0) console.warn('skipped: no C compiler, so the CPU engine is not compared');
afterAll(() => teams.forEach(({ engine }) => engine.close()));

test('every op folder with a backward half has cases', () => {
  const notOps = new Set(['gradient-norm', 'adamw', 'draw']);
  expect(Object.values(CASES).map((cases) => cases.length > 2)).toEqual(
    OP_FOLDERS.filter((f) => !notOps.has(f)).map(() => true),
  );
});

const rows = Object.entries(CASES).flatMap(([op, cases]) => cases.map((given) => ({ op, name: given.name, given })));

describe.each(rows)('$op: $name', ({ given }) => {
  test('the reference gradient agrees with central differences', () => {
    const run = openCase(given, reference, 8);
    run.backward();
    for (const [name, gradient] of Object.entries(run.gradients)) {
      const analytic = Float64Array.from(gradient);
      run.reset();
      const values = Float64Array.from(run.inputs[name]!);
      const h = 1e-5 * Math.sqrt(given.inputs[name]!.scale || 1);
      const count = Math.min(values.length > 2000 ? 4 : 12, values.length);
      const places = Array.from({ length: count }, (_, i) => Math.floor((i * values.length) / count));
      const at = (place: number, value: number) => {
        run.reset();
        run.inputs[name]![place] = value;
        return run.forward();
      };
      const numeric = places.map((p) => (at(p, values[p]! + h) - at(p, values[p]! - h)) / (2 * h));
      expect(
        distance(
          places.map((p) => analytic[p]!),
          numeric,
        ),
        name,
      ).toBeLessThan(1e-6);
      run.reset();
      run.backward();
    }
  });

  test.skipIf(teams.length === 0)(
    'the CPU kernel agrees with the reference, for any number of threads to the bit',
    () => {
      const wanted = openCase(given, reference, 8);
      wanted.forward();
      const outputs = copyOf(wanted.outputs);
      wanted.reset();
      wanted.backward();
      const [one, ...others] = teams.map(({ engine }) => {
        const run = openCase(given, engine, 4);
        run.forward();
        const after = copyOf(run.outputs);
        run.reset();
        run.backward();
        return { outputs: after, gradients: copyOf(run.gradients) };
      });
      const tolerance = given.tolerance ?? 2e-6;
      for (const [name, values] of Object.entries(outputs))
        expect(distance(one!.outputs[name]!, values), name).toBeLessThan(tolerance);
      for (const [name, values] of Object.entries(wanted.gradients))
        expect(distance(one!.gradients[name]!, values), `gradient of ${name}`).toBeLessThan(tolerance);
      for (const other of others) expect(other).toEqual(one);
    },
  );
});

const copyOf = (views: Record<string, ArrayLike<number>>) =>
  Object.fromEntries(Object.entries(views).map(([name, view]) => [name, Float64Array.from(view)]));
