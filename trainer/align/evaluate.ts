import type { SampleRequest } from '../sample/batch.ts';
import type { Ended } from '../sample/generate.ts';
import { textStream } from '../sample/generate.ts';
import type { Sampler } from '../sample/sampler.ts';

/** A sampled answer as text. */
export interface Written {
  text: string;
  finish: Ended;
  /** The end of the turn included. */
  tokens: number;
}

/**
 * Chance that at least one of k answers is right, from n of which c were: 1 − C(n − c, k) / C(n, k), without bias. NaN for k > n.
 * Source: Chen et al. 2021, arXiv:2107.03374.
 */
export function passAtK(n: number, c: number, k: number): number {
  if (k > n) return NaN;
  let none = 1;
  for (let i = 0; i < k; i++) none *= Math.max(0, n - c - i) / (n - i);
  return 1 - none;
}

/** `count` answers to each prompt, as many at one time as the sampler writes. */
export function writeAnswers(
  sampler: Sampler,
  prompts: readonly (readonly number[])[],
  count: number,
  options: Omit<SampleRequest, 'prompt' | 'sequence' | 'stop' | 'alternatives'>,
): Written[][] {
  const { batch, stop, vocabulary } = sampler;
  const answers = prompts.map(() =>
    Array.from({ length: count }, (): Written => ({ text: '', finish: 'tokens', tokens: 0 })),
  );
  let next = 0;
  const fill = () => {
    for (; next < prompts.length * count && batch.free() > 0; next++) {
      const prompt = prompts[Math.floor(next / count)]!;
      const answer = answers[Math.floor(next / count)]![next % count]!;
      const decode = textStream();
      batch.add(
        { ...options, prompt, sequence: next, stop },
        {
          token({ id }) {
            answer.tokens++;
            if (!stop.includes(id)) answer.text += decode(vocabulary.bytes(id));
          },
          end: (finish) => void (answer.finish = finish),
        },
      );
    }
  };
  for (fill(); batch.step(); fill());
  return answers;
}
