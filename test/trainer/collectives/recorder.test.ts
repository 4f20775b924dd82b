import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { explainRecorder } from '../../../trainer/collectives/recorder/explain.ts';
import { type Flight, readRecorder, type RecordedCall } from '../../../trainer/collectives/recorder/read.ts';
import { createRecorder, openRecorder } from '../../../trainer/collectives/recorder/record.ts';
import { startShared } from './launch.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-recorder-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('everybody is killed, and the file still says who did not come to what, and who is slow', async () => {
  const path = join(folder, 'killed');
  const { children, answers } = startShared(3, { part: 'flight', recorder: path });
  const ends = ['receive', 'barrier', 'broadcast'];
  const waits = ({ ranks }: Flight) =>
    ranks.every(({ calls }, r) => calls.at(-1)?.call === ends[r] && (r === 1) === (calls.at(-1)!.seconds !== null));
  let flight = readRecorder(path);
  for (let i = 0; i < 200 && !waits(flight); i++) {
    await sleep(100);
    flight = readRecorder(path);
  }
  for (const child of children) child.kill('SIGKILL');
  await answers;
  flight = readRecorder(path);
  expect(flight.ranks.map(({ pid }) => pid)).toEqual(children.map(({ pid }) => pid));
  expect(flight.ranks.map(({ calls }) => calls.length)).toEqual([64, 64, 64]);
  expect(flight.ranks.map(({ steps }) => steps.map(({ step }) => step))).toEqual(
    [0, 1, 2].map(() => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  );
  expect(flight.ranks[1]!.calls.at(-1)).toMatchObject({ call: 'barrier', group: 1, members: [0, 1], sequence: 1 });
  const lines = explainRecorder(flight);
  expect(lines[0]).toMatch(/^rank 0 waits since \d{4}-.* for rank 2 to send message #1 of 5 f32$/);
  expect(lines[1]).toMatch(
    /^ranks 0, 1 did not come to broadcast #\d+ of 9 f32: rank 2 is there since .*; the last of rank 0 was receive #1 of 5 f32 at .*; the last of rank 1 was barrier #1 of the group of ranks 0, 1 at /,
  );
  // Others may be slow too where the machine is busy.
  const slow = /^rank 2 is slow: 0\.\d+ s of own work a step over 10 steps, the median is 0\.\d+ s$/;
  expect(lines.slice(2).filter((line) => slow.test(line))).toHaveLength(1);
});

test('a ring of the last 64 calls, and an end that comes after its place was taken', () => {
  const path = join(folder, 'ring');
  createRecorder(path, 2);
  const recorder = openRecorder(path, 1);
  const members = [0, 1];
  const call = { group: 0, call: 1, type: 0, count: 5, peer: -1 };
  const first = recorder.begin({ ...call, sequence: 1 }, members);
  for (let sequence = 2; sequence <= 100; sequence++) recorder.begin({ ...call, sequence }, members)();
  first();
  const [absent, rank] = readRecorder(path).ranks;
  expect(absent).toEqual({ rank: 0, pid: null, left: false, calls: [], steps: [] });
  expect(rank!.calls.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 64 }, (_, i) => 37 + i));
  expect(rank!.calls.every(({ seconds }) => seconds !== null)).toBe(true);
  expect(explainRecorder(readRecorder(path))).toEqual(['rank 0 never came']);
});

test('a rank at another call is named with the one that is waited in', () => {
  const call = (name: string, count: number): RecordedCall => ({
    group: 0,
    members: [0, 1],
    sequence: 4,
    call: name,
    type: 'f32',
    count,
    peer: null,
    at: '2026-11-24T20:00:00.000Z',
    seconds: null,
  });
  const rank = (r: number, calls: RecordedCall[]) => ({ rank: r, pid: 10 + r, left: false, calls, steps: [] });
  const lines = explainRecorder({ ranks: [rank(0, [call('allReduce', 5)]), rank(1, [call('broadcast', 6)])] });
  expect(lines).toEqual(['rank 1 is at broadcast #4 of 6 f32, rank 0 at allReduce #4 of 5 f32']);
});

test('a rank that is gone is told once, at the first of the sums that the others had begun', () => {
  const begun = (sequence: number): RecordedCall => ({
    group: 0,
    members: [0, 1, 2],
    sequence,
    call: 'startAllReduce',
    type: 'f32',
    count: 9,
    peer: null,
    at: `2026-11-24T20:00:0${sequence}.000Z`,
    seconds: null,
  });
  const rank = (r: number, calls: RecordedCall[]) => ({ rank: r, pid: 10 + r, left: false, calls, steps: [] });
  const calls = [begun(3), begun(4), begun(5)];
  const lines = explainRecorder({ ranks: [rank(0, []), rank(1, calls), rank(2, calls)] });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('rank 0 did not come to startAllReduce #3 of 9 f32');
  expect(lines[0]).toContain('ranks 1, 2 are there since 2026-11-24T20:00:03.000Z');
});

test('another file is refused', () => {
  const path = join(folder, 'other');
  writeFileSync(path, 'x'.repeat(100_000));
  expect(() => readRecorder(path)).toThrow('no file of a flight recorder');
});
