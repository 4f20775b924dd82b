import { join } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import type { Message } from '../chat/conversations.ts';
import { templateBeside } from '../chat/template.ts';
import { loadWeights } from '../checkpoint/checkpoint.ts';
import { readConfig } from '../checkpoint/config.ts';
import { alone } from '../collectives/alone.ts';
import { isRefusal, unpairedOf } from '../data/shapes.ts';
import { openLearner } from '../parallel/open.ts';
import { ALONE } from '../parallel/options.ts';
import { openVocabulary } from '../sample/vocabulary.ts';
import { answersTo, promptRefusal, scorePiece, type Answer } from './answers.ts';
import { sumsOfMany } from './pieces.ts';

/** A reward, or why there is none; `cut`: prompt or answer were too long for the model, and it has seen their parts. */
export type Scored = { reward: number; cut: boolean } | { reason: string };

/** A reward model that judges answers. */
export interface Scorer {
  /** {prompt: a text or [{role, content}…], answer} each, in order. A record that is none comes back with its reason. */
  score(records: readonly unknown[]): Scored[];
  close(): void;
}

/** Tokens that go through the model at one time. */
const TOKENS = 2048;

/** A longer answer would be cut anyway, and costs time to tell apart [UTF-16 code units]. */
const LONGEST = 1 << 20;

/** Opens the checkpoint of a reward model. Throws a GarnerError for any other model. */
export function openScorer(checkpoint: string, { threads }: { threads: number }): Scorer {
  const config = readConfig(join(checkpoint, 'config.json'));
  if (config.head !== 'score')
    throw new GarnerError({
      what: 'this is no reward model',
      where: checkpoint,
      hint: 'name a run of a section "reward"',
      fault: 2,
    });
  const vocabulary = openVocabulary(join(checkpoint, 'tokenizer.json'));
  const chat = templateBeside(checkpoint, vocabulary);
  if (!chat)
    throw new GarnerError({
      what: 'the reward model has no chat template',
      where: checkpoint,
      hint: 'chat_template.jinja is expected beside its weights',
      fault: 2,
    });
  const sequence = config.context;
  const rows = Math.max(1, Math.floor(TOKENS / sequence));
  const options = { batch: rows, sequence, documents: true, threads, engine: 'cpu', seed: 0, parallel: ALONE } as const;
  const learner = openLearner(config, options, alone());
  loadWeights(checkpoint, learner);

  const answerOf = (record: unknown): Answer | { reason: string } => {
    const found = unpairedOf({ ...Object(record), label: true }, { source: 'scored', location: 'scored' });
    if (isRefusal(found)) return found;
    const reason = promptRefusal(found.prompt);
    if (reason) return { reason };
    const length = found.answer.length + found.prompt.reduce((n, t) => n + t.content.length, 0);
    if (length > LONGEST) return { reason: 'too_long' };
    return answersTo(chat, found.prompt as Message[], [found.answer], sequence)[0]!;
  };

  return {
    score(records) {
      const answers = records.map(answerOf);
      const good = answers.filter((a): a is Answer => !('reason' in a));
      const scores = sumsOfMany(learner, good.map(scorePiece), {
        rows,
        sequence,
        data: 1,
        padding: vocabulary.endOfText,
      });
      let next = 0;
      return answers.map((a): Scored => {
        if ('reason' in a) return a;
        const reward = scores[next++]!;
        return Number.isFinite(reward) ? { reward, cut: a.cut } : { reason: 'reward_is_no_number' };
      });
    },
    close: () => learner.close(),
  };
}
