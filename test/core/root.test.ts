import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dependencyVersion, packageRoot } from '../../core/root.ts';

test('the version of a dependency is that of its own package.json; a stranger has none', () => {
  const duckdb = JSON.parse(
    readFileSync(join(packageRoot, 'node_modules', '@duckdb', 'node-api', 'package.json'), 'utf8'),
  ) as { version: string };
  expect(dependencyVersion('@duckdb/node-api')).toBe(duckdb.version);
  expect(dependencyVersion('no-such-package')).toBe('unknown');
});
