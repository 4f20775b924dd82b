import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asset, packageRoot } from '../../core/root.ts';

test('the scripts of the pages have no type errors', () => {
  const compiler = join(packageRoot, 'node_modules', '.bin', 'tsc');
  const { stdout, status } = spawnSync(compiler, ['-p', asset('studio/pages')], { encoding: 'utf8' });
  expect([stdout, status]).toEqual(['', 0]);
});

test('pages have no inline script or style, load nothing from elsewhere, and write no markup', () => {
  const folder = asset('studio/pages');
  const files = readdirSync(folder).filter((name) => /\.(?:html|js|css)$/.test(name));
  expect(files.length).toBeGreaterThan(10);
  for (const name of files) {
    const text = readFileSync(join(folder, name), 'utf8');
    expect([name, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/.test(text)]).toEqual([name, false]);
    expect([name, /https?:\/\//.test(text)]).toEqual([name, false]);
    if (!name.endsWith('.html')) continue;
    expect([name, /<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=")/.test(text)]).toEqual([name, false]);
  }
});
