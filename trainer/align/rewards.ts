import type { Turn } from '../../core/records/index.ts';
import type { Ended } from '../sample/generate.ts';
import { askedSum, numbersIn } from './sums.ts';

/** A sampled answer as a reward sees it. */
export interface Answered {
  prompt: readonly Turn[];
  answer: string;
  /** What the prompts' file gives as the answer. */
  reference: string | null;
  finish: Ended;
  /** The end of the turn included. */
  tokens: number;
}

/** A number for an answer. It may throw: then the answer is left out, and a decision says so. */
export type RewardFunction = (answered: Answered) => number;

/** What a recipe may say of a reward beside its name and weight. */
export interface RewardSettings {
  most?: number | undefined;
  as?: 'number' | 'sentence' | 'json' | undefined;
}

interface Named {
  about: string;
  /** 1 is right and 0 is wrong: it can tell pass@k. */
  checks: boolean;
  make(settings: RewardSettings): RewardFunction;
}

/** Every reward that a recipe can name; a new one is an entry here. */
export const REWARDS = {
  sum: {
    about: 'the last number of the answer is the sum that was asked for, in English or Chinese',
    checks: true,
    make: () => (answered) => (numbersIn(answered.answer).at(-1) === sumAskedFor(answered) ? 1 : 0),
  },
  exact: {
    about: 'the answer is the one of the prompts’ file, but for case and blanks around it',
    checks: true,
    make:
      () =>
      ({ answer, reference }) => {
        if (reference === null) throw new Error('the prompt has no answer to compare with');
        return folded(answer) === folded(reference) ? 1 : 0;
      },
  },
  ends: {
    about: 'the answer ends by itself',
    checks: false,
    make: () => (answered) => (answered.finish === 'stop' ? 1 : 0),
  },
  length: {
    about: 'minus the share of tokens over `most` (default 64)',
    checks: false,
    make:
      ({ most = 64 }) =>
      ({ tokens }) =>
        -Math.max(0, tokens - most) / most,
  },
  format: {
    about: 'the answer is a bare number, a sentence or JSON, as `as` says (default number)',
    checks: false,
    make:
      ({ as = 'number' }) =>
      ({ answer }) =>
        FORMATS[as](answer.trim()) ? 1 : 0,
  },
} satisfies Record<string, Named>;

export type RewardName = keyof typeof REWARDS;
export const REWARD_NAMES = Object.keys(REWARDS) as [RewardName, ...RewardName[]];

const FORMATS: Record<NonNullable<RewardSettings['as']>, (text: string) => boolean> = {
  number: (text) => /^-?\d{1,40}(?:[.,]\d{1,40})?$/.test(text),
  sentence: (text) => /^[\p{Lu}\p{Lo}\d]/u.test(text) && /[.!?。！？]$/u.test(text) && /\s|\p{Script=Han}/u.test(text),
  json: (text) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  },
};

const folded = (text: string) => text.normalize('NFKC').trim().toLowerCase();

function sumAskedFor({ prompt, reference }: Answered): number {
  const given = reference === null ? null : numbersIn(reference).at(-1);
  const question = prompt.findLast((t) => t.role === 'user')?.content ?? '';
  const sum = given ?? askedSum(question);
  if (sum === null) throw new Error('the prompt asks for no sum');
  return sum;
}

/** A reward with its place in the sum. */
export interface Weighted {
  name: string;
  weight: number;
  /** Null for the reward model, which scores many at one time. */
  reward: RewardFunction | null;
  checks: boolean;
}

/** The rewards that a recipe names. */
export const rewardsOf = (
  listed: readonly ({ name: RewardName | 'model'; weight: number } & RewardSettings)[],
): Weighted[] =>
  listed.map(({ name, weight, ...settings }) =>
    name === 'model'
      ? { name, weight, reward: null, checks: false }
      : { name, weight, reward: REWARDS[name].make(settings), checks: REWARDS[name].checks },
  );

/** Why an answer has no reward. */
export const REWARD_FAULTS = ['reward_threw', 'reward_is_no_number'] as const;
export type RewardFault = (typeof REWARD_FAULTS)[number];

/** A reward of an answer, or why there is none. */
export function rewarded(reward: RewardFunction, answered: Answered): number | RewardFault {
  try {
    const value = reward(answered);
    return typeof value === 'number' && Number.isFinite(value) ? value : 'reward_is_no_number';
  } catch {
    return 'reward_threw';
  }
}
