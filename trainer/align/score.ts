import { loadWeights } from '../checkpoint/checkpoint.ts';
import { alone } from '../collectives/alone.ts';
import type { ModelConfig } from '../model/config.ts';
import { openLearner, type LearnerOptions } from '../parallel/open.ts';
import { ALONE } from '../parallel/options.ts';
import { scorePiece } from './answers.ts';
import { sumsOfMany, type PieceShape } from './pieces.ts';
import type { Score } from './rollouts.ts';

/** Opens a reward model on this rank alone: answers under their prompts → the score at their last token. */
export function openScore(
  { checkpoint, config }: { checkpoint: string; config: ModelConfig },
  shape: PieceShape,
  options: LearnerOptions,
): Score {
  const learner = openLearner(config, { ...options, parallel: ALONE }, alone());
  loadWeights(checkpoint, learner);
  return (answers) => [
    ...sumsOfMany(
      learner,
      answers.map(({ prompt, ids }) =>
        scorePiece({ ids: [...prompt.ids, ...ids], prompt: prompt.ids.length, cut: false }),
      ),
      shape,
    ),
  ];
}
