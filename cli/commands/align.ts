import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { currentOutputs, openLake } from '../../core/lake/lake.ts';
import { createProgress } from '../../core/progress.ts';
import { askedIn } from '../align/answers.ts';
import { measureModels } from '../align/measure.ts';
import { alignRecipe, prepareAlign, TEST_FILE } from '../align/prepare.ts';
import { alignReport, BEFORE } from '../align/report.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import { runRecipe } from '../run.ts';
import { terminalWidth } from '../table.ts';

/** Stages whose models answer. */
const ANSWERING = [BEFORE, 'dpo', 'grpo'];

export default defineCommand({
  name: 'align',
  summary: 'the whole ladder on made sums: fine-tuning, reward model, DPO, GRPO; about ten minutes',
  options: [
    { flag: '--lake <dir>', about: 'the lake; the data lies beside it', default: 'lakes/align' },
    { flag: '--quickstart <dir>', about: 'lake of the quickstart, made if missing', default: 'lakes/quickstart' },
    { flag: '--workers <n>', about: 'child processes (default: cores)', parse: wholeNumber('--workers') },
    { flag: '--until <stage>', about: 'stop after this stage' },
  ],
  examples: ['npm run align'],
  async run(_, options, terminal) {
    const started = performance.now();
    const place = resolve(options['lake'] as string);
    const folder = `${place}-data`;
    const workers = options['workers'] as number | undefined;
    const quickstart = options['quickstart'] as string;
    await prepareAlign({ folder, quickstart, workers }, terminal, createProgress(terminal.stderr));
    const recipe = alignRecipe(folder);
    const lake = await openLake(place);
    await runRecipe({ lake, recipe, until: options['until'] as string | undefined, workers }, terminal);
    if (options['until'] !== undefined) return 0;

    const outputs = currentOutputs(lake, recipe.name);
    const runs = LADDER.flatMap((stage) => outputs.filter((o) => o.stage === stage));
    const checkpointOf = (stage: string) => {
      const found = outputs.find((o) => o.stage === stage)?.facts['checkpoint'];
      return typeof found === 'string' ? join(lake, found) : null;
    };
    const asked = await askedIn(join(folder, TEST_FILE));
    const sums = asked.filter((a) => a.reference !== null);
    const shown = [sums[0]!, sums[1]!, asked.find((a) => a.reference === null)!];
    const standings = measureModels({
      models: ANSWERING.flatMap((stage) => {
        const checkpoint = checkpointOf(stage);
        return checkpoint === null ? [] : [[stage, checkpoint] as const];
      }),
      reward: checkpointOf('reward'),
      asked,
      shown,
      threads: availableParallelism(),
    });
    const seconds = (performance.now() - started) / 1000;
    const about = { prompts: sums.length, seconds, width: terminalWidth(terminal) };
    terminal.stdout.write(alignReport(runs, standings, shown, about));
    return 0;
  },
});

/** The runs of the table, in order. */
const LADDER = ['pretrain', 'finetune', 'reward', 'dpo', 'grpo'];
