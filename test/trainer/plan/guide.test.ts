import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { outputOf, publishedTables } from '../../../cli/plan-published.ts';
import { asset } from '../../../core/root.ts';

const path = asset('docs/guides/cost.md');

/** The guide with its tables and the output of its commands made anew; `| head -N` cuts as the shell does. */
async function remade(text: string): Promise<string> {
  const tables = await publishedTables();
  let page = text.replace(
    /(<!-- made by [^\n]*-->\n)[^]*?(<!-- \/made -->)/,
    (_, from: string, to: string) => `${from}${tables}\n${to}`,
  );
  for (const [block, command] of text.matchAll(/```\n\$ garner ([^\n]+)\n[^]*?```/g)) {
    const [, words, lines] = /^(.*?)(?: \| head -(\d+))?$/.exec(command!)!;
    const output = (await outputOf(words!.split(' '))).trimEnd().split('\n');
    page = page.replace(
      block,
      () =>
        `\`\`\`\n$ garner ${command!}\n${output
          .slice(0, Number(lines ?? 1000))
          .join('\n')
          .trimEnd()}\n\`\`\``,
    );
  }
  return page;
}

test('docs/guides/cost.md shows what the commands print and what the rows give (UPDATE_DOCS=1 writes it)', async () => {
  const text = readFileSync(path, 'utf8');
  const made = await remade(text);
  if (process.env['UPDATE_DOCS']) writeFileSync(path, made);
  expect(readFileSync(path, 'utf8')).toBe(made);
});

test('the guide tells GPT-3’s two figures apart', async () => {
  const guide = readFileSync(path, 'utf8');
  expect(guide).toMatch(/time +34\.\d days/);
  expect(guide).toMatch(/money +\$4\.6\d million/);
});
