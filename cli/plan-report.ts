import { describeLayout } from '../trainer/plan/candidates.ts';
import type { Layout, Memory } from '../trainer/plan/memory.ts';
import type { MeshReport, Plan, Question } from '../trainer/plan/plan.ts';
import { peakOf } from '../trainer/plan/gpus.ts';
import { formatCount, formatSeconds, three } from '../trainer/plan/quantity.ts';
import { displayWidth, formatTable } from './table.ts';

const PARTS = ['weights', 'gradients', 'optimizer', 'activations', 'other'] as const;
const BAR = 30;

/** The plan as a person reads it, in `width` columns. */
export function formatPlan(
  about: { name: string; question: Question; plan: Plan; layout: Layout; capacity: number },
  width: number,
): string {
  const { question: q, plan, layout, capacity } = about;
  const peak = peakOf(q.gpu, q.precision);
  const [first] = plan.meshes;
  const simulated = first?.simulated ? `; simulated ${three(100 * first.mfu)} %` : '';
  const unit = q.gpu.kind === 'cpu' ? 'rank' : 'GPU';
  const many = q.gpus === 1 ? '' : `${q.gpus.toLocaleString('en')} × `;
  const of = (name: string) => plan.assumptions.find((a) => a.name === name)!.value;
  const rows: [string, string, string][] = [
    ['time', formatSeconds(plan.seconds), `${formatCount(plan.gpuHours)} ${unit}-hours`],
    ['money', formatDollars(plan.dollars), `at $${three(Number(of('price')))} a ${unit} and hour`],
    ['energy', formatEnergy(plan.kilowattHours), `${three(q.gpu.power)} W a ${unit}, PUE ${three(Number(of('PUE')))}`],
    ['CO₂', formatMass(plan.co2Kilograms), `${three(Number(of('carbon')))} kg a kWh`],
    [
      'work',
      `${three(plan.flops)} FLOPs`,
      `${formatCount(plan.parameters)} parameters, ${formatCount(q.tokens.value)} tokens`,
    ],
    [
      'speed',
      `${three(plan.mfu * 100)} % MFU`,
      `${three((plan.mfu * peak) / 1e12)} of ${three(peak / 1e12)} TFLOP/s of ${q.precision}${simulated}`,
    ],
    [
      'data',
      `${three(20 * plan.chinchillaRatio)} a parameter`,
      `${three(plan.chinchillaRatio)} × Chinchilla’s 20${plan.lakeTokens === null ? '' : `; the lake holds ${formatCount(plan.lakeTokens)}`}`,
    ],
  ];
  const sections = [
    `${about.name} on ${many}${q.gpu.label}`,
    columns(rows, width),
    ...farFromSimulated(q, plan, width),
    formatMemory(plan.memoryPerGpu, capacity, plan.fits, `memory of a ${unit}: `, describeLayout(layout), width),
    ...(plan.meshes.length !== 1 ? [formatMeshes(plan.meshes, q.mesh !== undefined, width)] : []),
    `assumed\n${plan.assumptions.map((a) => assumption(a, width)).join('\n')}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

/** How far a simulated step may stay behind the speed that the planner took from published runs. */
const MOST_SLOWER = 2;

/** A word where nobody asked for the speed and the best mesh's own step is far slower: the batch is too small for the GPUs, say. */
function farFromSimulated(q: Question, { mfu, meshes: [first] }: Plan, width: number): string[] {
  if (q.mfu !== undefined || q.achieved !== undefined || !first?.simulated) return [];
  const slower = mfu / first.mfu;
  if (slower <= MOST_SLOWER) return [];
  const words = `the simulated step is ${three(slower)} times slower than the speed above, which other runs reached on fewer GPUs or larger batches; --mfu ${three(first.mfu)} plans with the simulation`;
  return [wrapped('note: ', words, width)];
}

/** Three columns, the last one cut by nobody. */
function columns(rows: readonly (readonly [string, string, string])[], width: number): string {
  const [a, b] = [0, 1].map((i) => Math.max(...rows.map((r) => displayWidth(r[i]!))));
  return rows
    .map(([x, y, z]) => {
      const pad = (text: string, to: number) => text + ' '.repeat(Math.max(0, to - displayWidth(text)));
      const head = `  ${pad(x, a!)}  ${pad(y, b!)}  `;
      return wrapped(head, z, width);
    })
    .join('\n');
}

function formatMemory(
  memory: Memory,
  capacity: number,
  fits: boolean,
  title: string,
  layout: string,
  width: number,
): string {
  const scale = Math.max(memory.total, capacity);
  const line = (name: string, bytes: number, bar: string) =>
    `  ${name.padEnd(11)}  ${`${gigabytes(bytes)} GB`.padStart(9)}  ${bar}`.trimEnd();
  let before = 0;
  const parts = PARTS.map((part) => {
    const from = Math.round((BAR * before) / scale);
    before += memory[part];
    const to = Math.max(Math.round((BAR * before) / scale), from);
    return line(part, memory[part], `${'·'.repeat(from)}${'█'.repeat(to - from)}${'·'.repeat(BAR - to)}`);
  });
  const verdict = fits ? `fits in ${gigabytes(capacity)} GB` : `does NOT fit in ${gigabytes(capacity)} GB`;
  return [
    wrapped(title, layout, width),
    ...parts,
    line('together', memory.total, `${Math.round((100 * memory.total) / capacity)} %, ${verdict}`),
  ].join('\n');
}

function formatMeshes(meshes: readonly MeshReport[], named: boolean, width: number): string {
  if (meshes.length === 0)
    return named
      ? 'this mesh does not fit\n  leave --mesh out to see which do; --recompute full and --zero 3 need less'
      : 'no mesh fits\n  more GPUs, --micro-batch 1, --recompute full or --zero 3 need less memory';
  const head = ['data', 'tensor', 'pipe', 'ctx', 'ZeRO', 'micro', 'again', 'GB', 'MFU', 'lost to'];
  const rows = meshes.map((m) => [
    m.data,
    m.tensor,
    m.chunks > 1 ? `${m.pipeline}×${m.chunks}` : String(m.pipeline),
    m.context,
    m.zero,
    m.microBatch,
    { none: 'no', selective: 'some', full: 'all' }[m.recompute],
    Number(gigabytes(m.memory)),
    `${(100 * m.mfu).toFixed(0)} %`,
    m.reason
      .replace(/^loses /, '')
      .split(', ')
      .filter((loss) => !loss.startsWith('kernels'))
      .slice(0, 2)
      .join(', ')
      .replaceAll(' %', '%')
      .replace('pipeline', 'bubble')
      .replace('stragglers', 'slow GPUs'),
  ]);
  return `meshes that fit, best first, by a simulated step\n${formatTable(head, rows, width)}`;
}

function assumption(a: Plan['assumptions'][number], width: number): string {
  const value = typeof a.value === 'number' ? formatValue(a.value) : a.value;
  return wrapped(`  ${a.name.padEnd(13)} `, `${[value, a.unit].filter(Boolean).join(' ')}: ${a.source}`, width);
}

const formatValue = (n: number): string => (Number.isInteger(n) && n < 1e6 ? n.toLocaleString('en') : three(n));

/** A text after its head, broken between words under where it began. */
function wrapped(head: string, text: string, width: number): string {
  const indent = displayWidth(head);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line && indent + displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return head + [...lines, line].join(`\n${' '.repeat(indent)}`);
}

const gigabytes = (bytes: number): string => {
  const n = bytes / 1e9;
  return n >= 100 ? Math.round(n).toLocaleString('en') : n >= 0.095 ? n.toFixed(1) : n.toFixed(3);
};

const formatDollars = (n: number): string =>
  n >= 1e6
    ? `$${three(n / 1e6)} million`
    : n >= 1000
      ? `$${Math.round(n).toLocaleString('en')}`
      : `$${n < 0.01 ? three(n) : n.toFixed(2)}`;
const formatEnergy = (kilowattHours: number): string =>
  kilowattHours >= 1e6
    ? `${three(kilowattHours / 1e6)} GWh`
    : kilowattHours >= 1e3
      ? `${three(kilowattHours / 1e3)} MWh`
      : `${three(kilowattHours)} kWh`;
const formatMass = (kilograms: number): string =>
  kilograms >= 1e3 ? `${three(kilograms / 1e3)} t` : `${three(kilograms)} kg`;
