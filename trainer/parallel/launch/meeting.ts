import { createServer, type Server, type Socket } from 'node:net';
import { z } from 'zod';
import { explainSystemError, GarnerError } from '../../../core/errors.ts';
import { failureOf, garnerError, type Failure } from './failure.ts';
import { checkAlike, member, nameRanks, type Member } from './member.ts';
import { expectMessage, receiveGuest, WrongSecret } from './secret.ts';
import { Broken, openWire, type Wire } from './wire.ts';

/** Who connects has so long to say who it is [s]. */
const INTRODUCTION = 20;
/** Connections at once of which nobody knows yet who they are. */
const STRANGERS = 256;

export interface MeetingOptions {
  /** Rank 0's own. */
  me: Member;
  secret: string;
  /** Address to listen at; all interfaces where it is undefined. Port 0 takes a free one. */
  address: string | undefined;
  port: number;
  /** So long all ranks have to come, counted from the first question [s]. */
  patience: number;
  notice: (text: string) => void;
  /** Called when a rank differs or goes while rank 0 is at something else: what it does is in vain. */
  trouble?: (error: GarnerError) => void;
}

/** Rank 0's side: where the other ranks come, get their orders and answer. */
export interface Meeting {
  port: number;
  /** All ranks, in their order, once they have come. Throws a GarnerError that names those that stay away, or what differs. */
  gather(): Promise<readonly Member[]>;
  /** What the others wait for now; they say so to whom watches them. */
  tell(what: string): void;
  /** Asks all others and waits for their answers, by rank from 1 on. Throws the GarnerError of the first that fails, or one that names who is gone. */
  ask(question: unknown): Promise<unknown[]>;
  /** Says good-bye, or why it all ends, and closes the port. */
  close(error?: unknown): Promise<void>;
}

/** What a rank says to rank 0. */
const reply = z.union([z.strictObject({ answer: z.unknown() }), z.strictObject({ failure: z.unknown() })]);

/** Opens the port. Throws a GarnerError where it is in use. */
export async function openMeeting(options: MeetingOptions): Promise<Meeting> {
  const { me, secret, patience, notice } = options;
  const guests = new Map<number, { wire: Wire; member: Member; failure: Failure | null; gone: boolean }>();
  const strangers = new Set<Socket>();
  let status = 'to begin';
  let wrong: GarnerError | null = null;
  let news: () => void = () => {};
  // A question notices by itself who goes.
  let busy = 0;
  let closing = false;

  const server = createServer((socket) => {
    if (strangers.size >= STRANGERS) return void socket.destroy();
    strangers.add(socket);
    receive(socket)
      .catch((error: unknown) => {
        socket.destroySoon();
        if (error instanceof WrongSecret)
          notice(`a connection from ${socket.remoteAddress ?? 'somewhere'} was refused: ${error.message}`);
        else if (error instanceof GarnerError) {
          wrong ??= error;
          news();
          options.trouble?.(error);
        }
      })
      .finally(() => strangers.delete(socket));
  });
  const receive = async (socket: Socket) => {
    const wire = openWire(socket);
    await receiveGuest(wire, secret, INTRODUCTION);
    const guest = await expectMessage(wire, member, INTRODUCTION);
    try {
      admit(guest);
    } catch (error) {
      wire.send({ end: failureOf(error) });
      throw error;
    }
    const entry = { wire, member: guest, failure: null as Failure | null, gone: false };
    guests.set(guest.rank, entry);
    wire.onEnd(() => {
      entry.gone = true;
      news();
      if (!busy && !closing) void lost(entry).then((error) => options.trouble?.(error));
    });
    wire.send({ wait: status });
    news();
  };
  const admit = (guest: Member) => {
    const before = guests.get(guest.rank)?.member ?? (guest.rank === 0 ? me : undefined);
    const at = (m: Member) => `process ${m.pid} on ${m.host}`;
    if (guest.ranks !== me.ranks)
      throw differs(
        `rank ${guest.rank} (${guest.host}) is one of ${guest.ranks} ranks, rank 0 (${me.host}) one of ${me.ranks}`,
      );
    if (before) throw differs(`two processes say that they are rank ${guest.rank}: ${at(before)} and ${at(guest)}`);
    if (guest.rank >= me.ranks) throw differs(`rank ${guest.rank} of ${me.ranks} ranks`);
    checkAlike([me, guest]);
  };
  const port = await listen(server, options);
  const beat = setInterval(() => tell(status), 15_000);
  beat.unref();
  const tell = (what: string) => {
    status = what;
    for (const { wire } of guests.values()) wire.send({ wait: status });
  };
  const missing = () => Array.from({ length: me.ranks - 1 }, (_, i) => i + 1).filter((rank) => !guests.has(rank));
  const gone = () => [...guests.values()].find((g) => g.gone);

  return {
    port,
    tell,
    async gather() {
      const until = performance.now() + patience * 1000;
      const tick = setInterval(() => news(), 200);
      const said = setInterval(() => notice(`waiting for ${nameRanks(missing())}`), 60_000);
      try {
        while (missing().length > 0 || wrong || gone()) {
          if (wrong) throw wrong;
          const left = gone();
          if (left) throw await lost(left);
          if (performance.now() > until) throw away(missing(), patience);
          await new Promise<void>((resolve) => (news = resolve));
        }
      } finally {
        clearInterval(tick);
        clearInterval(said);
        news = () => {};
      }
      server.close();
      return [me, ...[...guests.values()].map((g) => g.member).toSorted((a, b) => a.rank - b.rank)];
    },
    async ask(question) {
      const asked = [...guests.values()].toSorted((a, b) => a.member.rank - b.member.rank);
      for (const { wire } of asked) wire.send({ question });
      busy++;
      return Promise.all(
        asked.map(async (guest) => {
          let said: z.output<typeof reply>;
          try {
            said = await expectMessage(guest.wire, reply);
          } catch (error) {
            if (error instanceof Broken) throw await lost(guest);
            throw error;
          }
          if ('answer' in said) return said.answer;
          guest.failure = said.failure as Failure;
          throw await lost(guest);
        }),
      ).finally(() => void busy--);
    },
    async close(error) {
      closing = true;
      clearInterval(beat);
      for (const { wire } of guests.values()) {
        wire.send({ end: error === undefined ? null : failureOf(error) });
        wire.end();
      }
      for (const socket of strangers) socket.destroy();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const differs = (what: string) =>
  new GarnerError({ what, where: 'ranks', hint: 'start all ranks with the same launcher, once', fault: 2 });

const away = (ranks: readonly number[], patience: number) =>
  new GarnerError({
    what: `${nameRanks(ranks)} did not come within ${patience} s`,
    where: 'ranks',
    hint: 'were all ranks started, and can their hosts reach this one? --interface names the interface to listen at',
    fault: 2,
  });

/** Why a rank is gone, in its own words where it had any. */
async function lost(guest: { member: Member; failure: Failure | null }): Promise<GarnerError> {
  const own = guest.failure && garnerError(guest.failure);
  if (own) return own;
  const why = guest.failure?.message ?? 'its connection ended';
  return new GarnerError({
    what: `rank ${guest.member.rank} on ${guest.member.host} ended (${why})`,
    where: 'ranks',
    hint: 'its own lines say more; the same command goes on from the last checkpoint',
  });
}

async function listen(server: Server, { address, port }: MeetingOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explainSystemError(error, 'ranks') as Error));
    server.listen({ port, host: address, exclusive: true }, resolve);
  });
  const bound = server.address();
  return bound !== null && typeof bound === 'object' ? bound.port : port;
}
