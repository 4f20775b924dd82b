import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';

/** Longest message of somebody who has not shown the secret yet [bytes]. */
const STRANGER = 16_384;
/** Longest message of a rank that has [bytes]: an order names every shard. */
const LONGEST = 1 << 26;
const MAC = 32;

/** The other side closed, broke off or spoke no garner. */
export class Broken extends Error {}

/** Messages over a socket: JSON with its length before it and, once both sides know each other, an HMAC that counts them. */
export interface Wire {
  send(message: unknown): void;
  /** The next message. Throws Broken where none comes any more, or none within `seconds`. */
  receive(seconds?: number): Promise<unknown>;
  /** From now on both directions are signed. `send` and `receive` are keys of their own. */
  seal(keys: { send: Buffer; receive: Buffer }): void;
  /** Called once when the other side is gone. */
  onEnd(then: () => void): void;
  /** Sends what is on its way, then closes. */
  end(): void;
  destroy(): void;
}

export function openWire(socket: Socket): Wire {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 15_000);
  const queue: unknown[] = [];
  const waiting: { resolve: (message: unknown) => void; reject: (error: Error) => void }[] = [];
  let keys: { send: Buffer; receive: Buffer } | null = null;
  const counts = { send: 0, receive: 0 };
  let broken: Broken | null = null;
  let ended: (() => void) | null = null;
  let pending: Buffer[] = [];
  let bytes = 0;

  const fail = (why: string) => {
    if (broken) return;
    broken = new Broken(why);
    for (const { reject } of waiting.splice(0)) reject(broken);
    pending = [];
    socket.destroy();
    ended?.();
  };
  const sign = (key: Buffer, count: number, text: Buffer) =>
    createHmac('sha256', key).update(`${count}\0`).update(text).digest();
  const open = (body: Buffer): unknown => {
    if (!keys) return JSON.parse(body.toString('utf8'));
    const text = body.subarray(MAC);
    if (body.length < MAC || !timingSafeEqual(body.subarray(0, MAC), sign(keys.receive, counts.receive++, text)))
      throw new Error('a message has a wrong signature');
    return JSON.parse(text.toString('utf8'));
  };
  const deliver = (message: unknown) => {
    const first = waiting.shift();
    if (first) first.resolve(message);
    else queue.push(message);
    // Who has not shown the secret answers, and says no more than that.
    if (!keys && queue.length > 4) fail('too many messages');
  };
  const take = () => {
    while (bytes >= 4 && !broken) {
      // Pieces are joined when a message is whole: once for each piece would be the square of a long one.
      if (pending[0]!.length < 4) pending = [Buffer.concat(pending)];
      const length = pending[0]!.readUInt32BE(0);
      if (length > (keys ? LONGEST : STRANGER)) return fail(`a message of ${length} bytes`);
      if (bytes < 4 + length) return;
      const all = Buffer.concat(pending);
      pending = [all.subarray(4 + length)];
      bytes = pending[0]!.length;
      try {
        deliver(open(all.subarray(4, 4 + length)));
      } catch (error) {
        return fail((error as Error).message);
      }
    }
  };
  socket.on('data', (chunk: Buffer) => {
    pending.push(chunk);
    bytes += chunk.length;
    take();
  });
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('the connection was closed'));
  return {
    send(message) {
      if (broken) return;
      const text = Buffer.from(JSON.stringify(message));
      const body = keys ? Buffer.concat([sign(keys.send, counts.send++, text), text]) : text;
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      socket.write(Buffer.concat([length, body]));
    },
    receive(seconds) {
      if (queue.length > 0) return Promise.resolve(queue.shift());
      if (broken) return Promise.reject(broken);
      return new Promise((resolve, reject) => {
        const entry = { resolve, reject };
        waiting.push(entry);
        if (seconds === undefined) return;
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(entry), 1);
          reject(new Broken(`no answer within ${seconds} s`));
        }, seconds * 1000);
        entry.resolve = (message) => (clearTimeout(timer), resolve(message));
        entry.reject = (error) => (clearTimeout(timer), reject(error));
      });
    },
    seal: (both) => void (keys = both),
    onEnd(then) {
      ended = then;
      if (broken) then();
    },
    end: () => void socket.end(),
    destroy: () => fail('closed here'),
  };
}
