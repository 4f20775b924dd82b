import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../core/root.ts';
import { killGroup, lakeDigest, runGarner, startGarner } from './lakes.ts';

/** The scripts that start a real Slurm with two nodes on this machine; null, with the reason printed, where they cannot run. */
const slurm = ((): { start: () => void; stop: (...args: string[]) => void } | null => {
  const folder = join(packageRoot, '..', 'shared', 'slurm');
  const absent = (why: string) => {
    console.warn(`no Slurm here, its tests are skipped: ${why}`);
    return null;
  };
  if (!existsSync(join(folder, 'start.sh')))
    return absent('there is no ../shared/slurm/start.sh beside the repository');
  if (process.getuid?.() !== 0) return absent('its daemons need root');
  const call = (script: string, args: string[]) =>
    spawnSync(join(folder, script), args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  const { status, stderr } = call('start.sh', []);
  if (status !== 0) return absent(stderr.trim().split('\n').at(-1) ?? 'start.sh failed');
  return {
    start: () => void expect(call('start.sh', []).status).toBe(0),
    stop: (...args) => void call('stop.sh', args),
  };
})();

/** Four files of real text, so four tasks a stage; training on two ranks. */
const recipe = (folder: string) => `
name: cluster
files:
${[0, 1, 2, 3].map((n) => `  - { path: ${join(folder, `books-${n}.jsonl`)}, type: jsonl, name: books${n} }`).join('\n')}
filters:
  language: { keep: [en, zh] }
  gopher_quality: { gopher_short_doc: 20 }
mask: {}
dedup: { threshold: 0.8 }
mix: { validation: { share: 0.1, seed: 1 } }
tokenizer: { vocabulary: 512 }
pretrain:
  model: { depth: 1, width: 64, heads: 2 }
  sequence: 64
  batch: 4
  steps: 12
  learning_rate: { peak: 0.003, schedule: cosine, warmup: 2 }
  validation: { every: 6, windows: 2 }
  checkpoint: { every: 4 }
  ranks: 2
  threads: 1
  seed: 7
executor:
  slurm: { memory: 1800M, most: 4 }
`;

let folder = '';
let file = '';
let reference: Record<string, string> = {};
/** Logs tell seconds and hosts; everything else of two lakes must be equal. */
const digest = (lake: string) =>
  Object.fromEntries(Object.entries(lakeDigest(lake)).filter(([path]) => !path.startsWith('logs/')));
const onSlurm = (lake: string, ...more: string[]) => ['run', file, '--lake', lake, '--executor', 'slurm', ...more];
// The tests have compiled what there is.
process.env['GARNER_BUILT'] = '1';
const squeue = (...args: string[]) => execFileSync('squeue', ['-h', '-r', ...args], { encoding: 'utf8' }).trim();

/** The log of each task of a stage, by task. */
function logsOf(lake: string, stage: string): Record<string, string> {
  const at = join(lake, 'logs', stage);
  const [key] = existsSync(at) ? readdirSync(at) : [];
  if (key === undefined) return {};
  const names = readdirSync(join(at, key)).filter((n) => !n.startsWith('slurm-'));
  return Object.fromEntries(names.map((n) => [n.slice(0, -'.log'.length), readFileSync(join(at, key, n), 'utf8')]));
}
const begun = (log: string) => log.split('\n').filter((l) => l.includes(': begins')).length;

/** When each task of `measure` was done, by the marker of its last filter. */
function markers(lake: string): Map<string, number> {
  const times = new Map<string, number>();
  const at = join(lake, 'stages', 'measure.gopher_quality');
  if (!existsSync(at)) return times;
  for (const name of readdirSync(at, { recursive: true, encoding: 'utf8' }))
    if (/tasks\/[^/]+\.json$/.test(name))
      times.set(name.replace(/^.*\/|\.json$/g, ''), statSync(join(at, name)).mtimeMs);
  return times;
}

async function until(holds: () => boolean, seconds: number): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !holds(); await sleep(50))
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${holds.toString()}`);
}

beforeAll(() => {
  if (slurm === null) return;
  folder = mkdtempSync(join(tmpdir(), 'garner-slurm-'));
  const moby = join(packageRoot, 'node_modules', '@stdlib', 'datasets-moby-dick', 'data');
  const chapters = Array.from({ length: 60 }, (_, i) => readFileSync(join(moby, `chapter_${i + 1}.txt`), 'utf8'));
  for (let n = 0; n < 4; n++) {
    const mine = chapters.filter((_, i) => i % 4 === n).map((text, i) => JSON.stringify({ id: `${n}-${i}`, text }));
    writeFileSync(join(folder, `books-${n}.jsonl`), `${mine.join('\n')}\n`);
  }
  file = join(folder, 'cluster.yaml');
  writeFileSync(file, recipe(folder));
  const local = runGarner(['run', file, '--lake', join(folder, 'local')]);
  expect([local.code, local.err.includes('bug of garner')]).toEqual([0, false]);
  reference = digest(join(folder, 'local'));
});
afterAll(() => {
  if (slurm === null) return;
  slurm.stop('--clean');
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(slurm === null)('on a real Slurm of two nodes', () => {
  test('four tasks at once on both nodes make the bytes of a local run; a coordinator killed -9 is followed by another', async () => {
    const lake = join(folder, 'array');
    const first = startGarner(onSlurm(lake));
    await until(() => squeue('-o', '%j').includes('garner-measure'), 60);
    killGroup(first.child);
    await first.ended;
    const again = runGarner(onSlurm(lake));
    expect([again.code, again.err.includes('bug of garner')]).toEqual([0, false]);
    expect(again.err).toContain("in Slurm's queue already");
    expect(digest(lake)).toEqual(reference);
    const logs = logsOf(lake, 'measure');
    expect(Object.keys(logs)).toHaveLength(4);
    // Whoever coordinates, each task has run once.
    expect(Object.values(logs).map(begun)).toEqual([1, 1, 1, 1]);
    expect(new Set(Object.values(logs).map((log) => / (n[12]) /.exec(log)![1])).size).toBe(2);
    // Slurm notices a moment later than the markers that a job has ended.
    await until(() => squeue() === '', 30);
  }, 150_000);

  test('a node that is lost costs only the tasks that ran there', async () => {
    // Enough text that the node is lost in the middle of its tasks.
    const long = join(folder, 'long');
    mkdirSync(long);
    for (let n = 0; n < 4; n++) {
      const lines = readFileSync(join(folder, `books-${n}.jsonl`), 'utf8')
        .trim()
        .split('\n');
      const many = Array.from({ length: 40 }, (_, i) => lines.map((l) => l.replace('{"id":"', `{"id":"${i}-`)));
      writeFileSync(join(long, `books-${n}.jsonl`), `${many.flat().join('\n')}\n`);
    }
    const slow = join(folder, 'slow.yaml');
    writeFileSync(slow, recipe(long));
    const lake = join(folder, 'lost');
    const run = startGarner(['run', slow, '--lake', lake, '--executor', 'slurm', '--until', 'measure']);
    const under = (log: string) => log.includes(' n2 ') && begun(log) > 0 && !log.includes('done in');
    await until(() => Object.values(logsOf(lake, 'measure')).some(under), 60);
    slurm!.stop('n2');
    const before = logsOf(lake, 'measure');
    const on = (node: string) => Object.keys(before).filter((task) => before[task]!.includes(` ${node} `));
    const lost = on('n2').filter((task) => !before[task]!.includes('done in'));
    expect(lost.length).toBeGreaterThan(0);
    await until(() => on('n1').every((task) => markers(lake).has(task)), 60);
    const early = markers(lake);
    slurm!.start();
    const { code, err } = await run.ended;
    expect([code, err.includes('bug of garner')]).toEqual([0, false]);
    const after = logsOf(lake, 'measure');
    for (const task of Object.keys(after))
      expect([task, begun(after[task]!)]).toEqual([task, lost.includes(task) ? 2 : 1]);
    // What was done before stands as it was written.
    const late = markers(lake);
    for (const [task, time] of early) expect([task, late.get(task)]).toEqual([task, time]);
    expect(late.size).toBe(4);
    const local = join(folder, 'lost-local');
    expect(runGarner(['run', slow, '--lake', local, '--until', 'measure']).code).toBe(0);
    expect(digest(lake)).toEqual(digest(local));
  }, 200_000);

  test('a task that fails is tried twice and named with its log; the same command then makes only what is missing', () => {
    const lake = join(folder, 'failing');
    expect(runGarner(['run', file, '--lake', lake, '--until', 'read']).code).toBe(0);
    const part = readdirSync(lake, { recursive: true, encoding: 'utf8' }).find((f) =>
      f.endsWith('part-00001.parquet'),
    )!;
    const whole = readFileSync(join(lake, part));
    writeFileSync(join(lake, part), Buffer.alloc(whole.length));
    const failed = runGarner(onSlurm(lake, '--until', 'measure'));
    expect([failed.code, failed.err.includes('bug of garner')]).toEqual([1, false]);
    const [, log] = /measure: task read-part-00001 failed: .*magic bytes.* \(log: (.*)\)/.exec(failed.err)!;
    expect(begun(readFileSync(log!, 'utf8'))).toBe(2);
    expect(markers(lake).size).toBe(3);
    const status = runGarner(['status', '--lake', lake]).out;
    expect(status).toMatch(/measure.gopher_quality +1 failed +3 of 4/);
    expect(status).toMatch(/read-part-00001 failed on \S+ at /);
    writeFileSync(join(lake, part), whole);
    expect(runGarner(onSlurm(lake, '--until', 'measure')).code).toBe(0);
    const runs = Object.entries(logsOf(lake, 'measure')).map(([task, text]) => [task, begun(text)]);
    const expected = [0, 1, 2, 3].map((n) => [`read-part-0000${n}`, n === 1 ? 3 : 1]);
    expect(Object.fromEntries(runs)).toEqual(Object.fromEntries(expected));
  }, 120_000);

  test('a run that nobody waits for goes on from stage to stage', async () => {
    const lake = join(folder, 'detached');
    const sent = runGarner(onSlurm(lake, '--until', 'measure', '--detach'));
    expect([sent.code, sent.err]).toEqual([0, '']);
    expect(sent.out).toMatch(/^job \d+ runs it, stage by stage\n/);
    const names = () =>
      squeue('-o', '%j')
        .split('\n')
        .filter((name) => name.startsWith('garner-'));
    let most = 0;
    await until(() => {
      const now = names();
      most = Math.max(most, now.filter((name) => name.startsWith('garner-coordinator')).length);
      return now.length === 0;
    }, 100);
    // While a stage's tasks run, what comes after them waits: one where all end well, one where any fails.
    expect(most).toBeGreaterThanOrEqual(2);
    expect(runGarner(['run', file, '--lake', lake, '--until', 'measure', '--dry-run']).out).not.toContain('would run');
    const made = digest(lake);
    const known = Object.keys(made).filter((path) => !path.startsWith('recipes/'));
    expect(known.length).toBeGreaterThan(20);
    for (const path of known) expect([path, made[path]]).toEqual([path, reference[path]]);
  }, 150_000);

  test('a wish that Slurm refuses, and one that is misspelt, are one sentence', () => {
    const lake = join(folder, 'refused');
    const gone = join(folder, 'gone.yaml');
    writeFileSync(gone, recipe(folder).replace('memory: 1800M', 'memory: 1800M, partition: nowhere'));
    const refused = runGarner(['run', gone, '--lake', lake, '--executor', 'slurm']);
    expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/sbatch failed: .*partition/i) });
    writeFileSync(gone, recipe(folder).replace('memory: 1800M', 'memroy: 1800M'));
    expect(runGarner(['run', gone, '--lake', lake, '--executor', 'slurm'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean "memory"?'),
    });
  });
});

describe('without Slurm', () => {
  test('one sentence, code 2', () => {
    const at = mkdtempSync(join(tmpdir(), 'garner-no-slurm-'));
    writeFileSync(join(at, 'a.jsonl'), '{"text":"a"}\n');
    writeFileSync(join(at, 'a.yaml'), `name: a\nfiles: [{ path: ${join(at, 'a.jsonl')}, type: jsonl }]\n`);
    for (const more of [[], ['--detach']]) {
      const args = ['run', join(at, 'a.yaml'), '--lake', join(at, 'lake'), '--executor', 'slurm', ...more];
      const ran = runGarner(args, { env: { PATH: join(at, 'nothing') } });
      expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('Slurm is not installed here')]);
    }
    rmSync(at, { recursive: true });
  });
});
