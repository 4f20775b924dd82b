import type { Inputs } from '../../core/stage/index.ts';
import { prepareDpo, type DpoParams } from './prepare-dpo.ts';
import { prepareFinetune, type FinetuneParams } from './prepare-finetune.ts';
import { prepareGrpo, type GrpoParams } from './prepare-grpo.ts';
import { preparePpo, type PpoParams } from './prepare-ppo.ts';
import { preparePretrain, type PretrainParams } from './prepare-pretrain.ts';
import { prepareReward, type RewardParams } from './prepare-reward.ts';
import type { Training } from './training.ts';

/** A training stage and its parameters: plain data, so that another process can make the same training of it. */
export type TrainingJob =
  | { stage: 'pretrain'; params: PretrainParams }
  | { stage: 'finetune'; params: FinetuneParams }
  | { stage: 'reward'; params: RewardParams }
  | { stage: 'dpo'; params: DpoParams }
  | { stage: 'grpo'; params: GrpoParams }
  | { stage: 'ppo'; params: PpoParams };

/** Makes the training that a job asks for; alike on every rank. */
export function prepareJob(job: TrainingJob, lake: string, inputs: Inputs): Promise<Training> {
  switch (job.stage) {
    case 'pretrain':
      return preparePretrain(lake, job.params, inputs);
    case 'finetune':
      return prepareFinetune(lake, job.params, inputs);
    case 'reward':
      return prepareReward(lake, job.params, inputs);
    case 'dpo':
      return prepareDpo(lake, job.params, inputs);
    case 'grpo':
      return prepareGrpo(lake, job.params, inputs);
    case 'ppo':
      return preparePpo(lake, job.params, inputs);
  }
}
