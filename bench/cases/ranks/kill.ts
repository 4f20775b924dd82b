import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asset, packageRoot } from '../../../core/root.ts';
import type { BenchOptions, Figure } from '../../harness.ts';

const GARNER = join(packageRoot, 'bin/garner');
/** Names every process of this bench in its environment. */
const MARK = `GARNER_BENCH_MARK=${process.pid}-${Date.now()}`;

interface Row {
  step: number;
  loss: number;
  first_sample: number;
}

/** One of 4 ranks is killed at random moments, and the run goes on: on 4 ranks, and on 4, 2 and 3 in turn. */
export async function* kill({ quick, say }: BenchOptions): AsyncIterable<Figure> {
  const kills = quick ? 2 : 10;
  const folder = mkdtempSync(join(tmpdir(), 'garner-kill-'));
  try {
    const recipe = writeRecipe(folder, quick ? 200 : 600);
    const lake = (name: string) => {
      mkdirSync(join(folder, name), { recursive: true });
      return join(folder, name);
    };
    const undisturbed = lake('undisturbed');
    await done(train(recipe, undisturbed, 4));
    const wanted = await rowsOf(undisturbed);
    let random = 20261124;
    const next = (n: number) => (random = (Math.imul(random, 1664525) + 1013904223) >>> 0) % n;
    for (const [name, ranks] of [
      ['resumed on 4', [4]],
      ['resumed on 4, 2 and 3', [4, 2, 3]],
    ] as const) {
      const there = lake(name.replaceAll(/\W+/g, '-'));
      await done(garner(['run', recipe, '--until', 'shards', '--lake', there]));
      let slowest = 0;
      let unnamed = 0;
      for (let i = 0; i < kills; i++) {
        const count = ranks[i % ranks.length]!;
        const { seconds, named } = await killOne(train(recipe, there, count), next(count), 200 + next(900));
        slowest = Math.max(slowest, seconds);
        if (!named) unnamed++;
      }
      await done(train(recipe, there, ranks.at(-1)!));
      const rows = await rowsOf(there);
      const same = rows.filter((row, k) => row.first_sample === wanted[k]?.first_sample).length;
      const difference = Math.max(...rows.map((row, k) => Math.abs(row.loss / wanted[k]!.loss - 1)));
      const of = { bench: 'ranks', case: `kill -9 of a rank ${kills} times, ${name}` };
      say(`${of.case}: losses differ by ${difference}, slowest end ${slowest.toFixed(1)} s`);
      yield { ...of, metric: 'samples in the same order', value: same, unit: 'steps', bar: `== ${wanted.length}` };
      const bar = ranks.length === 1 ? '== 0' : '<= 0.00001';
      yield { ...of, metric: 'difference of the loss', value: difference, unit: 'relative', bar };
      yield { ...of, metric: 'end of all ranks after a kill', value: slowest, unit: 's', bar: '<= 10' };
      yield { ...of, metric: 'deaths without the rank’s name', value: unnamed, unit: 'deaths', bar: '== 0' };
    }
    yield {
      bench: 'ranks',
      case: 'after all kills',
      metric: 'processes left',
      value: marked().length,
      unit: '',
      bar: '== 0',
    };
  } finally {
    for (const { pid } of marked()) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A corpus of the texts that come with garner, and a small model of it. */
function writeRecipe(folder: string, steps: number): string {
  const texts = ['README.md', 'README.zh-CN.md', 'docs/filters.md', 'docs/cli.md'].flatMap((file) =>
    readFileSync(asset(file), 'utf8')
      .split(/\n(?=#)/)
      .map((text, i) => ({ id: `${file}-${i}`, text })),
  );
  writeFileSync(join(folder, 'texts.jsonl'), texts.map((t) => `${JSON.stringify(t)}\n`).join(''));
  const recipe = join(folder, 'kill.yaml');
  writeFileSync(
    recipe,
    `name: kill
files: [{ path: texts.jsonl, type: jsonl }]
mix: { validation: { share: 0.05 } }
tokenizer: { vocabulary: 600 }
pretrain:
  model: { depth: 2, width: 64, heads: 4 }
  sequence: 64
  batch: 12
  micro_batch: 1
  steps: ${steps}
  checkpoint: { every: 10 }
  validation: { every: 1000 }
  learning_rate: { peak: 1.0e-3 }
`,
  );
  return recipe;
}

const garner = (args: readonly string[]): ChildProcess =>
  spawn(process.execPath, [GARNER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, [MARK.split('=')[0]!]: MARK.split('=')[1] },
  });

const train = (recipe: string, lake: string, ranks: number) =>
  garner(['train', recipe, '--lake', lake, '--ranks', String(ranks), '--oversubscribe', '--json']);

interface End {
  code: number | null;
  out: string;
  err: string;
}

function end(child: ChildProcess): Promise<End> {
  const said = { out: '', err: '' };
  child.stdout!.on('data', (d: Buffer) => void (said.out += String(d)));
  child.stderr!.on('data', (d: Buffer) => void (said.err += String(d)));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...said })));
}

async function done(child: ChildProcess): Promise<string> {
  const { code, out, err } = await end(child);
  if (code !== 0) throw new Error(`garner ended with ${code}: ${err.slice(-500)}`);
  return out;
}

/** Kills a rank some time after all have started; how long the others took to end, and whether the error names it. */
async function killOne(child: ChildProcess, rank: number, after: number): Promise<{ seconds: number; named: boolean }> {
  const ended = end(child);
  let victim: number | undefined;
  while (victim === undefined) {
    await sleep(50);
    victim = marked().find((p) => p.rank === rank)?.pid;
    if (child.exitCode !== null) throw new Error(`it ended before a kill: ${(await ended).err.slice(-500)}`);
  }
  await sleep(after);
  process.kill(victim, 'SIGKILL');
  const started = performance.now();
  const { code, err } = await ended;
  if (code !== 1) throw new Error(`after a kill garner ended with ${code}: ${err.slice(-500)}`);
  while (marked().length > 0) await sleep(20);
  return { seconds: (performance.now() - started) / 1000, named: err.includes(`rank ${rank} of`) };
}

/** Processes of this bench, with their ranks. Linux only. */
function marked(): { pid: number; rank: number | null }[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
      if (!environment.includes(MARK)) return [];
      const rank = environment.find((v) => v.startsWith('GARNER_RANK='));
      return [{ pid: Number(entry), rank: rank === undefined ? null : Number(rank.slice(12)) }];
    } catch {
      return [];
    }
  });
}

async function rowsOf(lake: string): Promise<Row[]> {
  const query = 'SELECT step, loss, first_sample FROM steps ORDER BY step';
  const out = await done(garner(['sql', query, '--lake', lake, '--json']));
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}
