import type { Output } from '../../core/stage/index.ts';
import { plain, short } from '../../core/progress.ts';
import type { Asked } from '../../trainer/align/sums.ts';
import { formatTable, type Cell } from '../table.ts';
import type { Standing } from './measure.ts';

/** What the ladder came to: a run a line, then three prompts before and after. */
export function alignReport(
  runs: readonly Output[],
  standings: ReadonlyMap<string, Standing>,
  shown: readonly Asked[],
  { prompts, seconds, width }: { prompts: number; seconds: number; width: number },
): string {
  const rows = runs.map((run): Cell[] => {
    const facts = run.facts as unknown as Facts;
    const standing = standings.get(run.stage);
    const before = standings.get(BEFORE);
    const change = (of: (s: Standing) => number) =>
      !standing || !before
        ? ''
        : run.stage === BEFORE
          ? percent(of(standing))
          : `${percent(of(before))} → ${percent(of(standing))}`;
    return [
      run.stage,
      short(facts.steps),
      // What GRPO pushes is around 0 at every step.
      run.stage === 'grpo' ? '' : `${facts.loss.first.toFixed(2)} → ${facts.loss.last.toFixed(2)}`,
      facts.held_out === undefined ? '' : percent(facts.held_out.accuracy),
      !standing || run.stage === BEFORE ? '' : standing.kl.toFixed(2),
      change((s) => s.greedy),
      change((s) => s.sampled),
      change((s) => s.sentences),
      !standing || run.stage === BEFORE || standing.wins === null ? '' : percent(standing.wins),
    ];
  });
  const head = ['stage', 'steps', 'loss', 'pairs', 'KL', 'greedy', 'sampled', 'full', 'wins'];
  const parameters = (runs[0]!.facts as unknown as Facts).parameters;
  const last = runs.at(-1)!.stage;
  const [first, ...others] = [...standings];
  const answers = shown.flatMap((asked, i) => [
    `  ${plain(asked.turns.at(-1)!.content)}`,
    ...[first!, ...others].map(([stage, s]) => `    ${stage.padEnd(9)} ${oneLine(s.shown[i]!)}`),
  ]);
  return [
    '',
    formatTable(head, rows, width),
    '',
    'Shares in %. pairs: held-out pairs that it orders rightly; wins: sampled',
    'answers that the reward model likes better than the fine-tuned model’s; KL:',
    `from that one, nats an answer. Of ${prompts} sums in no training: greedy, right by`,
    'the likeliest answer; sampled, right at temperature 1; full, in a sentence.',
    '',
    'Before and after, on prompts that no training saw:',
    ...answers,
    '',
    `A model of ${short(parameters)} parameters adds, answers in sentences and refuses politely;`,
    'general questions are beyond it.',
    `${Math.round(seconds)} seconds in all. Try next:`,
    `  bin/garner chat align-${last} --temperature 0`,
    `  bin/garner card align-${last}`,
    `  echo '{"prompt":"4 + 5 = ?","answer":"9"}' | bin/garner score align-reward`,
    '',
  ].join('\n');
}

/** The stage that others are held against. */
export const BEFORE = 'finetune';

interface Facts {
  steps: number;
  parameters: number;
  loss: { first: number; last: number };
  held_out?: { accuracy: number };
}

const percent = (share: number): string => `${(100 * share).toFixed(0)}`;

const oneLine = (text: string): string => {
  const flat = plain(text.replaceAll(/\s*\n\s*/g, ' ⏎ ')).trim();
  return flat === '' ? '(nothing)' : flat;
};
