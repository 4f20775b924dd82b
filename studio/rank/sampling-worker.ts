import type { Candidate } from '../../core/records/index.ts';
import { openSampler, type Sampler } from '../../trainer/sample/sampler.ts';
import type { SamplingOrder, SamplingReport } from './sampling.ts';
import { candidateId, FEWEST } from './tasks.ts';

/** Further tries for an answer that another candidate gave already. */
const TRIES = 4;

/** Samples in a process of its own: kernels block the thread they run in, and the page must answer meanwhile. */
let allowed = 0;
let wake = () => {};
process.on('message', (message: SamplingOrder | { more: number }) => {
  if ('more' in message) {
    allowed += message.more;
    wake();
  } else void work(message).then(() => process.disconnect());
});
// The server is gone, however it went.
process.on('disconnect', () => process.exit(0));

const report = (message: SamplingReport) =>
  new Promise<void>((resolve) => void process.send!(message, () => resolve()));

async function work(order: SamplingOrder): Promise<void> {
  let samplers: Sampler[];
  try {
    samplers = order.models.map((m) => openSampler(m.path, { threads: order.threads }));
  } catch (error) {
    return report({ failed: (error as Error).message });
  }
  for (const [place, { id, prompt }] of order.prompts.entries()) {
    if (order.done.includes(id)) continue;
    while (allowed <= 0) await new Promise<void>((resolve) => (wake = resolve));
    allowed--;
    try {
      const candidates: Candidate[] = [];
      for (let c = 0; c < order.candidates; c++) {
        const model = c % order.models.length;
        const made = await sampleOne(
          order,
          samplers[model]!,
          model,
          id,
          prompt,
          place * 64 + c * (TRIES + 1),
          candidates,
        );
        if (made) candidates.push(made);
      }
      if (candidates.length < FEWEST)
        await report({ id, prompt, candidates: [], refused: 'the answers are all the same' });
      else await report({ id, prompt, candidates, refused: null });
    } catch (error) {
      await report({ id, prompt, candidates: [], refused: (error as Error).message });
    }
  }
  for (const sampler of samplers) sampler.close();
}

/** An answer that no other candidate gave; null after a few tries. */
async function sampleOne(
  order: SamplingOrder,
  sampler: Sampler,
  model: number,
  promptId: string,
  prompt: SamplingOrder['prompts'][number]['prompt'],
  first: number,
  others: readonly Candidate[],
): Promise<Candidate | null> {
  const ids = sampler.chat
    ? sampler.chat.prompt(prompt as never)
    : sampler.prompt(prompt.map((t) => t.content).join('\n'));
  for (let sequence = first; sequence <= first + TRIES; sequence++) {
    const { tokens, temperature, topK, topP, seed } = order.choice;
    const pieces = sampler.stream(ids, { tokens, temperature, topK, topP, seed, sequence });
    let answer = '';
    let next = await pieces.next();
    for (; !next.done; next = await pieces.next()) answer += next.value;
    if (others.some((c) => c.answer === answer)) continue;
    const made = {
      run: order.models[model]!.run,
      checkpoint: order.models[model]!.checkpoint,
      answer,
      sampling: { temperature, top_k: topK, top_p: topP, max_tokens: tokens, seed, sequence },
      finish: next.value.ended,
    };
    return { id: candidateId(promptId, made), ...made };
  }
  return null;
}
