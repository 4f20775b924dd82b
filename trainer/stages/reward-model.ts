import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { only, type Inputs } from '../../core/stage/index.ts';
import { readConfig } from '../checkpoint/config.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Base } from './prepare-align.ts';

/** A reward model that a run of the stage `reward` has left. */
export interface RewardModel {
  checkpoint: string;
  config: ModelConfig;
}

/** The recipe's reward model. Throws a GarnerError where there is none, or its words are not the policy's. */
export function rewardModel(section: string, lake: string, inputs: Inputs, policy: Base): RewardModel {
  const found = only(inputs, 'reward')?.facts['checkpoint'];
  if (typeof found !== 'string')
    throw new GarnerError({
      what: 'there is no reward model',
      where: section,
      hint: 'give the recipe a section "reward", or name other rewards',
      fault: 2,
    });
  const checkpoint = join(lake, found);
  if (readFileSync(join(checkpoint, 'tokenizer.json'), 'utf8') !== policy.beside['tokenizer.json'])
    throw new GarnerError({
      what: 'the reward model has another tokenizer than the policy',
      where: section,
      hint: 'let both begin with the same model',
      fault: 2,
    });
  return { checkpoint, config: readConfig(join(checkpoint, 'config.json')) };
}
