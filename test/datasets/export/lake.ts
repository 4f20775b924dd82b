import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { Terminal } from '../../../cli/command.ts';
import { main } from '../../../cli/main.ts';
import { silent } from '../../../core/progress.ts';
import { inProcess, run } from '../../../core/stage/index.ts';
import { openLake } from '../../../core/lake/lake.ts';
import mix from '../../../datasets/mix/stage.ts';
import { mixRecipe } from '../../../datasets/mix/recipe.ts';
import { tokenizerRecipe } from '../../../tokenizer/recipe.ts';
import shards from '../../../tokenizer/shards/stage.ts';
import tokenizer from '../../../tokenizer/train/stage.ts';
import { packageRoot } from '../../../core/root.ts';
import { dice, madeText, stagesBefore, type MadeDocument } from '../lake.ts';

const CHINESE = '晚上的港口很安静，只有几盏灯亮着。渔民们在码头上整理网，孩子们已经睡了。';

/** Documents as they are hard for a file format: empty, Chinese, emoji, NUL, quotes, longer than a shard, of one letter. */
export const hardDocuments = (): MadeDocument[] => [
  ...Array.from({ length: 160 }, (_, i) => ({ id: `d${i}`, text: madeText(i, 5 + dice(i)(60)) })),
  ...Array.from({ length: 30 }, (_, i) => ({ id: `z${i}`, text: CHINESE.repeat(1 + (i % 5)), language: 'zh' })),
  ...Array.from({ length: 10 }, (_, i) => ({ id: `e${i}`, text: '' })),
  { id: 'long', text: `${madeText(7, 4000)} ${CHINESE.repeat(60)}` },
  { id: 'odd "quoted"', text: 'a "b" \\ \u0000 \t\r\n 𝒳 👩‍👩‍👧 \u202e <|endoftext|> é', url: 'https://example.org/?a="b"' },
  { id: 'one', text: 'x', source: 'twice' },
  { id: 'two', text: `${CHINESE}twice`, source: 'twice' },
];

const MIX = mixRecipe.parse({ name: 'slice', sources: { twice: 2 }, validation: { share: 0.2, seed: 3 }, seed: 5 });

/** A lake with a snapshot `slice` of the hard documents, its tokenizer and its token shards. */
export async function exportableLake(
  documents: readonly MadeDocument[] = hardDocuments(),
  sections: Record<string, unknown> = {},
): Promise<string> {
  const lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-export-')));
  const recipe = { name: 'made', mix: MIX, tokenizer: tokenizerRecipe.parse({ vocabulary: 400 }), ...sections };
  const stages = [...stagesBefore({ parts: [documents] }), mix, tokenizer, shards];
  await run({ lake, recipe, stages, executor: inProcess(), progress: silent, attempts: 1 });
  return lake;
}

/** A folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'garner-export-out-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The tokenizer.json of the only tokenizer of a lake. */
export const tokenizerOf = (lake: string): string =>
  join(lake, 'tokenizers', readdirSync(join(lake, 'tokenizers'))[0]!, 'tokenizer.json');

/** Python, which the independent readers are written in, or null with the reason printed. */
export const python = ['/usr/bin/python3', 'python3'].find(
  (path) => spawnSync(path, ['-c', 'import array, struct, ctypes']).status === 0,
);
if (python === undefined) console.warn('skipped: no python3 on this machine to read the exports independently');

/** What an independent reader prints: JSON lines. */
export function readBack(reader: string, ...args: string[]): unknown[] {
  const path = join(packageRoot, 'test', 'datasets', 'export', 'readers', reader);
  if (!existsSync(path)) throw new Error(`no reader ${path}`);
  const { status, stdout, stderr } = spawnSync(python!, [path, ...args], { encoding: 'utf8', maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`${reader}: ${stderr}`);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
}

/** A command line in this process: its exit code and what it said. */
export async function commandLine(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof said) =>
    new Writable({
      write(chunk, _encoding, done) {
        said[name] += String(chunk);
        done();
      },
    });
  const terminal = { stdin: Readable.from([]), stdout: sink('stdout'), stderr: sink('stderr') };
  const code = await main(args, terminal as unknown as Terminal);
  return { code, ...said };
}
