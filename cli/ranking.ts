import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { GarnerError } from '../core/errors.ts';
import { sha256 } from '../core/hash.ts';
import { existingLake, recipeManifests } from '../core/lake/lake.ts';
import type { Turn } from '../core/records/index.ts';
import { asset } from '../core/root.ts';
import type { Model } from '../studio/rank/sampling.ts';
import { readAllShaped } from '../trainer/data/read.ts';
import { promptOf } from '../trainer/data/shapes.ts';
import { checkpointOf, findRun, runName } from './runs.ts';

/** `run`, `run@step` or a folder with a model → the checkpoint that writes, and how a judgement records it. */
export function judgedModel(lake: string, name: string): Model {
  if (existsSync(join(name, 'config.json'))) return { run: name, checkpoint: resolve(name), path: name };
  const [, wanted, step] = /^(.*?)(?:@(\d+))?$/.exec(name)!;
  existingLake(lake);
  const run = findRun(lake, wanted === '' ? undefined : wanted);
  const path = checkpointOf(lake, run, step === undefined ? undefined : Number(step));
  return { run: runName(run), checkpoint: relative(lake, path), path };
}

interface Prompt {
  id: string;
  prompt: Turn[];
}

/** At most `count` different prompts of a file, drawn by the seed, in the file's order. Throws a GarnerError for a file without any. */
export async function readPrompts(
  path: string,
  count: number,
  seed: number,
): Promise<{ prompts: Prompt[]; refused: number }> {
  const { records, refused } = await readAllShaped(path, promptOf);
  const all = [...new Map(records.map((r) => [r.id, { id: r.id, prompt: r.prompt }])).values()];
  if (all.length === 0)
    throw new GarnerError({
      what: refused[0] ? `no line is a prompt; ${refused[0].location}: ${refused[0].reason}` : 'the file is empty',
      where: path,
      hint: 'each line is {"prompt": text or turns}, or {"messages": [{"role", "content"}…]}',
      fault: 2,
    });
  const ticket = (p: Prompt) => sha256(`${seed}\u0000${p.id}`);
  const drawn = new Set(all.toSorted((a, b) => (ticket(a) < ticket(b) ? -1 : 1)).slice(0, count));
  return { prompts: all.filter((p) => drawn.has(p)), refused: refused.length };
}

/** The file that the lake's last recipe fine-tunes on: where prompts come from if nobody names a file. */
export function defaultPrompts(lake: string): string {
  for (const { recipe } of recipeManifests(lake).toReversed()) {
    const data = (recipe as { finetune?: { data?: unknown } } | null)?.finetune?.data;
    const path = data === 'builtin' ? asset('examples/quickstart-chat.jsonl') : data;
    if (typeof path === 'string' && existsSync(path)) return path;
  }
  throw new GarnerError({
    what: 'no recipe of this lake has conversations to take prompts from',
    where: lake,
    hint: 'name a file with --prompts FILE: JSON lines {"prompt": …}',
    fault: 2,
  });
}
