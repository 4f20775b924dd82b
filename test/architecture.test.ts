import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../core/root.ts';

/** Who may import whom. It reads text, since tools built on the old compiler API see nothing under TypeScript 7 and report success. */
const MAY: Record<string, string[]> = {
  core: [],
  crawlers: ['core'],
  filters: ['core'],
  datasets: ['core'],
  tokenizer: ['core'],
  trainer: ['core', 'tokenizer/encode', 'tokenizer/shards'],
  studio: ['core', 'datasets/lake', 'trainer/sample'],
};
/** Inside the trainer it runs towards the leaf. */
const NEVER: [string, string[]][] = [
  ['trainer/ops', ['trainer/program', 'trainer/model', 'trainer/engines', 'trainer/stages', 'trainer/parallel']],
  ['trainer/model', ['trainer/stages', 'trainer/parallel', 'trainer/loader']],
  ['trainer/program', ['trainer/stages', 'trainer/parallel', 'trainer/model']],
];
const FOLDERS = [...Object.keys(MAY), 'cli', 'bench', 'examples'];

const sources = (folder: string): string[] =>
  readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((n) => n.endsWith('.ts'))
    .map((n) => join(folder, n));

/** Every import of a file, dynamic and type-only ones too, from the root. */
function imports(file: string): string[] {
  const text = readFileSync(join(packageRoot, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, to]) =>
    normalize(join(dirname(file), to!)),
  );
}

test('the five folders never import each other, and core imports nothing of ours', () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const [folder, may] of Object.entries(MAY)) {
    for (const file of sources(folder)) {
      seen++;
      for (const target of imports(file))
        if (![folder, ...may].some((ok) => target.startsWith(`${ok}/`))) wrong.push(`${file} → ${target}`);
    }
  }
  expect(seen).toBeGreaterThan(60);
  expect(wrong).toEqual([]);
});

test('inside the trainer, imports run towards the leaf', () => {
  const wrong = NEVER.flatMap(([folder, never]) =>
    sources(folder).flatMap((file) =>
      imports(file)
        .filter((t) => never.some((n) => t.startsWith(`${n}/`)))
        .map((t) => `${file} → ${t}`),
    ),
  );
  expect(wrong).toEqual([]);
});

test('no file imports itself through others', () => {
  const graph = new Map<string, string[]>();
  for (const file of FOLDERS.flatMap(sources)) {
    const text = readFileSync(join(packageRoot, file), 'utf8');
    // Type-only imports vanish when compiled: they are no cycle at run time.
    const solid = [...text.matchAll(/(?:^|\n)(?:import|export)\s+(?!type\b)[^;]*?from\s+'(\.[^']+)'/g)].map(([, to]) =>
      normalize(join(dirname(file), to!)),
    );
    graph.set(file, solid);
  }
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, path: string[]) => {
    if (path.includes(file)) return void cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  expect(cycles).toEqual([]);
});

test('files stay one idea: none over 500 lines', () => {
  const long = FOLDERS.flatMap(sources)
    .map((f) => [f, readFileSync(join(packageRoot, f), 'utf8').split('\n').length] as const)
    .filter(([, n]) => n > 500);
  expect(long).toEqual([]);
});
