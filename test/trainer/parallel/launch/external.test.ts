import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packageRoot } from '../../../../core/root.ts';
import { threadsOfRank } from '../../../../trainer/parallel/launch/cores.ts';
import { launchOf } from '../../../../trainer/parallel/launch/environment.ts';
import { chooseHome } from '../../../../trainer/parallel/launch/home.ts';
import { givenSecret, readInvitation, writeInvitation } from '../../../../trainer/parallel/launch/invitation.ts';
import { launchSettings, setLaunch } from '../../../../trainer/parallel/launch/settings.ts';

const script = join(packageRoot, 'test/trainer/parallel/launch/external.mjs');
const dist = join(packageRoot, 'dist');
let lake = '';
beforeEach(() => void (lake = mkdtempSync(join(tmpdir(), 'garner-external-'))));
afterEach(() => rmSync(lake, { recursive: true }));

const argument = (more: object = {}) => JSON.stringify({ dist, lake, recipe: 'r', ...more });
const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(RANK|GARNER_)/.test(name)));

/** A process as a launcher would start it. */
function start(env: Record<string, string>, more: object = {}) {
  const child = spawn(process.execPath, [script, argument(more)], { env: { ...clean, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => void (out += chunk));
  child.stderr.on('data', (chunk: Buffer) => void (err += chunk));
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, out, err })),
  );
}
const torchrun = (rank: number, ranks: number, more: Record<string, string> = {}) => ({
  RANK: String(rank),
  WORLD_SIZE: String(ranks),
  MASTER_ADDR: '127.0.0.1',
  GARNER_ARRIVAL: '5',
  ...more,
});

test('two processes with torchrun’s variables meet through the lake and add up; nothing is left', async () => {
  const [zero, one] = await Promise.all([start(torchrun(0, 2)), start(torchrun(1, 2))]);
  expect([zero.code, one.code, zero.err, one.err]).toEqual([0, 0, '', '']);
  expect(JSON.parse(zero.out)).toEqual({ home: 'shared', sums: [3, 3] });
  expect(one.out).toBe('');
  expect(readdirSync(join(lake, '.tmp'))).toEqual([]);
});

test('with a secret of one’s own they meet at torchrun’s port', async () => {
  const more = { GARNER_SECRET: 'a very long secret', MASTER_PORT: '29877' };
  const [zero, one] = await Promise.all([start(torchrun(0, 2, more)), start(torchrun(1, 2, more))]);
  expect([zero.code, one.code]).toEqual([0, 0]);
});

test.each<[string, Record<string, string>, object, RegExp]>([
  ['another secret', { GARNER_SECRET: 'another long secret' }, {}, /rank 1 is refused: rank 0 has another secret/],
  ['another recipe', {}, { recipe: 's' }, /the ranks differ in their recipe: rank 0 .* has r, rank 1 .* has s/],
  ['other variables', { WORLD_SIZE: '3' }, {}, /rank 1 .* is one of 3 ranks, rank 0 .* one of 2/],
])('%s: a sentence, exit code 2, on both sides', async (_what, env, more, says) => {
  const secret = { GARNER_SECRET: 'a very long secret', GARNER_ARRIVAL: '2', GARNER_PORT: '29878' };
  const [zero, one] = await Promise.all([
    start(torchrun(0, 2, secret)),
    start(torchrun(1, 2, { ...secret, ...env }), more),
  ]);
  expect(one.err).toMatch(says);
  expect(zero.err).toMatch(env['GARNER_SECRET'] ? /was refused.*\n.*rank 1 did not come within 2 s/ : says);
  expect([zero.code, one.code]).toEqual([2, 2]);
});

test.each([0, 1])('rank %d is killed: the other ends and names it', async (die) => {
  const started = Date.now();
  const ends = await Promise.all([start(torchrun(0, 2), { die }), start(torchrun(1, 2), { die })]);
  expect(ends[die]!.code).toBeNull();
  expect(ends[1 - die]!.err).toContain(`rank ${die}`);
  expect(ends[1 - die]!.code).not.toBe(0);
  expect(Date.now() - started).toBeLessThan(10_000);
});

const noMpirun = spawnSync('mpirun', ['--version']).status !== 0;
if (noMpirun) console.warn('skipped: mpirun is not on this machine');
test.skipIf(noMpirun)('mpirun -n 2', () => {
  const ran = spawnSync(
    'mpirun',
    ['--allow-run-as-root', '--oversubscribe', '-n', '2', process.execPath, script, argument()],
    { encoding: 'utf8', env: clean, timeout: 30_000 },
  );
  expect([ran.status, JSON.parse(ran.stdout)]).toEqual([0, { home: 'shared', sums: [3, 3] }]);
});

test('the file with the secret is for its owner alone', () => {
  const launch = launchOf(torchrun(1, 2));
  const settings = launchSettings({});
  expect(readInvitation(lake, launch, settings, {})).toBeNull();
  const remove = writeInvitation(lake, launch, { port: 4000, secret: 's'.repeat(20), address: '10.0.0.1' });
  const file = join(lake, '.tmp', readdirSync(join(lake, '.tmp'))[0]!);
  const text = readFileSync(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readInvitation(lake, launch, settings, {})).toEqual({
    addresses: ['10.0.0.1'],
    port: 4000,
    secret: 's'.repeat(20),
  });
  expect(readInvitation(lake, launch, settings, { GARNER_SECRET: 'x'.repeat(16) })!.secret).toBe('x'.repeat(16));
  chmodSync(file, 0o644);
  expect(() => readInvitation(lake, launch, settings, {})).toThrow('others could read');
  chmodSync(file, 0o600);
  writeFileSync(file, '{"port":');
  expect(readInvitation(lake, launch, settings, {})).toBeNull();
  remove();
  // What a killed rank 0 left, of this host: nobody is sent there.
  writeFileSync(file.replace(`-${process.pid}-`, '-4194305-'), text, { mode: 0o600 });
  expect(readInvitation(lake, launch, settings, {})).toBeNull();
  expect(() => givenSecret({ GARNER_SECRET: 'short' })).toThrow('has 5 characters');
});

const at = (rank: number, host: string, mpi = false, room = 'a') => ({ rank, host, mpi, room });
test('one host shares memory, several need MPI', () => {
  expect(chooseHome([at(0, 'a'), at(1, 'a')], undefined)).toBe('shared');
  expect(chooseHome([at(0, 'a', true), at(1, 'a', true)], undefined)).toBe('shared');
  expect(chooseHome([at(0, 'a', true), at(1, 'a', true)], 'mpi')).toBe('mpi');
  expect(chooseHome([at(0, 'a', true), at(1, 'b', true)], undefined)).toBe('mpi');
  expect(chooseHome([at(0, 'a', true), at(1, 'a', true, 'b')], undefined)).toBe('mpi');
  expect(() => chooseHome([at(0, 'a'), at(1, 'b')], undefined)).toThrow(
    'ranks on 2 hosts (a, b) speak through MPI, and the ranks were not started by it',
  );
  expect(() => chooseHome([at(0, 'a', true), at(1, 'b')], undefined)).toThrow('and rank 1 were not started by it');
  expect(() => chooseHome([at(0, 'a'), at(1, 'b')], 'shared')).toThrow('share no memory');
  expect(() => chooseHome([at(0, 'a'), at(1, 'a')], 'mpi')).toThrow('the ranks were not started by MPI');
});

const own = { launcher: 'garner', ranks: 1, localRanks: 1 } as const;
const srun = { launcher: 'slurm', ranks: 8, localRanks: 4 } as const;
test.each<[string, ReturnType<typeof threadsOfRank> | string, Parameters<typeof threadsOfRank>]>([
  ['garner shares its cores', 2, ['pretrain', 4, undefined, own, { host: 64, own: 8 }, false]],
  ['as asked for', 2, ['pretrain', 4, 2, own, { host: 64, own: 8 }, false]],
  ['too many', '4 ranks × 3 threads = 12 on 8 cores', ['pretrain', 4, 3, own, { host: 64, own: 8 }, false]],
  ['too many ranks', '9 ranks on 8 cores', ['pretrain', 9, undefined, own, { host: 64, own: 8 }, false]],
  ['as a test wants', 1, ['pretrain', 9, undefined, own, { host: 64, own: 8 }, true]],
  ['only the ranks of a host count', 2, ['pretrain', 8, undefined, srun, { host: 8, own: 8 }, false]],
  ['bound by the launcher', 1, ['pretrain', 8, undefined, srun, { host: 8, own: 1 }, false]],
  [
    'bound, more asked for',
    'slurm has bound this rank to 1 core',
    ['pretrain', 8, 2, srun, { host: 8, own: 1 }, false],
  ],
])('threads: %s', (_why, is, args) => {
  if (typeof is === 'number') expect(threadsOfRank(...args)).toBe(is);
  else expect(() => threadsOfRank(...args)).toThrow(is);
});

test('settings travel in variables', () => {
  const env: Record<string, string> = {};
  setLaunch({ restarts: 2, check: true, interface: 'lo', oversubscribe: false }, env);
  expect(env).toEqual({ GARNER_RESTARTS: '2', GARNER_CHECK: '1', GARNER_INTERFACE: 'lo' });
  expect(launchSettings(env)).toMatchObject({
    restarts: 2,
    check: true,
    interface: 'lo',
    oversubscribe: false,
    port: 0,
  });
  expect(() => launchSettings({ GARNER_PORT: '99999' })).toThrow('GARNER_PORT is "99999"');
});
