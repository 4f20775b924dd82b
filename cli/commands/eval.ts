import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { GarnerError, nearest } from '../../core/errors.ts';
import { passAtK, writeAnswers, type Written } from '../../trainer/align/evaluate.ts';
import { readAsked } from '../../trainer/align/prompts.ts';
import { REWARD_NAMES, REWARDS, rewarded, type RewardName } from '../../trainer/align/rewards.ts';
import { openScorer } from '../../trainer/align/scorer.ts';
import { madeSums, type Asked } from '../../trainer/align/sums.ts';
import type { Message } from '../../trainer/chat/conversations.ts';
import { openSampler, type Sampler } from '../../trainer/sample/sampler.ts';
import { defineCommand, type Options, type Terminal } from '../command.ts';
import { LAKE_FLAG } from '../lake.ts';
import {
  MODEL_ARGUMENT,
  modelOf,
  noConversations,
  SAMPLING_FLAGS,
  samplingOf,
  STEP_FLAG,
  writeText,
} from '../model.ts';
import { wholeNumber } from '../run.ts';

/** Answers that are written at one time. */
const SLOTS = 64;
const CHECKERS = REWARD_NAMES.filter((name) => REWARDS[name].checks);

/** What a model got right. */
interface Report {
  model: string;
  prompts: number;
  samples: number;
  greedy: number;
  /** Of answers that end by themselves. */
  ended: number;
  pass: Record<string, number>;
  /** The answer of n that the reward model likes best. */
  best?: number;
  /** Prompts whose answers the checker could not judge. */
  unjudged: number;
}

export default defineCommand({
  name: 'eval',
  summary: 'how often a model is right: pass@k and best of n, by a checker',
  arguments: [MODEL_ARGUMENT],
  options: [
    {
      flag: '--prompts <file>',
      about: 'JSON lines {prompt or messages, answer}; sums: two-digit sums that no made training has seen',
      default: 'sums',
    },
    { flag: '-n, --samples <n>', about: 'answers to each prompt', default: 8, parse: wholeNumber('--samples', 1) },
    { flag: '--checker <name>', about: `what tells right from wrong: ${CHECKERS.join(' or ')}`, default: 'sum' },
    { flag: '--best-of <reward run>', about: 'a reward model that chooses one of the answers to each prompt' },
    { flag: '--most <n>', about: 'at most so many prompts', default: 1000, parse: wholeNumber('--most', 1) },
    { flag: '-t, --tokens <n>', about: 'most tokens of an answer', default: 64, parse: wholeNumber('--tokens', 1) },
    ...SAMPLING_FLAGS.map((f) =>
      f.flag.startsWith('--temperature')
        ? { ...f, default: 1 }
        : f.flag.startsWith('--top-k')
          ? { ...f, default: 0 }
          : f,
    ),
    STEP_FLAG,
    { flag: '--json', about: 'one JSON object' },
    LAKE_FLAG,
  ],
  examples: ['garner eval align-grpo', 'garner eval align-grpo --samples 16 --best-of align-reward --json'],
  async run([run], options, terminal) {
    const { folder, name } = modelOf(run, options);
    const asked = await promptsOf(options);
    const sampler = openSampler(folder, { threads: availableParallelism(), slots: SLOTS });
    try {
      await tell(evaluate(sampler, name, asked, options), options, terminal);
    } finally {
      sampler.close();
    }
    return 0;
  },
});

async function promptsOf(options: Options): Promise<Asked[]> {
  const source = options['prompts'] as string;
  if (source !== 'sums' && !existsSync(source))
    throw new GarnerError({
      what: `there is no file ${source}`,
      where: 'argument',
      hint: 'name a file, or sums',
      fault: 2,
    });
  const all = source === 'sums' ? madeSums('test') : (await readAsked(source)).asked;
  return all.slice(0, options['most'] as number);
}

function checkerOf(options: Options): RewardName {
  const wanted = options['checker'] as string;
  const found = CHECKERS.find((name) => name === wanted);
  if (found) return found;
  const guess = nearest(wanted, CHECKERS);
  throw new GarnerError({
    what: `no checker is called "${wanted}"`,
    where: 'argument',
    hint: guess ? `did you mean "${guess}"?` : `one of ${CHECKERS.join(', ')} is expected`,
    fault: 2,
  });
}

function evaluate(sampler: Sampler, model: string, asked: readonly Asked[], options: Options): Report {
  const { chat } = sampler;
  if (!chat) throw noConversations('name a run of the stage finetune, or of one after it');
  const reward = REWARDS[checkerOf(options)].make({});
  const count = options['samples'] as number;
  const tokens = options['tokens'] as number;
  const fitting = asked
    .map((a) => ({ ...a, ids: chat.prompt(a.turns as Message[]) }))
    .filter((a) => a.ids.length + tokens <= sampler.config.context);
  if (fitting.length === 0)
    throw new GarnerError({
      what: `no prompt leaves room for ${tokens} tokens in a context of ${sampler.config.context}`,
      hint: 'lower --tokens',
      fault: 2,
    });
  const prompts = fitting.map((a) => a.ids);
  const choice = samplingOf(options);
  const sampled = writeAnswers(sampler, prompts, count, { ...choice, tokens });
  const greedy = writeAnswers(sampler, prompts, 1, { ...choice, temperature: 0, tokens });
  const judge = (p: number, { text, finish, tokens: length }: Written) =>
    rewarded(reward, {
      prompt: fitting[p]!.turns,
      answer: text,
      reference: fitting[p]!.reference,
      finish,
      tokens: length,
    });
  const judged = sampled.map((answers, p) => answers.map((a) => judge(p, a)));
  const good = fitting.map((_, p) => p).filter((p) => judged[p]!.every((v) => typeof v === 'number'));
  const mean = (of: (p: number) => number) => good.reduce((sum, p) => sum + of(p), 0) / Math.max(1, good.length);
  const right = (v: number | string) => (typeof v === 'number' && v >= 1 ? 1 : 0);
  const ks = [1, 2, 4, 8, 16, 32, 64, 128, 256].filter((k) => k <= count);
  const report: Report = {
    model,
    prompts: good.length,
    samples: count,
    greedy: mean((p) => right(judge(p, greedy[p]![0]!))),
    ended: mean((p) => sampled[p]!.filter((a) => a.finish === 'stop').length / count),
    pass: Object.fromEntries(
      ks.map((k) => [k, mean((p) => passAtK(count, judged[p]!.filter((v) => right(v)).length, k))]),
    ),
    unjudged: asked.length - good.length,
  };
  if (options['bestOf'] !== undefined) {
    const chosen = chosenBy(options['bestOf'] as string, fitting, sampled, options);
    report.best = mean((p) => right(judged[p]![chosen[p]!]!));
  }
  return report;
}

/** The answer to each prompt that a reward model likes best; of equal ones the first. */
function chosenBy(run: string, asked: readonly Asked[], answers: readonly Written[][], options: Options): number[] {
  const { step: _, ...others } = options;
  const scorer = openScorer(modelOf(run, others).folder, { threads: availableParallelism() });
  try {
    return answers.map((list, p) => {
      const records = list.map(({ text }) => ({ prompt: asked[p]!.turns, answer: text }));
      const scores = scorer.score(records).map((s) => ('reason' in s ? -Infinity : s.reward));
      return scores.indexOf(Math.max(...scores));
    });
  } finally {
    scorer.close();
  }
}

async function tell(report: Report, options: Options, terminal: Terminal): Promise<void> {
  if (options['json'] === true) return writeText(terminal, `${JSON.stringify(report)}\n`);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const lines: [string, string][] = [
    ['prompts', String(report.prompts)],
    ['greedy', percent(report.greedy)],
    ...Object.entries(report.pass).map(([k, share]): [string, string] => [`pass@${k}`, percent(share)]),
    ...(report.best === undefined ? [] : [[`best of ${report.samples}`, percent(report.best)] as [string, string]]),
    ['end by themselves', percent(report.ended)],
    ...(report.unjudged > 0 ? [['not judged', String(report.unjudged)] as [string, string]] : []),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  const body = lines.map(([name, value]) => `  ${name.padEnd(width)}  ${value.padStart(7)}\n`).join('');
  await writeText(terminal, `${report.model}: ${report.samples} answers to each prompt\n${body}`);
}
