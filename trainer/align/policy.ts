import { decisions, rollouts as rolloutsTable, type Decision, type Rollout } from '../../core/records/index.ts';
import type { World } from '../collectives/group.ts';
import { permutation } from '../loader/permutation.ts';
import type { Learner } from '../parallel/learner.ts';
import { placeOf, type Mesh } from '../parallel/mesh.ts';
import { openBatchDecoder, type WeightOf } from '../session/batch-decoder.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Vocabulary } from '../sample/vocabulary.ts';
import type { Begin, Objective } from '../stages/objective.ts';
import { inWords } from './pairs.ts';
import type { PromptSplits } from './prompts.ts';
import type { Weighted } from './rewards.ts';
import { answerKl, meanOf, rollOut, seedOf, type Attempt, type RolloutParts, type Score } from './rollouts.ts';
import { bestOf, selectionOf, type Selection } from './selection.ts';

/** What PPO and GRPO share: how answers are sampled, rewarded and compared. */
export interface PolicySetup {
  /** Its name in decisions. */
  stage: string;
  run: string;
  config: ModelConfig;
  vocabulary: Vocabulary;
  mesh: Mesh;
  threads: () => number;
  engine: 'cpu' | 'reference';
  seed: number;
  steps: number;
  prompts: PromptSplits;
  rewards: readonly Weighted[];
  /** Opens the reward model, where the recipe has one. */
  openScore: (() => Score) | null;
  /** Prompts of a step, and answers to each. */
  batch: number;
  group: number;
  /** Most tokens of an answer. */
  tokens: number;
  stop: readonly number[];
  selection: { every: number; answers: number; mostKl: number };
  /** A control: rewards are dealt anew over the batch, so that there is nothing to learn. */
  shuffled: boolean;
}

/** What a method has learned from the answers of a step; the last gradients wait in the learner. */
export interface Taught {
  loss: number;
  weight: number;
  tokens: number;
  metrics: Record<string, number>;
  /** Of each attempt; null where it was left out. */
  advantages: (number | null)[];
  /** Of each attempt and token (PPO). */
  values: (number[] | null)[] | null;
}

/** How a policy learns from answers and their rewards. */
export interface Method {
  /** Weight updates of a step. */
  updates: number;
  begin?(parts: Begin): void | Promise<void>;
  learn(step: number, learner: Learner, attempts: readonly Attempt[]): Taught;
  /** Keeps what the method learns beside the policy; before each checkpoint. */
  save?(step: number): void | Promise<void>;
}

/** Sequences that are sampled at one time, and the tokens of a step of the decoder. */
const SLOTS = 64;

/**
 * Learning from answers that the model samples itself. A step samples `group` answers to each of `batch` prompts from the
 * weights as they are, rewards them, and lets `method` learn from them. Nothing is kept from step to step but weights.
 */
export function policyObjective(setup: PolicySetup, method: Method): Objective {
  const { run, prompts, group, seed, rewards } = setup;
  let world: World;
  let parts: RolloutParts;
  let first: Selection | null = null;
  const loadPolicy = (learner: Learner) => parts.policy.load(wholeWeights(learner, world));
  const select = (step: number): Selection =>
    selectionOf(step, prompts.selection, { seed: seedOf(seed, 1), answers: setup.selection.answers }, parts);
  return {
    journals: ['selection'],
    tables: { rollouts: rolloutsTable, decisions },
    updates: method.updates,
    save: (step) => method.save?.(step),
    async begin(began) {
      world = began.world;
      const { learner, checkpoint } = began;
      parts = openParts(setup, learner, world);
      // What the model could do before stands in the journal of a run that goes on.
      if (checkpoint === null) first = select(0);
      await method.begin?.(began);
    },
    learn(step, learner) {
      if (step > 1) loadPolicy(learner);
      const asked = promptsOf(step, setup);
      const attempts = rollOut(asked, { group, seed: seedOf(seed, 2, step) }, parts);
      if (setup.shuffled) shuffleRewards(attempts, seedOf(seed, 3, step));
      const { advantages, values, metrics, ...taught } = method.learn(step, learner, attempts);
      return {
        ...taught,
        metrics: { ...rolloutMetrics(attempts, group, rewards), ...metrics },
        lines: {
          selection: first ? [first] : [],
          rollouts: attempts.map((a, i) => rowOf(a, { run, step, rewards }, advantages[i]!, values?.[i] ?? null)),
          decisions: attempts
            .filter((a) => a.fault !== null)
            .map((a) => decisionOf(a, { stage: setup.stage, run, step })),
        },
      };
    },
    measure(step, learner) {
      first = null;
      if (step % setup.selection.every !== 0 && step !== setup.steps) return null;
      loadPolicy(learner);
      const found = select(step);
      const metrics = Object.fromEntries(
        Object.entries(found).flatMap(([name, value]) =>
          typeof value === 'number' && name !== 'after' ? [[`selection_${name}`, value]] : [],
        ),
      );
      return { loss: null, bitsPerByte: null, metrics, lines: { selection: [found] } };
    },
    best: (lines) => bestOf(lines('selection') as unknown as Selection[], setup.selection.mostKl)?.after ?? null,
    conclude(lines) {
      const all = lines('selection') as unknown as Selection[];
      const best = bestOf(all, setup.selection.mostKl);
      const before = all.find((s) => s.after === 0);
      return {
        facts: { selection: { before: before ?? null, best, last: all.at(-1) ?? null } },
        notices: leftOutNotices(lines('decisions') as unknown as Decision[]),
      };
    },
  };
}

/** Answers without a reward are said at the end, and stand one by one in the decisions. */
function leftOutNotices(rows: readonly Decision[]): string[] {
  if (rows.length === 0) return [];
  const reasons: Record<string, number> = {};
  for (const { rule } of rows) reasons[rule] = (reasons[rule] ?? 0) + 1;
  return [`${rows.length} answers have no reward and are left out (${inWords(reasons)})`];
}

/** Every weight, whole, on every rank. */
function wholeWeights(learner: Learner, world: World): WeightOf {
  const weights = new Map(
    learner.tensors.map(({ name, shape }) => {
      const whole = learner.collect(name, 'weight') ?? new Float32Array(shape.reduce((n, d) => n * d, 1));
      if (world.ranks > 1) world.broadcast(whole, 0);
      return [name, whole];
    }),
  );
  return (name) => weights.get(name)!;
}

function openParts(setup: PolicySetup, learner: Learner, world: World): RolloutParts {
  const { config, vocabulary, prompts, tokens, stop, mesh } = setup;
  const weights = wholeWeights(learner, world);
  const longest = [...prompts.train, ...prompts.selection].reduce((n, { ids }) => Math.max(n, ids.length), 0);
  const unknown = Array.from({ length: config.vocabulary - vocabulary.size }, (_, i) => vocabulary.size + i);
  const open = () =>
    openBatchDecoder(config, weights, {
      slots: SLOTS,
      rows: SLOTS,
      length: Math.min(config.context, longest + tokens),
      threads: setup.threads(),
      engine: setup.engine,
      never: [...vocabulary.specials.filter((id) => !stop.includes(id)), ...unknown],
    });
  return {
    policy: open(),
    reference: open(),
    vocabulary,
    rewards: setup.rewards,
    score: setup.openScore?.() ?? null,
    tokens,
    stop,
    share: { rank: placeOf(world.rank, mesh).data, ranks: mesh.data },
    sum: (numbers) => learner.sum(numbers),
  };
}

/** The prompts of a step: all of them once, in a seeded order, before any comes again. */
function promptsOf(step: number, { prompts: { train }, batch, seed }: PolicySetup) {
  return Array.from({ length: batch }, (_, i) => {
    const number = (step - 1) * batch + i;
    return train[permutation(train.length, seed, Math.floor(number / train.length))(number % train.length)]!;
  });
}

/** Deals the rewards of a batch to other answers. */
function shuffleRewards(attempts: Attempt[], seed: number): void {
  const order = permutation(attempts.length, seed, 0);
  const dealt = attempts.map((_, i) => {
    const { rewards, reward, fault } = attempts[order(i)]!;
    return { rewards, reward, fault };
  });
  attempts.forEach((a, i) => Object.assign(a, dealt[i]));
}

function rolloutMetrics(
  attempts: readonly Attempt[],
  group: number,
  rewards: readonly Weighted[],
): Record<string, number> {
  const judged = attempts.filter((a) => a.reward !== null);
  const groups = Array.from({ length: attempts.length / group }, (_, g) =>
    attempts.slice(g * group, (g + 1) * group).flatMap((a) => (a.reward === null ? [] : [a.reward])),
  );
  const logps = attempts.flatMap((a) => a.logps);
  return {
    reward: meanOf(judged.map((a) => a.reward!)),
    ...Object.fromEntries(rewards.map(({ name }, i) => [`reward_${name}`, meanOf(judged.map((a) => a.rewards[i]!))])),
    kl: meanOf(attempts.map(answerKl)),
    entropy: -meanOf(logps),
    length: meanOf(attempts.map((a) => a.ids.length)),
    ended: meanOf(attempts.map((a) => (a.finish === 'stop' ? 1 : 0))),
    without_variance: meanOf(groups.map((g) => (g.every((r) => r === g[0]) ? 1 : 0))),
    left_out: attempts.length - judged.length,
  };
}

type Journalled<T> = { [K in keyof T]: T[K] };

function rowOf(
  a: Attempt,
  { run, step, rewards }: { run: string; step: number; rewards: readonly Weighted[] },
  advantage: number | null,
  values: number[] | null,
): Journalled<Rollout> {
  return {
    run,
    step,
    prompt_id: a.prompt.id,
    sample: a.sample,
    prompt: a.prompt.turns,
    answer: a.text,
    tokens: a.ids,
    log_probabilities: a.logps,
    reference_log_probabilities: a.references,
    values,
    rewards: a.fault === null ? Object.fromEntries(rewards.map(({ name }, i) => [name, a.rewards[i]!])) : {},
    reward: a.reward,
    advantage,
    finish: a.finish,
  };
}

const decisionOf = (a: Attempt, { stage, run, step }: { stage: string; run: string; step: number }): Decision => ({
  subject_id: `${run}/${step}/${a.prompt.id}/${a.sample}`,
  stage,
  rule: a.fault!,
  filter: null,
  signal: null,
  value: null,
  label: null,
  threshold: null,
  verdict: 'drop',
  evidence: a.text.slice(0, 120),
});
