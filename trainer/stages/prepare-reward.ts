import { readPairs } from '../align/pairs.ts';
import type { RewardSection } from '../align/recipe.ts';
import { rewardObjective } from '../align/reward.ts';
import { coursesOf } from '../align/stream.ts';
import type { Inputs } from '../../core/stage/index.ts';
import { refusalDecision } from '../data/read.ts';
import { preferenceOf } from '../data/shapes.ts';
import { scoring } from '../model/config.ts';
import { stepsOf } from './plan.ts';
import { dataNotices, openBase, planPacked, type DataFile } from './prepare-align.ts';
import type { Training } from './training.ts';

/** The section with the run's name filled in, and its data by path and content. */
export type RewardParams = Omit<RewardSection, 'name' | 'data'> & { name: string; data: DataFile[] };

/** Makes the training of a reward model; alike on every rank. */
export async function prepareReward(lake: string, p: RewardParams, inputs: Inputs): Promise<Training> {
  const base = openBase('reward', p.from, lake, inputs);
  const config = scoring(base.config);
  const sequence = p.sequence ?? config.context;
  const read = await readPairs(
    p.data.map((f) => f.path),
    preferenceOf,
    base.chat,
    sequence,
  );
  const pairs = read.items;
  const courses = coursesOf(pairs, { folds: p.folds ?? 1, share: p.validation.share, seed: p.seed });
  const most = Math.max(...courses.map((c) => c.train.length));
  const course = stepsOf(p, { batch: p.batch, sequence, count: most, epochs: 1 });
  const mean =
    pairs.reduce((sum, { chosen, rejected }) => sum + chosen.ids.length + rejected.ids.length, 0) / pairs.length;
  const { plan, learner, shape } = planPacked('reward', p, config, {
    steps: course * courses.length,
    course,
    sequence,
    tokens: mean,
    padding: base.vocabulary.endOfText,
  });
  return {
    config,
    plan,
    learner,
    objective: rewardObjective({
      pairs,
      courses,
      steps: course,
      batch: p.batch,
      seed: p.seed,
      centre: p.centre,
      prefixes: p.prefixes,
      validateEvery: p.validation.every,
      shape,
    }),
    vocabulary: base.vocabulary,
    weights: base.checkpoint,
    checkpoint: p.checkpoint,
    sampling: { every: plan.steps, prompts: [], tokens: 1, temperature: 0, topK: 0 },
    end: base.chat.end,
    beside: base.beside,
    found: {
      counts: {
        pairs: pairs.length,
        held_out: courses.reduce((sum, c) => sum + c.held.length, 0),
        refused: Object.values(read.refused).reduce((a, b) => a + b, 0),
        cut: read.cut,
      },
      notices: dataNotices(p.data, read, sequence),
      decisions: read.out.map((r) => refusalDecision('reward', r)),
    },
  };
}
