import { GarnerError } from '../../core/errors.ts';
import { openLake } from '../../core/lake/lake.ts';
import { createProgress } from '../../core/progress.ts';
import { run } from '../../core/stage/index.ts';
import { kubernetesExecutor, submitWith } from '../../core/stage/kubernetes/executor.ts';
import { kubernetesSection, type KubernetesSettings } from '../../core/stage/kubernetes/settings.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand, Interrupted, type Flag, type Options } from '../command.ts';
import { LAKE_FLAG, lakeFor } from '../lake.ts';
import { loadRecipe, STAGES, type Recipe } from '../pipeline.ts';

/** Options that stand for a key of the recipe's executor.kubernetes. */
const SETTINGS = ['image', 'claim', 'mount', 'namespace', 'most', 'cpus', 'memory'] as const;

const setting = (flag: string, about: string, parse?: Flag['parse']): Flag => ({
  flag,
  about,
  ...(parse ? { parse } : {}),
});

export default defineCommand({
  name: 'plan tasks',
  summary: 'the next stage of a recipe as a manifest for a cluster, from its task list',
  arguments: [{ name: '<recipe>', about: 'YAML file' }],
  options: [
    { flag: '--kubernetes', about: 'an Indexed Job, as YAML on standard output' },
    { ...LAKE_FLAG, about: 'the lake, on a volume that the pods have too (default: lakes/<recipe>)' },
    { flag: '--until <stage>', about: 'stop after this stage' },
    setting('--image <name>', 'image with garner in its PATH (default: garner:<version>)'),
    setting('--claim <name>', 'claim that holds the lake (default: garner)'),
    setting('--mount <path>', 'where it is mounted, here and there (default: the lake)'),
    setting('--namespace <name>', 'namespace of the Job'),
    setting('--most <n>', 'pods at once (default: 100)', wholeNumber('--most', 1)),
    setting('--cpus <n>', 'CPUs of a task (default: 1)'),
    setting('--memory <n>', 'memory of a task (default: 4Gi)'),
    { flag: '--attempts <n>', about: 'how often a task is tried', default: 3, parse: wholeNumber('--attempts', 1) },
    { flag: '--submit <command>', about: 'give each manifest to this command, wait, and go on to the end' },
    { flag: '--wait', about: 'wait where another process writes the lake' },
  ],
  examples: [
    'garner plan tasks my.yaml --kubernetes > job.yaml',
    'garner plan tasks my.yaml --kubernetes --submit "kubectl apply -f -"',
  ],
  async run([path], options, terminal) {
    if (options['kubernetes'] !== true)
      throw new GarnerError({
        what: 'no engine is named',
        where: 'argument',
        hint: 'add --kubernetes; for Slurm there is "garner run RECIPE --executor slurm"',
        fault: 2,
      });
    const recipe = loadRecipe(path!);
    const settings = settingsOf(recipe, options);
    if (recipe.mix) await (await import('../../datasets/mix/expression.ts')).checkMix(recipe.mix);
    const lake = await openLake(lakeFor(options, recipe.name));
    const submit = options['submit'] as string | undefined;
    const aborting = new AbortController();
    const stop = () => aborting.abort();
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    const progress = createProgress(terminal.stderr);
    let emitted: string | null = null;
    const executor = kubernetesExecutor({
      settings,
      wait: submit !== undefined,
      async emit(manifest, { metadata, spec }) {
        emitted = metadata.name;
        progress.notice(`${metadata.name}: ${spec.completions} indexes`);
        if (submit === undefined) terminal.stdout.write(manifest);
        else await submitWith(submit, manifest);
      },
    });
    try {
      await run({
        lake,
        recipe,
        stages: STAGES,
        executor,
        progress,
        until: options['until'] as string | undefined,
        wait: options['wait'] === true,
        attempts: options['attempts'] as number,
        signal: aborting.signal,
      });
      progress.notice(
        emitted === null || submit !== undefined
          ? 'nothing is left to do'
          : 'when its tasks are done, the same command gives the next stage',
      );
      return 0;
    } catch (error) {
      throw aborting.signal.aborted ? new Interrupted('stopped') : error;
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      progress.close();
    }
  },
});

/** The recipe's executor.kubernetes, and over it what stands on the command line. */
function settingsOf(recipe: Recipe, options: Options): KubernetesSettings {
  const section = (recipe['executor'] as { kubernetes?: KubernetesSettings } | undefined)?.kubernetes ?? {};
  const given = SETTINGS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]] as const);
  const settings = kubernetesSection.safeParse({ ...section, ...Object.fromEntries(given) });
  if (settings.success) return settings.data;
  const [issue] = settings.error.issues;
  throw new GarnerError({
    what: issue!.message,
    where: `--${String(issue!.path[0])}`,
    hint: 'see "garner plan tasks --help"',
    fault: 2,
  });
}
