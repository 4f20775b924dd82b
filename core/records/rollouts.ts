import { column, defineTable, optional, type Row } from './schema.ts';

export const rollouts = defineTable({
  name: 'rollouts',
  about: 'Answers that a model sampled while it was aligned, with their rewards: one row an answer.',
  columns: {
    run: column('text', 'run'),
    step: column('int', 'step of the run in which it was sampled, counted from 1'),
    prompt_id: column('text', 'prompt'),
    sample: column('int', 'which of the answers to this prompt in this step, counted from 0'),
    prompt: column('messages', 'turns before the answer'),
    answer: column('text', 'the answer as text'),
    tokens: column('ints', 'its token ids, the end of the turn included'),
    log_probabilities: column('floats', 'of each token when it was sampled, temperature applied [nats]'),
    reference_log_probabilities: optional('floats', 'of each token under the reference model [nats]'),
    values: optional('floats', 'value head before each token (PPO)'),
    rewards: column('numbers', 'each reward by its name, before its weight; none where one of them failed'),
    reward: optional('float', 'weighted sum of the rewards; null where one of them failed'),
    advantage: optional('float', 'of the answer, or the mean over its tokens (PPO)'),
    finish: column('text', 'why it ended: stop, tokens or context'),
  },
});
export type Rollout = Row<typeof rollouts>;
