import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { leaseHolder, takeLease, type LeaseText } from '../../../core/lake/lease.ts';
import { lockHolder, lockLake } from '../../../core/lake/lock.ts';
import { isDead, ownName, ownTag, processOf } from '../../../core/machine.ts';
import { compiledModule } from '../../../core/root.ts';

let folder = '';
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'garner-lease-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const module = (path: string) => JSON.stringify(pathToFileURL(compiledModule(path)).href);

/** Runs a script in a process of its own; `line` waits for a line of its output, `ended` for its end. */
function start(script: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, out, err })),
  );
  const line = async (text: string) => {
    while (!out.includes(text)) {
      if (child.exitCode !== null) throw new Error(err);
      await sleep(10);
    }
  };
  return { child, ended, line };
}

const holder = () => `
  import { lockLake } from ${module('core/lake/lock')};
  await lockLake(${JSON.stringify(folder)}, { wait: false });
  console.log('held');
  setInterval(() => {}, 1000);`;

/** A holder on another host, as its file looks here. */
function foreign(over: Partial<LeaseText> = {}, beat = 0): void {
  const text = {
    ...ownName,
    machine: '00000000',
    host: 'login2',
    id: 'ab',
    since: '2026-01-01T00:00:00.000Z',
    ...over,
  };
  writeFileSync(join(folder, '.lease'), `${JSON.stringify({ ...text, beat: String(beat).padStart(12, '0') })}\n`);
}

const patient = { silentMs: 400, renewMs: 50, onWait: () => true, onLost: () => {} };

describe('a process by name', () => {
  test('this one lives, one that has ended is dead, one of another machine nobody knows', () => {
    expect(isDead(ownName)).toBe(false);
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    expect(isDead({ ...ownName, pid })).toBe(true);
    expect(isDead({ ...ownName, pid, machine: '00000000' })).toBe(false);
    // The id was given again to another process.
    expect(isDead({ ...ownName, born: '1' })).toBe(true);
    expect(processOf(`${ownTag}-0-read-part-00000`)).toMatchObject({ machine: ownName.machine, pid: process.pid });
    expect(processOf('gc-12')).toBeNull();
  });

  test.skipIf(process.platform !== 'linux')('one whose end nobody has asked for is dead', async () => {
    const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 20'], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(parent);
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.on('data', (text: Buffer) => resolve(Number(text))),
    );
    const stat = () =>
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
    for (let tries = 0; stat()[0] !== 'Z' && tries < 200; tries++) await sleep(10);
    expect(stat()[0]).toBe('Z');
    expect(isDead({ ...ownName, pid, born: stat()[19]! })).toBe(true);
  });
});

describe('the lease', () => {
  test('holders race, end well, die or fall silent, many times: there is never more than one', async () => {
    // Each enters, checks that nobody else is inside, and leaves the lease in one of three ways.
    const contender = `
      import { openSync, closeSync, rmSync, readFileSync, writeFileSync } from 'node:fs';
      import { takeLease } from ${module('core/lake/lease')};
      const folder = ${JSON.stringify(folder)};
      let rounds = 0, broken = 0;
      for (const until = Date.now() + 5000; Date.now() < until; rounds++) {
        const lease = await takeLease(folder, { silentMs: 800, renewMs: 40, onWait: () => true, onLost() {} });
        const started = performance.now();
        let alone = true;
        try { closeSync(openSync(folder + '/inside', 'wx')); } catch { alone = false; }
        await new Promise((r) => setTimeout(r, Math.random() * 4));
        const text = readFileSync(folder + '/.lease', 'utf8');
        if (JSON.parse(text).pid !== process.pid) alone = false;
        // A machine that stood still for so long made the holder a silent one.
        if (!alone && performance.now() - started < 400) broken++;
        rmSync(folder + '/inside', { force: true });
        const gone = text.replace(/"id":"\\w+"/, '"id":"' + Math.random().toString(16).slice(2) + '"');
        if (rounds % 5 !== 0)
          writeFileSync(
            folder + '/.lease',
            rounds % 5 === 1 ? gone.replace(/"machine":"\\w+"/, '"machine":"00000000"') : gone.replace(/"born":"\\d+"/, '"born":"1"'),
          );
        lease.release();
      }
      console.log(JSON.stringify({ rounds, broken }));
      process.exit(0);`;
    const all = await Promise.all([start(contender), start(contender), start(contender)].map((c) => c.ended));
    const told = all.map(
      (c) => JSON.parse(c.out || `{"broken":${JSON.stringify(c.err)}}`) as { rounds: number; broken: number },
    );
    expect(told.map((t) => t.broken)).toEqual([0, 0, 0]);
    expect(told.reduce((n, t) => n + t.rounds, 0)).toBeGreaterThan(20);
    expect(readdirSync(folder).filter((f) => f.includes('tmp'))).toEqual([]);
  }, 20_000);

  test('a holder of another host that shows signs of life is not taken over, a silent one is', async () => {
    foreign();
    let beat = 0;
    const living = setInterval(() => foreign({}, ++beat), 100);
    const waits: boolean[] = [];
    const refused = await takeLease(folder, {
      ...patient,
      onWait(who, lives) {
        expect(who).toBe(`process ${process.pid} on login2, since 2026-01-01T00:00:00.000Z`);
        waits.push(lives);
        return waits.length < 30;
      },
    });
    expect([refused, waits[0], waits.at(-1)]).toEqual([null, false, true]);
    clearInterval(living);
    const started = performance.now();
    const lease = await takeLease(folder, patient);
    expect(performance.now() - started).toBeGreaterThan(350);
    expect(leaseHolder(folder)?.machine).toBe(ownName.machine);
    lease!.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a clock that is wrong by years changes nothing, nor does a torn file', async () => {
    writeFileSync(join(folder, '.lease'), '{"id":');
    const lease = await takeLease(folder, patient);
    expect(leaseHolder(folder)?.pid).toBe(process.pid);
    lease!.release();
  });

  test('who died between the claim and the place does not block it for ever', async () => {
    foreign();
    writeFileSync(
      join(folder, '.lease-claim-ab-0'),
      readFileSync(join(folder, '.lease'), 'utf8').replace('login2', 'login3'),
    );
    (await takeLease(folder, { ...patient, silentMs: 150 }))!.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is renewed while this thread is held by native code', async () => {
    const lease = await takeLease(folder, patient);
    const text = () => readFileSync(join(folder, '.lease'), 'utf8');
    const first = text();
    // a busy machine takes its time to start a thread
    for (let tries = 0; text() === first && tries < 500; tries++) await sleep(10);
    const before = text();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    expect(text()).not.toBe(before);
    lease!.release();
  });
});

describe('the lock of the lake', () => {
  test('a holder that kill -9 ended on this host is followed at once', async () => {
    const { child, line, ended } = start(holder());
    await line('held');
    expect(await lockHolder(folder)).toContain(`process ${child.pid}`);
    await expect(lockLake(folder, { wait: false })).rejects.toThrow(`being written by process ${child.pid} on`);
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(join(folder, '.lease'))).toBe(true);
    expect(await lockHolder(folder)).toBeNull();
    const started = performance.now();
    const lock = await lockLake(folder, { wait: false });
    expect(performance.now() - started).toBeLessThan(1_000);
    lock.release();
    expect(readdirSync(folder)).toEqual(['.lock']);
  });

  test('a holder of another host keeps it, though the kernel here knows nothing of it', async () => {
    foreign();
    let beat = 0;
    const living = setInterval(() => foreign({}, ++beat), 50);
    await expect(lockLake(folder, { wait: false })).rejects.toThrow(
      `being written by process ${process.pid} on login2`,
    );
    clearInterval(living);
    expect(await lockHolder(folder)).toContain('on login2');
  });

  test('a holder that was silent for too long finds another in its place, says so and ends', async () => {
    const { child, line, ended } = start(holder());
    await line('held');
    child.kill('SIGSTOP');
    const taken = await takeLease(folder, patient);
    child.kill('SIGCONT');
    const { code, err } = await ended;
    expect(code).toBe(1);
    expect(err).toContain(`was silent for so long that the lake was taken over by process ${process.pid} on`);
    expect(leaseHolder(folder)?.pid).toBe(process.pid);
    taken!.release();
  }, 15_000);
});
