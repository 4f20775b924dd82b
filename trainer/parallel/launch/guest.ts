import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { GarnerError } from '../../../core/errors.ts';
import { failureOf, type Failure } from './failure.ts';
import type { Member } from './member.ts';
import { expectMessage, introduce, WrongSecret } from './secret.ts';
import { Broken, openWire, type Wire } from './wire.ts';

/** Where rank 0 may be reached, and with which secret. */
export interface Invitation {
  addresses: readonly string[];
  port: number;
  secret: string;
}

export interface GuestOptions {
  me: Member;
  /** Asked again until somebody answers: null where nobody has said yet where rank 0 listens. */
  invitation: () => Invitation | null;
  /** So long rank 0 has to open its port [s]; once it has, this rank waits as long as the connection stands. */
  patience: number;
  /** Called each minute with what rank 0 is at. */
  waiting: (what: string) => void;
  /** Between two such lines [s]; replaced in tests. */
  minute?: number;
}

/** Another rank's side of a meeting. */
export interface Guest {
  /** The next question of rank 0; null when the meeting has ended well. Throws the error that ended it, or one that says that rank 0 is gone. */
  next(): Promise<unknown>;
  answer(value: unknown): void;
  /** Whether rank 0 has gone without a word: then what else goes wrong here is its consequence. */
  gone(): boolean;
  /** The last words of this rank. */
  fail(error: unknown): void;
  close(): void;
}

const said = z.union([
  z.strictObject({ wait: z.string() }),
  z.strictObject({ question: z.unknown() }),
  z.strictObject({ end: z.unknown() }),
]);

/** Rank 0 has ended with this error, and has said so itself. */
export class RankZeroEnded extends GarnerError {}

/** Joins rank 0. Throws a GarnerError where it is not there in time, has another secret, or refuses this rank. */
export async function joinMeeting(options: GuestOptions): Promise<Guest> {
  const { me, waiting } = options;
  const minute = (options.minute ?? 60) * 1000;
  const wire = await reach(options);
  wire.send(me);
  let status = 'to begin';
  let gone = false;
  wire.onEnd(() => void (gone = true));
  return {
    gone: () => gone,
    async next() {
      const tick = setInterval(() => waiting(`rank ${me.rank} waits for rank 0 ${status}`), minute);
      try {
        for (;;) {
          const message = await expectMessage(wire, said);
          if ('wait' in message) status = message.wait;
          else if ('question' in message) return message.question;
          else {
            const failure = message.end as Failure | null;
            if (failure === null) return null;
            throw new RankZeroEnded(failure.garner ?? { what: `rank 0 ended: ${failure.message}`, where: 'ranks' });
          }
        }
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        throw new GarnerError({
          what: `rank 0 is gone (${error.message}), and with it the training`,
          where: `rank ${me.rank}`,
          hint: 'its own lines say more; the same command goes on from the last checkpoint',
        });
      } finally {
        clearInterval(tick);
      }
    },
    answer: (value) => wire.send({ answer: value }),
    fail(error) {
      wire.send({ failure: failureOf(error) });
      wire.end();
    },
    close: () => wire.destroy(),
  };
}

/** Connects and shows the secret; tries again while nobody listens. */
async function reach({ me, invitation, patience }: GuestOptions): Promise<Wire> {
  const until = performance.now() + patience * 1000;
  let trouble = 'nobody has said yet where it listens';
  for (; performance.now() < until; await sleep(250)) {
    const where = invitation();
    if (where === null) continue;
    for (const address of where.addresses) {
      const socket = await dial(address, where.port).catch((error: unknown) => {
        trouble = `${address}:${where.port}: ${(error as Error).message}`;
        return null;
      });
      if (socket === null) continue;
      const wire = openWire(socket);
      try {
        await introduce(wire, where.secret, 20);
        return wire;
      } catch (error) {
        wire.destroy();
        if (error instanceof WrongSecret)
          throw new GarnerError({
            what: `rank ${me.rank} is refused: ${error.message}`,
            where: `${address}:${where.port}`,
            hint: 'give all ranks the same GARNER_SECRET, or unset it on all of them',
            fault: 2,
          });
        // A port may have passed to another program since it was written down.
        trouble = `${address}:${where.port}: ${(error as Error).message}`;
      }
    }
  }
  throw new GarnerError({
    what: `rank ${me.rank} did not find rank 0 within ${patience} s (${trouble})`,
    where: 'ranks',
    hint: 'was rank 0 started, and can this host reach it (--interface)? Ranks read where it listens in the lake: they must all see it',
    fault: 2,
  });
}

/** A connection within 3 s. */
function dial(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const timer = setTimeout(() => socket.destroy(new Error('no answer within 3 s')), 3000);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
