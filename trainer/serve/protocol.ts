import type { SampleRequest, Token } from '../sample/batch.ts';
import type { Ended } from '../sample/generate.ts';

/** What the server says to the process that holds the model. */
export type Order =
  | { type: 'open'; checkpoint: string; threads: number; slots: number }
  | { type: 'add'; id: number; request: Omit<SampleRequest, 'stop'> }
  | { type: 'stop'; id: number };

/** What it answers; `step` is one step's tokens of all sequences, in one message. */
export type Report =
  | { type: 'open' }
  | { type: 'step'; tokens: { id: number; token: Token }[]; ends: { id: number; ended: Ended }[] }
  | { type: 'failed'; message: string };
