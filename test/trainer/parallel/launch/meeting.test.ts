import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { GarnerError } from '../../../../core/errors.ts';
import { joinMeeting, type Guest } from '../../../../trainer/parallel/launch/guest.ts';
import { openMeeting, type Meeting, type MeetingOptions } from '../../../../trainer/parallel/launch/meeting.ts';
import { checkAlike, codeDigest, nameRanks, type Member } from '../../../../trainer/parallel/launch/member.ts';

const me = (rank: number, ranks: number, more: Partial<Member> = {}): Member => ({
  rank,
  ranks,
  host: `host-${rank}`,
  room: 'a',
  pid: 100 + rank,
  cores: 2,
  own: 2,
  mpi: false,
  digests: { code: 'c', recipe: 'r' },
  ...more,
});

let open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.toReversed()) await one.close();
  open = [];
});

const notices: string[] = [];
async function host(ranks: number, more: Partial<MeetingOptions> = {}): Promise<Meeting> {
  notices.length = 0;
  const meeting = await openMeeting({
    me: me(0, ranks),
    secret: 'correct horse',
    address: '127.0.0.1',
    port: 0,
    patience: 5,
    notice: (text) => void notices.push(text),
    ...more,
  });
  open.push(meeting);
  return meeting;
}

async function guest(port: number, member: Member, secret = 'correct horse', patience = 5): Promise<Guest> {
  const joined = await joinMeeting({
    me: member,
    invitation: () => ({ addresses: ['127.0.0.1'], port, secret }),
    patience,
    waiting: (what) => void notices.push(what),
    minute: 0.05,
  });
  open.push(joined);
  return joined;
}

const errorOf = (promise: Promise<unknown>): Promise<GarnerError> =>
  promise.then(
    () => {
      throw new Error('no error came');
    },
    (error: GarnerError) => error,
  );

/** Whether a new connection is taken. */
const listens = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });

test('all come, are asked, answer, wait with a line, and go; the port is closed once all are there', async () => {
  const meeting = await host(3);
  meeting.tell('which runs the stage dedup');
  const guests = await Promise.all([guest(meeting.port, me(2, 3)), guest(meeting.port, me(1, 3))]);
  const all = await meeting.gather();
  expect(all.map((m) => m.host)).toEqual(['host-0', 'host-1', 'host-2']);
  expect(await listens(meeting.port)).toBe(false);
  const first = guests.map((g) => g.next());
  await sleep(150);
  expect(notices).toContain('rank 2 waits for rank 0 which runs the stage dedup');
  const order = { shards: 'x'.repeat(3_000_000) };
  const answers = meeting.ask(order);
  for (const [i, g] of guests.entries()) {
    expect(await first[i]).toEqual(order);
    g.answer({ place: i });
  }
  expect(await answers).toEqual([{ place: 1 }, { place: 0 }]);
  await meeting.close();
  for (const g of guests) expect(await g.next()).toBeNull();
});

test('ranks that do not come are named', async () => {
  const meeting = await host(9, { patience: 0.5 });
  await guest(meeting.port, me(3, 9));
  const error = await errorOf(meeting.gather());
  expect(error.message).toBe('ranks: ranks 1, 2, 4 … 8 did not come within 0.5 s');
  expect(error.fault).toBe(2);
});

test('a rank 0 that is not there is named, with what was tried', async () => {
  const error = await errorOf(guest(1, me(1, 2), 'x', 0.6));
  expect(error.message).toMatch(/rank 1 did not find rank 0 within 0.6 s \(127.0.0.1:1: .*ECONNREFUSED/);
});

test('a wrong secret is refused with a sentence on both sides, and the right one still comes in', async () => {
  const meeting = await host(2);
  const error = await errorOf(guest(meeting.port, me(1, 2), 'battery staple'));
  expect([error.message.includes('rank 1 is refused: rank 0 has another secret'), error.fault]).toEqual([true, 2]);
  expect(notices[0]).toMatch(/a connection from .*127.0.0.1 was refused: it does not know the secret/);
  await guest(meeting.port, me(1, 2));
  expect(await meeting.gather()).toHaveLength(2);
});

test('who listens without the secret gets nothing', async () => {
  const heard: Buffer[] = [];
  const trap: Server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      heard.push(chunk);
      const answer = Buffer.from(JSON.stringify({ proof: '0'.repeat(64) }));
      socket.write(Buffer.concat([Buffer.from([0, 0, 0, answer.length]), answer]));
    });
    const hello = Buffer.from(JSON.stringify({ garner: 1, nonce: '1'.repeat(64) }));
    socket.write(Buffer.concat([Buffer.from([0, 0, 0, hello.length]), hello]));
  }).listen(0, '127.0.0.1');
  open.push(trap);
  await sleep(20);
  const error = await errorOf(guest((trap.address() as AddressInfo).port, me(1, 2)));
  expect(error.message).toContain('who listens there does not know the secret');
  expect(Buffer.concat(heard).toString()).not.toMatch(/correct horse|host-1|recipe/);
});

test.each<[Partial<Member>, says: string]>([
  [
    { digests: { code: 'c', recipe: 'other' } },
    'the ranks differ in their recipe: rank 0 (host-0) has r, rank 1 (host-1) has other',
  ],
  [{ digests: { code: 'c' } }, 'rank 1 (host-1) has nothing'],
  [{ ranks: 4 }, 'rank 1 (host-1) is one of 4 ranks, rank 0 (host-0) one of 3'],
  [{ rank: 0 }, 'two processes say that they are rank 0: process 100 on host-0 and process 101 on host-1'],
  [{ rank: 7 }, 'rank 7 of 3 ranks'],
])('a rank that does not belong: %j', async (more, says) => {
  const meeting = await host(3);
  const late = await guest(meeting.port, me(1, 3, more));
  const [here, there] = await Promise.all([errorOf(meeting.gather()), errorOf(late.next())]);
  expect(here.message).toContain(says);
  expect(there.message).toContain(says);
  expect([here.fault, there.fault]).toEqual([2, 2]);
});

test('garbage, floods and silence hold nothing up', async () => {
  const meeting = await host(2);
  const attacks = [
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]),
    Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from('[]')]),
    Buffer.concat([Buffer.from([0, 0, 0, 4]), Buffer.from('nope')]),
    Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from([0, 0, 0, 2, 0x7b, 0x7d]))),
    Buffer.alloc(0),
  ];
  const sockets = attacks.map((bytes) => {
    const socket = connect({ port: meeting.port, host: '127.0.0.1' })
      .on('error', () => {})
      .resume();
    if (bytes.length > 0) socket.write(bytes);
    return socket;
  });
  await sleep(100);
  await guest(meeting.port, me(1, 2));
  expect(await meeting.gather()).toHaveLength(2);
  expect(sockets.slice(0, 5).every((s) => s.destroyed)).toBe(true);
});

test('a port in use is a sentence', async () => {
  const first = await host(2);
  const error = await errorOf(
    openMeeting({ me: me(0, 2), secret: 's', address: '127.0.0.1', port: first.port, patience: 1, notice() {} }),
  );
  expect(error.message).toBe(`ranks: port ${first.port} is in use`);
});

test('a rank that goes is named, with its own words where it had any; the others hear why', async () => {
  const meeting = await host(4);
  const [one, two, three] = await Promise.all([1, 2, 3].map((rank) => guest(meeting.port, me(rank, 4))));
  await meeting.gather();
  const asked = errorOf(meeting.ask('train'));
  for (const g of [one!, two!]) expect(await g.next()).toBe('train');
  two!.fail(new GarnerError({ what: 'the disk is full', where: '/scratch', fault: 1 }));
  const error = await asked;
  expect(error.message).toBe('/scratch: the disk is full');
  await meeting.close(error);
  expect((await errorOf(one!.next())).message).toBe('/scratch: the disk is full');
  three!.close();
});

test('a rank whose connection breaks is named, and a rank 0 that goes is noticed', async () => {
  const meeting = await host(3);
  const [one, two] = await Promise.all([1, 2].map((rank) => guest(meeting.port, me(rank, 3))));
  await meeting.gather();
  const asked = errorOf(meeting.ask('train'));
  two!.close();
  expect((await asked).message).toContain('rank 2 on host-2 ended');
  expect(await one!.next()).toBe('train');
  const next = errorOf(one!.next());
  await meeting.close(new Error('a wire is loose'));
  expect((await next).message).toContain('rank 0 ended: a wire is loose');
});

test('a rank that goes before all have come is named', async () => {
  const meeting = await host(3);
  const one = await guest(meeting.port, me(1, 3));
  const gathered = errorOf(meeting.gather());
  await sleep(50);
  one.close();
  expect((await gathered).message).toContain('rank 1 on host-1 ended');
});

test('who differs or goes while rank 0 is at something else is told at once; who goes after a good end is not', async () => {
  const troubles: string[] = [];
  const trouble = (error: GarnerError) => void troubles.push(error.message);
  const first = await host(2, { trouble });
  await guest(first.port, me(1, 2, { digests: { code: 'old', recipe: 'r' } }));
  const second = await host(3, { trouble });
  const [one, two] = await Promise.all([1, 2].map((rank) => guest(second.port, me(rank, 3))));
  one!.close();
  const third = await host(2, { trouble });
  const good = await guest(third.port, me(1, 2));
  await third.gather();
  await third.close();
  expect(await good.next()).toBeNull();
  good.close();
  two!.close();
  await sleep(100);
  expect(troubles.map((t) => t.slice(0, 40))).toEqual([
    'ranks: the ranks differ in their code: r',
    'ranks: rank 1 on host-1 ended (its conne',
    'ranks: rank 2 on host-2 ended (its conne',
  ]);
});

test('what differs between many ranks is told by groups', () => {
  const members = Array.from({ length: 9 }, (_, rank) =>
    me(rank, 9, { digests: { code: rank === 4 ? 'old' : 'new' } }),
  );
  expect(() => checkAlike(members)).toThrow(
    'the ranks differ in their code: ranks 0 … 3, 5 … 8 (host-0) have new, rank 4 (host-4) has old',
  );
  expect(nameRanks([7])).toBe('rank 7');
  expect(codeDigest()).toMatch(/^[0-9a-f]{16}$/);
  expect(codeDigest()).toBe(codeDigest());
});
