import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { asset } from '../../core/root.ts';
import { configOfDepth } from '../../trainer/model/config.ts';
import { openSession } from '../../trainer/session.ts';
import { distance, normals } from './ops/harness.ts';

/** Numbers of test/trainer/oracle.py; GARNER_ORACLE=1 makes them again (Debian's python3-torch). */
const golden = asset('test/golden/trainer/llama-tiny.json');
interface Golden {
  torch: string;
  loss: number;
  gradients: Record<string, { norm: number; some: number[] }>;
}

const config = configOfDepth(2, {
  vocabulary: 23,
  context: 12,
  width: 20,
  heads: 4,
  keyValueHeads: 2,
  headSize: 6,
  feedForward: 28,
});
const [batch, sequence] = [2, 12];
const token = (i: number) => (i * i + 5 * i) % 23;
const tokens = Int32Array.from({ length: batch * sequence }, (_, i) => token(i));
const targets = Int32Array.from({ length: batch * sequence }, (_, i) => (i % 7 === 3 ? -1 : token(i + 1)));

test.each(['cpu', 'reference'] as const)('%s: loss and gradients are those of PyTorch', (engine) => {
  const session = openSession(config, { batch, sequence, threads: 2, engine, seed: 1 });
  // far from the initial weights, so that no part is too small to see
  session.tensors.forEach(({ weight, shape }, i) =>
    weight.set(normals(weight.length, i + 1, shape.length > 1 ? 0.4 : 1)),
  );
  if (process.env['GARNER_ORACLE']) {
    const rowsOf = (all: Int32Array) =>
      Array.from({ length: batch }, (_, b) => [...all.subarray(b * sequence, (b + 1) * sequence)]);
    const weights = session.tensors.map(({ name, shape, weight }) => [name, { shape, values: [...weight] }]);
    const input = { config, tokens: rowsOf(tokens), targets: rowsOf(targets), weights: Object.fromEntries(weights) };
    const out = execFileSync('/usr/bin/python3', [asset('test/trainer/oracle.py')], { input: JSON.stringify(input) });
    writeFileSync(golden, `${JSON.stringify(JSON.parse(String(out)), null, 1)}\n`);
  }
  expect(existsSync(golden)).toBe(true);
  const wanted = JSON.parse(readFileSync(golden, 'utf8')) as Golden;
  const { lossSum, tokens: trained } = session.forwardBackward(tokens, targets);
  expect(trained).toBe(21);
  expect(Math.abs(lossSum / wanted.loss - 1)).toBeLessThan(1e-6);
  for (const { name, gradient } of session.tensors) {
    const { norm, some } = wanted.gradients[name]!;
    const step = Math.max(1, Math.floor(gradient.length / 8));
    expect(
      distance(
        some.map((_, i) => gradient[i * step]!),
        some,
      ),
      name,
    ).toBeLessThan(2e-5);
    expect(Math.abs(Math.hypot(...gradient) / norm - 1), name).toBeLessThan(1e-5);
  }
  session.close();
});
