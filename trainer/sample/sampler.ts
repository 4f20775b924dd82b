import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { GarnerError } from '../../core/errors.ts';
import { templateBeside, type ChatTemplate } from '../chat/template.ts';
import { openModel } from '../checkpoint/checkpoint.ts';
import { readConfig } from '../checkpoint/config.ts';
import { openBatchDecoder } from '../session/batch-decoder.ts';
import type { ModelConfig } from '../session.ts';
import { openBatch, type Batch, type SampleRequest } from './batch.ts';
import { textStream, type Ended } from './generate.ts';
import { openVocabulary, type Vocabulary } from './vocabulary.ts';

/** The most tokens of a step: more gain nothing on a processor, and make the others wait. */
const ROWS = 64;

/** A model that writes. */
export interface Sampler {
  config: ModelConfig;
  vocabulary: Vocabulary;
  /** Where the model was fine-tuned on conversations. */
  chat: ChatTemplate | null;
  /** Tokens that end a text. */
  stop: readonly number[];
  /** For several texts at one time; `stream` is one of its sequences. */
  batch: Batch;
  /** Ids of a plain text; an empty one begins after the end of a document. */
  prompt(text: string): number[];
  /** Text piece by piece, never half a character; returns why it ended and how many tokens it has. */
  stream(
    prompt: readonly number[],
    options: Omit<SampleRequest, 'prompt' | 'stop' | 'alternatives'>,
  ): AsyncGenerator<string, { ended: Ended; tokens: number }>;
  /** It writes no more. */
  close(): void;
}

export interface SamplerOptions {
  threads: number;
  /** Texts that can be written at one time (default 1). */
  slots?: number;
}

/** Opens a checkpoint (a folder with config.json, model.safetensors, tokenizer.json). Throws a GarnerError where one is missing or does not fit. */
export function openSampler(checkpoint: string, { threads, slots = 1 }: SamplerOptions): Sampler {
  const config = readConfig(join(checkpoint, 'config.json'));
  const vocabulary = openVocabulary(join(checkpoint, 'tokenizer.json'));
  if (vocabulary.size > config.vocabulary)
    throw new GarnerError({
      what: `the tokenizer has ${vocabulary.size} ids, the model ${config.vocabulary}`,
      where: checkpoint,
      hint: 'config.json and tokenizer.json are not of one model',
      fault: 2,
    });
  const chat = templateBeside(checkpoint, vocabulary);
  const stop = [vocabulary.endOfText, ...(chat ? [chat.end] : [])];
  // Special tokens, and ids of the model that the tokenizer does not know, are never written.
  const unknown = Array.from({ length: config.vocabulary - vocabulary.size }, (_, i) => vocabulary.size + i);
  const model = openModel(checkpoint, config);
  const decoder = openBatchDecoder(config, model.weights, {
    slots,
    rows: Math.max(ROWS, slots),
    length: config.context,
    threads,
    engine: 'cpu',
    never: [...vocabulary.specials.filter((id) => !stop.includes(id)), ...unknown],
  });
  model.close();
  const batch = openBatch(decoder);
  return {
    config,
    vocabulary,
    chat,
    stop,
    batch,
    close: () => decoder.close(),
    prompt: (text) => (text === '' ? [vocabulary.endOfText] : vocabulary.encode(text)),
    async *stream(prompt, choice) {
      if (prompt.length > config.context)
        throw new GarnerError({
          what: `the prompt has ${prompt.length} tokens, the model takes ${config.context}`,
          hint: 'shorten it',
          fault: 2,
        });
      const decode = textStream();
      let ready = '';
      let tokens = 0;
      let ended: Ended | undefined;
      const cancel = batch.add(
        { ...choice, prompt, stop },
        {
          token({ id }) {
            if (stop.includes(id)) return;
            ready += decode(vocabulary.bytes(id));
            tokens++;
          },
          end: (why) => void (ended = why),
        },
      );
      try {
        while (ended === undefined && batch.step()) {
          if (ready !== '') yield ready;
          ready = '';
          // The kernels block this thread: what was written so far goes out.
          await setImmediate();
        }
        return { ended: ended ?? 'tokens', tokens };
      } finally {
        cancel();
      }
    },
  };
}
