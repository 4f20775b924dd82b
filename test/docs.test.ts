import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../cli/commands/index.ts';
import { helpOf, helpPages } from '../cli/help.ts';
import { recipeOf, STAGES } from '../cli/pipeline.ts';
import { packageRoot } from '../core/root.ts';

const read = (path: string) => readFileSync(join(packageRoot, path), 'utf8');

test('docs/cli.md is what the commands say of themselves (UPDATE_DOCS=1 writes it)', async () => {
  const pages = await helpPages();
  if (process.env['UPDATE_DOCS']) writeFileSync(join(packageRoot, 'docs', 'cli.md'), pages);
  expect(read('docs/cli.md')).toBe(pages);
});

describe.each(Object.keys(COMMANDS))('garner %s', (name) => {
  test('help fits a screen of 80 columns and 40 lines, and shows an example', async () => {
    const text = await helpOf(name);
    const lines = text.split('\n');
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(text).toMatch(/Examples?:\n/);
    expect(text).toContain(`Usage: garner ${name}`);
  });

  test("the summary in the list is the command's own", async () => {
    const { default: command } = await COMMANDS[name]!.load();
    expect(command.name).toBe(name);
    expect(COMMANDS[name]!.summary).toBe(command.summary);
  });
});

test('the shipped recipes are valid, and every stage has a place in the arrow', () => {
  for (const file of ['quickstart', 'recipe', 'align', 'align-preference'].map((name) => `examples/${name}.yaml`))
    expect(recipeOf(file, read(file)).name).toBeTruthy();
  const before = new Set<string>();
  for (const stage of STAGES) {
    expect([stage.name, stage.inputs.filter((i) => !before.has(i))]).toEqual([stage.name, []]);
    before.add(stage.name);
    expect(existsSync(join(packageRoot, `${stage.module}.ts`)), stage.module).toBe(true);
  }
});

test('README names every command and shows only files that exist', () => {
  for (const file of ['README.md', 'README.zh-CN.md']) {
    const text = read(file);
    for (const name of Object.keys(COMMANDS)) expect([file, name, text.includes(name)]).toEqual([file, name, true]);
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, to]) => to!);
    expect(links.filter((to) => !existsSync(join(packageRoot, to)))).toEqual([]);
  }
});
