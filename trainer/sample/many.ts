import type { BatchDecoder } from '../session/batch-decoder.ts';
import { openBatch, type SampleRequest } from './batch.ts';
import type { Ended } from './generate.ts';

/** A text that was sampled. */
export interface Sampled {
  /** What was drawn, without the prompt; a stop token is the last. */
  ids: number[];
  /** Of each: ln of its probability under the model, temperature applied, before top-k and top-p. */
  logprobs: number[];
  finish: Ended;
}

export interface ManyOptions extends Omit<SampleRequest, 'prompt' | 'sequence' | 'alternatives'> {
  /** The number of a prompt's draws (default: its place in the list). */
  sequence?: (index: number) => number;
}

/**
 * Samples an answer for every prompt, as many at one time as the decoder has slots; equal prompts that follow each other are
 * read once. An answer depends on its prompt, the seed and its sequence alone, whatever is sampled beside it.
 * Throws RangeError for an empty prompt or one that the decoder cannot hold.
 */
export function sampleMany(
  decoder: BatchDecoder,
  prompts: readonly (readonly number[])[],
  { sequence = (index) => index, ...options }: ManyOptions,
): Sampled[] {
  const results = prompts.map((): Sampled => ({ ids: [], logprobs: [], finish: 'tokens' }));
  if (options.tokens < 1) return results;
  const batch = openBatch(decoder);
  let next = 0;
  const fill = () => {
    for (; next < prompts.length && batch.free() > 0; next++) {
      const result = results[next]!;
      batch.add(
        { ...options, prompt: prompts[next]!, sequence: sequence(next) },
        {
          token({ id, logprob }) {
            result.ids.push(id);
            result.logprobs.push(logprob);
          },
          end: (finish) => void (result.finish = finish),
        },
      );
    }
  };
  for (fill(); batch.step(); fill());
  return results;
}
