import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { Broken, type Wire } from './wire.ts';

/** Proves that both sides know the secret without sending it, after the challenge of RFC 2195 in both directions. */
const proof = (secret: string, who: string, theirs: string, mine: string): string =>
  createHmac('sha256', secret).update(`garner ranks 1\0${who}\0${theirs}\0${mine}`).digest('hex');

const equal = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

const nonce = z.string().regex(/^[0-9a-f]{64}$/);
const challenge = z.strictObject({ garner: z.literal(1), nonce });
const answer = z.strictObject({ nonce, proof: nonce });
const verdict = z.union([z.strictObject({ proof: nonce }), z.strictObject({ refused: z.string().max(1000) })]);

/** The other side does not know the secret. */
export class WrongSecret extends Error {}

const fresh = (): string => randomBytes(32).toString('hex');

function seal(wire: Wire, secret: string, host: string, guest: string, side: 'host' | 'guest'): void {
  const key = (from: string) => createHmac('sha256', secret).update(`key\0${from}\0${host}\0${guest}`).digest();
  const other = side === 'host' ? 'guest' : 'host';
  wire.seal({ send: key(side), receive: key(other) });
}

/** Reads a message of a shape. Throws Broken for another. */
export async function expectMessage<T>(wire: Wire, shape: z.ZodType<T>, seconds?: number): Promise<T> {
  const read = shape.safeParse(await wire.receive(seconds));
  if (read.success) return read.data;
  throw new Broken('what answers there is no garner, or another version of it');
}

/** The listening side: challenges a guest and answers its challenge. Throws WrongSecret after telling the guest so, or Broken. */
export async function receiveGuest(wire: Wire, secret: string, seconds: number): Promise<void> {
  const mine = fresh();
  wire.send({ garner: 1, nonce: mine });
  const { nonce: theirs, proof: shown } = await expectMessage(wire, answer, seconds);
  if (!equal(shown, proof(secret, 'guest', mine, theirs))) {
    wire.send({ refused: 'secret' });
    wire.end();
    throw new WrongSecret('it does not know the secret');
  }
  wire.send({ proof: proof(secret, 'host', theirs, mine) });
  seal(wire, secret, mine, theirs, 'host');
}

/** The side that connects. Throws WrongSecret or Broken. */
export async function introduce(wire: Wire, secret: string, seconds: number): Promise<void> {
  const { nonce: theirs } = await expectMessage(wire, challenge, seconds);
  const mine = fresh();
  wire.send({ nonce: mine, proof: proof(secret, 'guest', theirs, mine) });
  const said = await expectMessage(wire, verdict, seconds);
  if ('refused' in said) throw new WrongSecret('rank 0 has another secret');
  if (!equal(said.proof, proof(secret, 'host', mine, theirs)))
    throw new WrongSecret('who listens there does not know the secret');
  seal(wire, secret, theirs, mine, 'guest');
}
