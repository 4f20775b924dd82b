import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { meshOf, type FixtureOptions } from '../../../bench/ranks/compare.ts';
import { compiledModule, packageRoot } from '../../../core/root.ts';

/** A fault that others have made: one place in the compiled code that is changed, and a mesh that must show it. */
export interface Fault {
  name: string;
  file: string;
  from: string;
  to: string;
  options: FixtureOptions;
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'a mean of means instead of the mean over all tokens',
    file: 'trainer/parallel/open.js',
    from: 'sum.lossSum += all[2 * slot];',
    to: 'sum.lossSum += (all[2 * slot] / all[2 * slot + 1]) * (all.filter((_, i) => i % 2).reduce((a, b) => a + b, 0) / slots);',
    options: { mesh: meshOf(2, 1, 1) },
  },
  {
    name: 'norm gradients that are not summed where tensor ranks share rows',
    file: 'trainer/parallel/open.js',
    from: 'options.sequence && part.axis === null',
    to: 'false && part.axis === null',
    options: { mesh: meshOf(1, 2, 1), sequence: true },
  },
  {
    name: 'a tied lookup that is lost',
    file: 'trainer/parallel/gradients.js',
    from: 'ends.allReduce(gradients)',
    to: '(() => {})()',
    options: { mesh: meshOf(1, 1, 2) },
  },
  {
    name: 'replicated weights that are counted twice',
    file: 'trainer/parallel/local.js',
    from: 'counts: part.holders[0] === place.tensor && chunk === uses[0]',
    to: 'counts: chunk === uses[0]',
    options: { mesh: meshOf(1, 2, 1) },
  },
  {
    name: 'tied weights that are counted twice',
    file: 'trainer/parallel/local.js',
    from: 'counts: part.holders[0] === place.tensor && chunk === uses[0]',
    to: 'counts: part.holders[0] === place.tensor',
    options: { mesh: meshOf(1, 1, 2) },
  },
  {
    name: 'weight decay on one-dimensional tensors',
    file: 'trainer/parallel/update.js',
    from: 'numbers: [size, bucket.decay ? size : 0]',
    to: 'numbers: [size, size]',
    options: { mesh: meshOf(2, 1, 1) },
  },
  {
    name: 'gradients of shared key/value heads that are not summed',
    file: 'trainer/parallel/open.js',
    from: 'return heads;',
    to: 'return null;',
    options: { mesh: meshOf(1, 4, 1), keyValueHeads: 2 },
  },
];

/** A copy of the compiled code with a fault in it. Throws where the place is not there exactly once. */
export function plantFault({ file, from, to }: Fault): { module: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'garner-fault-'));
  cpSync(join(packageRoot, 'dist'), join(root, 'dist'), { recursive: true });
  for (const name of ['node_modules', 'package.json', 'trainer', 'core', 'datasets', 'tokenizer', 'filters'])
    symlinkSync(join(packageRoot, name), join(root, name));
  const path = join(root, 'dist', file);
  const pieces = readFileSync(path, 'utf8').split(from);
  if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} places with "${from}"`);
  writeFileSync(path, pieces.join(to));
  return {
    module: compiledModule('bench/ranks/rank').replace(packageRoot, root),
    remove: () => rmSync(root, { recursive: true }),
  };
}
