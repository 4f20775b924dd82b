import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { keyOf } from '../../core/hash.ts';
import { readTable } from '../../core/lake/parquet.ts';
import { currentOutputs } from '../../core/lake/lake.ts';
import { short } from '../../core/progress.ts';
import { steps as stepsTable } from '../../core/records/index.ts';
import type { Output } from '../../core/stage/index.ts';
import { checkMix } from '../../datasets/mix/expression.ts';
import { narrowed } from '../../datasets/mix/recipe.ts';
import { defineCommand, type Options } from '../command.ts';
import { drawCurve, type Point } from '../curve.ts';
import { detach, detached, EXECUTOR_FLAGS, executorOf, isToBeDetached } from '../executor.ts';
import { LAKE_FLAG, lakeFor } from '../lake.ts';
import { loadRecipe, type Recipe } from '../pipeline.ts';
import { asRank, checkMesh, dryRun, launchFor, RANK_FLAGS, spread } from '../ranks.ts';
import { runRecipe, wholeNumber } from '../run.ts';
import { checkpointOf, runName, TRAINING } from '../runs.ts';
import { formatTable, terminalWidth } from '../table.ts';

export default defineCommand({
  name: 'train',
  summary: 'train a recipe’s model, on a selection in SQL where asked',
  arguments: [{ name: '<recipe>', about: 'YAML file with a section pretrain' }],
  options: [
    { flag: '--where <sql>', about: 'only documents that fit, e.g. "language = \'en\' and words > 200"' },
    { flag: '--steps <n>', about: 'weight updates of the pretraining', parse: wholeNumber('--steps', 1) },
    { flag: '--run <name>', about: 'name of the run (default: <recipe>-pretrain)', parse: runNamed },
    ...RANK_FLAGS,
    { ...LAKE_FLAG, about: 'the lake (default: lakes/<name of the recipe>)' },
    {
      flag: '--workers <n>',
      about: 'child processes before training (default: cores)',
      parse: wholeNumber('--workers'),
    },
    ...EXECUTOR_FLAGS,
    { flag: '--wait', about: 'wait where another process writes the lake' },
    { flag: '--json', about: 'the runs as JSON lines, without a curve' },
  ],
  examples: [
    'garner train my.yaml',
    `garner train my.yaml --steps 500 \\\n    --where "language = 'en' and gopher_quality.words > 100"`,
    'garner train my.yaml --ranks 8 --mesh tensor=2,pipeline=2 --dry-run',
    'mpirun -n 8 garner train my.yaml',
  ],
  async run([path], options, terminal) {
    const written = loadRecipe(path!);
    if (!written.pretrain)
      throw new GarnerError({
        what: 'the recipe trains no model',
        where: path,
        hint: 'give it a section "pretrain"',
        fault: 2,
      });
    // By itself, before the recipe's own selection stands around it.
    const where = options['where'] as string | undefined;
    if (where !== undefined) await checkMix({ where, by: [] });
    const launch = launchFor(options);
    const recipe = spread(changed(written, options), options, launch);
    const lake = lakeFor(options, written.name);
    if (options['dryRun']) return dryRun(recipe, lake, launch, terminal);
    const place = executorOf(options);
    checkMesh(recipe, launch, place.executor === 'slurm');
    if (isToBeDetached(place)) return detached(await detach(lake, { recipe, ...place }), terminal);
    const given = {
      lake,
      recipe,
      workers: options['workers'] as number | undefined,
      wait: options['wait'] === true,
      ...place,
    };
    if (launch.ranks === 1) await runRecipe(given, terminal);
    else {
      const ran = await asRank({ launch, lake, digest: keyOf(recipe) }, terminal, (progress, signal) =>
        runRecipe({ ...given, progress, signal, trainHere: true }, terminal),
      );
      if (ran === null) return 0;
    }
    const runs = currentOutputs(lake, recipe.name).filter((o) => TRAINING.includes(o.stage));
    if (options['json']) {
      for (const run of runs)
        terminal.stdout.write(
          `${JSON.stringify({ run: runName(run), key: run.key, stage: run.stage, ...run.facts })}\n`,
        );
      return 0;
    }
    for (const run of runs) terminal.stdout.write(await aboutRun(lake, run, terminalWidth(terminal)));
    terminal.stdout.write(
      `\nLet it write:\n  garner sample ${runName(runs.findLast((r) => r.stage !== 'reward')!)} --lake ${lake} --prompt "…"\n`,
    );
    return 0;
  },
});

function runNamed(name: string): string {
  if (/^[\w.-]+$/.test(name)) return name;
  throw new GarnerError({
    what: `--run is "${name}"`,
    where: 'argument',
    hint: 'letters, digits, ".", "_" and "-" only',
    fault: 2,
  });
}

/** The recipe as the options change it. A selection gives it a name of its own, so that both can be looked at. */
function changed(recipe: Recipe, options: Options): Recipe {
  const { where, steps, run } = options as { where?: string; steps?: number; run?: string };
  const length = steps === undefined ? {} : { steps };
  const named = (stage: string) => (run === undefined ? {} : { name: `${run}${stage}` });
  return {
    ...recipe,
    ...(where === undefined
      ? {}
      : { name: `${recipe.name}-${keyOf(where).slice(0, 8)}`, mix: narrowed(recipe.mix, recipe.name, where) }),
    pretrain: { ...recipe.pretrain!, ...length, ...named('') },
    ...(recipe.finetune ? { finetune: { ...recipe.finetune, ...named('-finetune') } } : {}),
  };
}

interface Facts {
  steps: number;
  tokens: number;
  parameters: number;
  loss: { first: number; last: number };
  validation_loss: number | null;
  bits_per_byte: number | null;
}

/** What the loss is the mean of, where that is not the tokens. */
const UNITS: Record<string, string> = { reward: 'pair', dpo: 'pair' };

/** A table and the loss curve of a run, as a person sees them. */
async function aboutRun(lake: string, run: Output, width: number): Promise<string> {
  const facts = run.facts as unknown as Facts;
  const unit = UNITS[run.stage] ?? 'token';
  const losses: Point[] = [];
  const file = join(lake, run.files.find((f) => f.path.endsWith('steps.parquet'))!.path);
  for await (const rows of readTable([file], stepsTable, { columns: ['step', 'loss'] }))
    losses.push(...rows.map((r) => [r.step, r.loss] as const));
  const rate = tokensPerSecond(join(lake, 'runs', run.key, 'timing.jsonl'));
  const rows = [
    ['parameters', short(facts.parameters)],
    ['steps', short(facts.steps)],
    ['trained tokens', short(facts.tokens)],
    ...(rate === null ? [] : [['tokens a second', short(Math.round(rate))]]),
    ['loss', `${facts.loss.first.toFixed(3)} → ${facts.loss.last.toFixed(3)} nats a ${unit}`],
    ...(facts.validation_loss === null
      ? []
      : [['validation loss', `${facts.validation_loss.toFixed(3)} nats a ${unit}`]]),
    ...(facts.bits_per_byte === null ? [] : [['bits per byte', facts.bits_per_byte.toFixed(3)]]),
    ['checkpoint', relative(process.cwd(), checkpointOf(lake, run))],
  ];
  const curve = drawCurve(losses, Math.min(width, 80), 13);
  return `\n${formatTable([runName(run), ''], rows, width)}\n\nloss [nats a ${unit}] by step\n${curve}\n`;
}

/** Median over the steps that this machine timed; null without any. */
function tokensPerSecond(path: string): number | null {
  if (!existsSync(path)) return null;
  const rates = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => (JSON.parse(line) as { tokens_per_second: number }).tokens_per_second)
    .toSorted((a, b) => a - b);
  return rates[Math.floor(rates.length / 2)] ?? null;
}
