import { Writable } from 'node:stream';
import type { Plan } from '../trainer/plan/plan.ts';
import {
  CARBON,
  MESHES,
  PRICES,
  TIMES,
  type PublishedMesh,
  type PublishedRun,
  type Unit,
} from '../trainer/plan/published.ts';
import { three } from '../trainer/plan/quantity.ts';
import type { Terminal } from './command.ts';
import { main } from './main.ts';

/** A published run beside what `garner plan` says to its inputs: with the published speed, and with the planner's own guess. */
export interface ComparedRun {
  row: PublishedRun;
  of: 'time' | 'money' | 'CO₂';
  computed: number;
  /** Computed over published. */
  ratio: number;
  guessed: number;
  guessedRatio: number;
  /** The planner's own MFU. */
  guessedMfu: number;
}

/** What `garner WORDS` prints in 80 columns. Throws where it fails. */
export async function outputOf(words: readonly string[]): Promise<string> {
  const said = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          said[name] += chunk.toString();
          done();
        },
      }),
      { columns: 80 },
    );
  const code = await main(words, {
    stdin: process.stdin,
    stdout: into('out'),
    stderr: into('err'),
  } as unknown as Terminal);
  if (code !== 0) throw new Error(`garner ${words.join(' ')} ended with ${code}: ${said.err}`);
  return said.out;
}

const planOf = async (words: string): Promise<Plan> =>
  JSON.parse(await outputOf(['plan', ...words.split(/\s+/), '--json'])) as Plan;

/** What a row's unit means in a plan. */
function outcomeOf(plan: Plan, unit: Unit): number {
  const tokens = Number(plan.assumptions.find((a) => a.name === 'tokens')!.value);
  const hours = plan.seconds / 3600;
  const outcomes: Record<Unit, number> = {
    s: plan.seconds,
    h: hours,
    days: hours / 24,
    'GPU-hours': plan.gpuHours,
    'tokens/s': tokens / plan.seconds,
    'tokens/s a GPU': tokens / (plan.gpuHours * 3600),
    $: plan.dollars,
    't CO₂': plan.co2Kilograms / 1000,
  };
  return outcomes[unit];
}

/** Runs `garner plan` on every published run, twice. */
export async function comparedRuns(): Promise<ComparedRun[]> {
  const kinds = [
    ['time', TIMES],
    ['money', PRICES],
    ['CO₂', CARBON],
  ] as const;
  const compared: ComparedRun[] = [];
  for (const [of, rows] of kinds) {
    for (const row of rows) {
      const computed = outcomeOf(await planOf(`${row.given} ${row.efficiency}`), row.unit);
      const own = await planOf(row.given);
      const guessed = outcomeOf(own, row.unit);
      compared.push({
        row,
        of,
        computed,
        guessed,
        ratio: computed / row.outcome,
        guessedRatio: guessed / row.outcome,
        guessedMfu: own.mfu,
      });
    }
  }
  return compared;
}

/** Runs `garner plan` on every published mesh. */
export async function comparedMeshes(): Promise<{ row: PublishedMesh; plan: Plan }[]> {
  const compared = [];
  for (const row of MESHES) compared.push({ row, plan: await planOf(row.given) });
  return compared;
}

/** Both comparisons as Markdown tables, for docs/guides/cost.md. */
export function publishedTables(
  comparedRuns: readonly ComparedRun[],
  comparedMeshes: readonly { row: PublishedMesh; plan: Plan }[],
): string {
  const runs = comparedRuns.map(
    ({ row, of, computed, ratio, guessed, guessedRatio, guessedMfu }) =>
      `| ${row.run} | ${of} | \`${row.efficiency}\` | ${figure(row.outcome, row.unit)} | ${figure(computed, row.unit)} | ${ratio.toFixed(2)} | ${guessedMfu.toFixed(2)} | ${figure(guessed, row.unit)} | ${guessedRatio.toFixed(2)} |`,
  );
  const meshes = comparedMeshes.map(
    ({ row, plan }) =>
      `| ${row.run} | ${row.fits ? 'ran' : 'cannot'} | ${plan.fits ? 'fits' : 'does not fit'} | ${(plan.memoryPerGpu.total / 1e9).toFixed(1)} | ${row.gigabytes ?? '–'} |`,
  );
  return [
    '| run | of | published speed | published | garner | ratio | own MFU | garner by it | ratio |',
    '|---|---|---|---|---|---|---|---|---|',
    ...runs,
    '',
    `The median error of the planner’s own guess is ${(100 * medianGuess(comparedRuns)).toFixed(1)} % over the times.`,
    '',
    '| mesh | in truth | garner says | GB a GPU | other sums |',
    '|---|---|---|---|---|',
    ...meshes,
  ].join('\n');
}

/** Median error of the times by the planner's own MFU. */
export function medianGuess(runs: readonly ComparedRun[]): number {
  const errors = runs.filter((r) => r.of === 'time').map((r) => Math.abs(r.guessedRatio - 1));
  return errors.toSorted((a, b) => a - b)[Math.floor(errors.length / 2)]!;
}

const figure = (n: number, unit: string): string => (unit === '$' ? `$${three(n)}` : `${three(n)} ${unit}`);
