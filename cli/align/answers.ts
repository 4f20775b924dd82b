import { join } from 'node:path';
import { readAsked } from '../../trainer/align/prompts.ts';
import { logProbabilities } from '../../trainer/align/log-probabilities.ts';
import type { Asked } from '../../trainer/align/sums.ts';
import type { Message } from '../../trainer/chat/conversations.ts';
import { templateBeside } from '../../trainer/chat/template.ts';
import { openModel } from '../../trainer/checkpoint/checkpoint.ts';
import { readConfig } from '../../trainer/checkpoint/config.ts';
import { textStream } from '../../trainer/sample/generate.ts';
import { sampleMany } from '../../trainer/sample/many.ts';
import { openVocabulary } from '../../trainer/sample/vocabulary.ts';
import { openBatchDecoder } from '../../trainer/session/batch-decoder.ts';

/** An answer of a model to a prompt. */
export interface Given {
  asked: Asked;
  prompt: number[];
  ids: number[];
  text: string;
  /** Of each token under the model that gave it, at temperature 1 where it was sampled so [nats]. */
  logps: number[];
  ended: boolean;
}

/** A model that answers many prompts. */
export interface Answerer {
  /** The same seed gives the same answers. */
  answer(asked: readonly Asked[], temperature: number): Given[];
  /** ln p of each token of answers that any model gave. */
  logps(given: readonly Given[]): number[][];
  close(): void;
}

/** Most tokens of an answer. */
const TOKENS = 32;
const SLOTS = 64;

/** Opens the checkpoint of a model that was fine-tuned on conversations. */
export function openAnswerer(checkpoint: string, threads: number): Answerer {
  const config = readConfig(join(checkpoint, 'config.json'));
  const vocabulary = openVocabulary(join(checkpoint, 'tokenizer.json'));
  const chat = templateBeside(checkpoint, vocabulary)!;
  const stop = [chat.end, vocabulary.endOfText];
  const model = openModel(checkpoint, config);
  const decoder = openBatchDecoder(config, model.weights, {
    slots: SLOTS,
    rows: SLOTS,
    length: config.context,
    threads,
    engine: 'cpu',
    never: vocabulary.specials.filter((id) => !stop.includes(id)),
  });
  model.close();
  const textOf = (ids: readonly number[]) => {
    const decode = textStream();
    return ids
      .filter((id) => !stop.includes(id))
      .map((id) => decode(vocabulary.bytes(id)))
      .join('');
  };
  return {
    answer(asked, temperature) {
      const prompts = asked.map(({ turns }) => chat.prompt(turns as Message[]));
      const options = { temperature, topK: 0, topP: 1, tokens: TOKENS, seed: 1, stop };
      return sampleMany(decoder, prompts, options).map(({ ids, logprobs, finish }, i) => ({
        asked: asked[i]!,
        prompt: prompts[i]!,
        ids,
        text: textOf(ids),
        logps: logprobs,
        ended: finish === 'stop',
      }));
    },
    logps: (given) =>
      logProbabilities(
        decoder,
        given.map(({ prompt, ids }) => ({ prompt, answer: ids })),
      ),
    close: () => decoder.close(),
  };
}

/** The prompts of a file, of which those with an answer ask for sums. */
export const askedIn = async (path: string): Promise<Asked[]> => (await readAsked(path)).asked;
