import type { BatchDecoder, Fed } from '../session/batch-decoder.ts';

/**
 * ln p of each token of answers that are given, under the model of a decoder at temperature 1: the same bits as where they
 * are sampled. Prompts that follow each other are read once where they are equal.
 */
export function logProbabilities(
  decoder: BatchDecoder,
  texts: readonly { prompt: readonly number[]; answer: readonly number[] }[],
): number[][] {
  const results = texts.map((): number[] => []);
  const { slots, rows, config } = decoder;
  for (let from = 0; from < texts.length; from += slots) {
    const some = texts.slice(from, from + slots);
    readPrompts(
      decoder,
      some.map(({ prompt }) => prompt),
    );
    const asked = some.flatMap(({ prompt, answer }, slot) =>
      answer.map((target, i) => ({
        of: from + slot,
        target,
        fed: { slot, position: prompt.length - 1 + i, token: i === 0 ? prompt.at(-1)! : answer[i - 1]! },
      })),
    );
    const most = Math.min(slots, rows);
    for (let at = 0; at < asked.length; at += most) {
      const step = asked.slice(at, at + most);
      const { logits, levels } = decoder.step(
        step.map(({ fed }) => fed),
        step.map(() => ({ temperature: 1, u: 0 })),
      );
      step.forEach(({ of, target }, i) => results[of]!.push(logits[i * config.vocabulary + target]! - levels[i]!));
    }
  }
  return results;
}

/** Feeds each prompt but its last token into the slot of its place. */
function readPrompts(decoder: BatchDecoder, prompts: readonly (readonly number[])[]): void {
  let source = 0;
  prompts.forEach((prompt, slot) => {
    const before = prompt.length - 1;
    if (slot > 0 && prompts[source]!.join() === prompt.join()) {
      if (before > 0) decoder.copy(source, slot, before);
      return;
    }
    source = slot;
    const fed = prompt.slice(0, before).map((token, position): Fed => ({ slot, position, token }));
    for (let at = 0; at < fed.length; at += decoder.rows) decoder.step(fed.slice(at, at + decoder.rows), []);
  });
}
