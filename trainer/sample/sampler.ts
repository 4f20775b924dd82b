import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { GarnerError } from '../../core/errors.ts';
import { chatTemplate, type ChatTemplate } from '../chat/template.ts';
import { openModel } from '../checkpoint/checkpoint.ts';
import { readConfig } from '../checkpoint/config.ts';
import { openDecoder, type ModelConfig } from '../session.ts';
import { generate, textStream, type Ended, type GenerateOptions } from './generate.ts';
import { openVocabulary, type Vocabulary } from './vocabulary.ts';

/** A model that writes. */
export interface Sampler {
  config: ModelConfig;
  vocabulary: Vocabulary;
  /** Where the model was fine-tuned on conversations. */
  chat: ChatTemplate | null;
  /** Ids of a plain text; an empty one begins after the end of a document. */
  prompt(text: string): number[];
  /** Text piece by piece, never half a character; returns why it ended and how many tokens it has. */
  stream(
    prompt: readonly number[],
    options: Omit<GenerateOptions, 'stop' | 'never'>,
  ): AsyncGenerator<string, { ended: Ended; tokens: number }>;
  /** It writes no more. */
  close(): void;
}

/** Opens a checkpoint (a folder with config.json, model.safetensors, tokenizer.json). Throws a GarnerError where one is missing or does not fit. */
export function openSampler(checkpoint: string, options: { threads: number }): Sampler {
  const config = readConfig(join(checkpoint, 'config.json'));
  const vocabulary = openVocabulary(join(checkpoint, 'tokenizer.json'));
  if (vocabulary.size > config.vocabulary)
    throw new GarnerError({
      what: `the tokenizer has ${vocabulary.size} ids, the model ${config.vocabulary}`,
      where: checkpoint,
      hint: 'config.json and tokenizer.json are not of one model',
      fault: 2,
    });
  const model = openModel(checkpoint, config);
  const decoder = openDecoder(config, model.weights, {
    length: config.context,
    threads: options.threads,
    engine: 'cpu',
  });
  model.close();
  const chat = existsSync(join(checkpoint, 'chat_template.jinja')) ? chatTemplate(vocabulary) : null;
  const stop = [vocabulary.endOfText, ...(chat ? [chat.end] : [])];
  // Special tokens, and ids of the model that the tokenizer does not know, are never written.
  const unknown = Array.from({ length: config.vocabulary - vocabulary.size }, (_, i) => vocabulary.size + i);
  const never = [...vocabulary.specials.filter((id) => !stop.includes(id)), ...unknown];
  return {
    config,
    vocabulary,
    chat,
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
      const ids = generate(decoder, prompt, { ...choice, stop, never });
      for (let tokens = 0; ; tokens++) {
        const next = ids.next();
        if (next.done) return { ended: next.value, tokens };
        const text = decode(vocabulary.bytes(next.value));
        if (text !== '') yield text;
        // The kernels block this thread: what was written so far goes out.
        await setImmediate();
      }
    },
  };
}
