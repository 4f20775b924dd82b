import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MAILBOX } from './conformance.ts';
import { compileRank, startShared } from './launch.ts';
import { compiledModule } from '../../../core/root.ts';
import { createWorldMemory } from '../../../trainer/collectives/shared-memory/memory.ts';

test.each([
  [3, 'inheritance', 1],
  [4, 'proc', 0],
] as const)(
  'of %d ranks (memory by %s) rank %d is killed: all others end with its name and nothing stays',
  async (ranks, through, killed) => {
    const { children, memory, answers } = startShared(ranks, { part: 'sumForever' }, through);
    const { inode } = memory.place;
    await Promise.all(children.map((child) => new Promise((resolve) => child.stderr!.once('data', resolve))));
    expect(holders(inode)).toHaveLength(ranks + 1);
    const at = Date.now();
    children[killed]!.kill('SIGKILL');
    const ends = await answers;
    expect(Date.now() - at).toBeLessThan(10_000);
    for (const [rank, answer] of ends.entries())
      if (rank === killed) expect(answer.end).toBe('SIGKILL');
      else expect(answer).toMatchObject({ error: `Error: rank ${killed} ended`, rank: killed, end: 0 });
    for (let i = 0; i < 20 && holders(inode).length > 0; i++) await sleep(50);
    expect(holders(inode)).toEqual([]);
  },
);

test('ranks end with the process that has started them', async () => {
  const launcher = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { spawn } from 'node:child_process';
       const { createWorldMemory } = await import(${JSON.stringify(compiledModule('trainer/collectives/shared-memory/memory'))});
       const { place } = createWorldMemory(2, ${JSON.stringify({ mailbox: MAILBOX })});
       for (const rank of [0, 1]) {
         const order = JSON.stringify({ home: 'shared', part: 'sumForever', rank, place: { ...place, inherited: 3 } });
         spawn(process.execPath, [${JSON.stringify(compileRank())}, order], { stdio: ['ignore', 'ignore', 'inherit', place.fd] });
       }
       process.stdout.write(String(place.inode));`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const inode = Number(await new Promise((resolve) => launcher.stdout.once('data', resolve)));
  let said = '';
  launcher.stderr.on('data', (data: Buffer) => void (said += data.toString()));
  for (let i = 0; i < 200 && said.split('summing').length < 3; i++) await sleep(50);
  expect(holders(inode)).toHaveLength(3);
  launcher.kill('SIGKILL');
  for (let i = 0; i < 100 && holders(inode).length > 0; i++) await sleep(50);
  expect(holders(inode)).toEqual([]);
});

test('a rank that stays away is named by all others, with the call', async () => {
  const { children, answers } = startShared(3, { part: 'stayAway', patience: 1 });
  setTimeout(() => children[1]!.kill('SIGKILL'), 20_000).unref();
  void Promise.all([0, 2].map((r) => new Promise((resolve) => children[r]!.once('close', resolve)))).then(() =>
    children[1]!.kill('SIGKILL'),
  );
  const [a, , b] = await answers;
  expect(a!.error).toBe('Error: rank 1 did not come to allReduce #3: another waited 1 s for it');
  expect(b!.error).toBe(a!.error);
});

test('a rank that ends before it enters is seen, since its launcher has named it', async () => {
  const { answers } = startShared(2, { part: 'meet', absent: 1 });
  expect((await answers)[0]!.error).toBe('Error: rank 1 ended');
});

test.each([
  ['leaveEarly', 'Error: rank 2 left before barrier #2'],
  ['giveUp', 'Error: rank 2 gave up'],
])('%s', async (part, error) => {
  const ends = await startShared(3, { part }).answers;
  expect(ends.slice(0, 2)).toMatchObject([{ error }, { error }]);
});

test.each([
  ['wrongCall', 'rank 1 is at broadcast #2 of 64 f32, rank 0 at allReduce #2 of 128 f32'],
  ['wrongCount', 'rank 1 is at allReduce #1 of 100000 f32, rank 0 at allReduce #1 of 100001 f32'],
  ['wrongType', 'rank 1 is at allReduce #1 of 9 f32, rank 0 at allReduce #1 of 9 f64'],
  ['wrongRoot', 'rank 1 is at broadcast #1 of 9 f32 from member 1, rank 0 at broadcast #1 of 9 f32 from member 0'],
  [
    'wrongEdges',
    /^Error: rank 1 is at reduceScatter #1 of 9 f32 with edges of digest \d+, rank 0 at reduceScatter #1 of 9/,
  ],
  ['wrongSplit', 'ranks 0 and 1 split their group into different ones'],
])('%s: an error on every rank, which names both', async (part, what) => {
  for (const answer of await startShared(2, { part }).answers) {
    if (typeof what === 'string') expect(answer).toMatchObject({ error: `Error: ${what}` });
    else expect(answer.error).toMatch(what);
    expect(answer.seconds).toBeLessThan(20);
  }
});

test('a message of another length is refused by its receiver, and the sender learns of its end', async () => {
  const [sender, receiver] = await startShared(2, { part: 'wrongMessage' }).answers;
  expect(receiver!.error).toBe('Error: rank 1 expects 11 f32, and message #1 from rank 0 brings 10');
  expect(sender!.error).toMatch(/rank 1 (ended|left before barrier #1)/);
  const [, other] = await startShared(2, { part: 'wrongGroupOfMessage' }).answers;
  expect(other!.error).toContain('brings 10, sent in another group');
});

test('what may not be asked for is refused at once', async () => {
  for (const { result, error } of await startShared(2, { part: 'refusals' }).answers) {
    expect(error).toBeUndefined();
    const { zeroed, answers, open } = result as { zeroed: boolean; answers: string[]; open: number };
    expect(zeroed).toBe(true);
    expect(open).toBe(64);
    const words = [
      'edges 0, 9, 9 do not cut 8 elements for 2 ranks',
      'edges 0, 5, 3 do not cut',
      'member 2 of a group of 2 does not exist',
      'is this one itself',
      'the mailbox holds 2000',
      'at most 65536',
      'do not cut 2 members',
      'once a process',
      'more than 64 collectives',
      'has ended already',
      'the world is closed',
    ];
    for (const [i, word] of words.entries()) expect(answers[i]).toContain(word);
  }
});

test('want of memory is a sentence, and the others learn who had it', async () => {
  const [other, one] = await startShared(2, { part: 'tooMuch' }).answers;
  expect(one!.error).toMatch(/^GarnerError: rank 1 needs 70369 GB of memory, and the machine has [\d.]+ GB free$/);
  expect(other!.error).toMatch(/rank 1 (ended|left before barrier #2)/);
});

test('who waits knows how long', async () => {
  const [early, late] = (await startShared(2, { part: 'late' }).answers).map((answer) => answer.result as number);
  expect(early).toBeGreaterThan(0.25);
  expect(late).toBeLessThan(early! / 2);
});

test('a number of ranks that no host can hold is refused', () => {
  expect(() => createWorldMemory(257, { mailbox: MAILBOX })).toThrow('257 ranks: 1 to 256 can share one host');
});

/** Processes that hold the memory: a mapping or a descriptor of it. */
function holders(inode: number): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      if (new RegExp(`\\b${inode} +/memfd:garner-ranks`).test(readFileSync(`/proc/${pid}/maps`, 'utf8'))) return true;
      const links = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
      return links.some((link) => readlinkSync(link).includes('garner-ranks') && statSync(link).ino === inode);
    } catch {
      // It has ended meanwhile, or is another user's.
      return false;
    }
  });
}
