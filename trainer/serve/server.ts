import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { sha256File } from '../../core/hash.ts';
import { templateBeside } from '../chat/template.ts';
import { readConfig } from '../checkpoint/config.ts';
import type { ModelConfig } from '../model/config.ts';
import { byteCounts, openVocabulary, type Vocabulary } from '../sample/vocabulary.ts';
import { openApp } from './app.ts';
import { openRemoteModel } from './model.ts';
import { openPlaces } from './places.ts';

const MOST_PLACES = 16;
const MOST_CONNECTIONS = 256;
/** For keys and values [bytes]. */
const CACHE = 1 << 30;
/** A text may become so much shorter before it is cut into tokens: where a tokenizer composes characters. */
const SHRINKS = 4;

export interface ServeOptions {
  /** A folder with config.json, model.safetensors, tokenizer.json, chat_template.jinja. */
  checkpoint: string;
  /** The model's name in requests. */
  name: string;
  /** 0 for any that is free. */
  port: number;
  /** What a client must show, or null. */
  key: string | null;
  /** Requests that may wait while all places are taken. */
  queue: number;
  threads: number;
}

export interface Server {
  url: string;
  /** Answers that are written at one time. */
  places: number;
  /** Answers that are being written now. */
  running(): number;
  close(): Promise<void>;
}

/** Serves a model on 127.0.0.1. Throws a GarnerError where it cannot chat, or the port is taken. */
export async function openServer({ checkpoint, name, port, key, queue, threads }: ServeOptions): Promise<Server> {
  const config = readConfig(join(checkpoint, 'config.json'));
  const vocabulary = openVocabulary(join(checkpoint, 'tokenizer.json'));
  const chat = templateBeside(checkpoint, vocabulary);
  if (!chat)
    throw new GarnerError({
      what: 'this model was not fine-tuned on conversations',
      where: name,
      hint: 'name a run of the stage finetune, or let this one go on with a text: garner sample',
      fault: 2,
    });
  const weights = join(checkpoint, 'model.safetensors');
  const digest = await sha256File(weights);
  const slots = placesFor(config);
  const model = await openRemoteModel({ checkpoint, threads, slots });
  const app = openApp({
    name,
    created: Math.floor(statSync(weights).mtimeMs / 1000),
    fingerprint: `garner_${createHash('sha256').update(digest).digest('hex').slice(0, 10)}`,
    context: config.context,
    mostBytes: config.context * longestToken(vocabulary) * SHRINKS,
    vocabulary,
    chat,
    model,
    places: openPlaces(slots, queue),
    key,
  });
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port });
  server.maxConnections = MOST_CONNECTIONS;
  try {
    await new Promise((done, fail) => server.once('listening', done).once('error', fail));
  } catch (error) {
    model.close();
    throw explainSystemError(error, `127.0.0.1:${port}`);
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    places: slots,
    running: () => model.running(),
    async close() {
      model.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Bytes of the longest token. */
const longestToken = (vocabulary: Vocabulary): number =>
  byteCounts(vocabulary).reduce((most, bytes) => Math.max(most, bytes), 1);

/** As many answers at one time as the memory for keys and values allows. */
function placesFor({ layers, keyValueHeads, headSize, context }: ModelConfig): number {
  const bytes = 2 * layers * keyValueHeads * headSize * context * 4;
  return Math.max(1, Math.min(MOST_PLACES, Math.floor(CACHE / bytes)));
}
