import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as garner from '../index.ts';
import { packageRoot } from '../core/root.ts';

const golden = join(packageRoot, 'test', 'golden', 'exports.json');

test('the public names are those of the golden file, so that growth is seen in review (UPDATE_DOCS=1 writes it)', () => {
  const names = Object.fromEntries(
    Object.entries(garner).map(([folder, door]) => [folder, Object.keys(door).toSorted()]),
  );
  if (process.env['UPDATE_DOCS']) writeFileSync(golden, `${JSON.stringify(names, null, 1)}\n`);
  expect(names).toEqual(JSON.parse(readFileSync(golden, 'utf8')));
});

test('package.json has one door a folder, and each is there', () => {
  const { exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    exports: Record<string, { types: string; default: string }>;
  };
  expect(Object.keys(exports)).toEqual([
    '.',
    ...Object.keys(garner)
      .toSorted()
      .map((n) => `./${n}`),
  ]);
  for (const { types, default: file } of Object.values(exports))
    for (const path of [types, file]) expect([path, existsSync(join(packageRoot, path))]).toEqual([path, true]);
});
