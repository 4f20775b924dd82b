import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { writeAtomically } from '../../core/files.ts';
import { describeLayout } from '../../trainer/plan/candidates.ts';
import type { Layout } from '../../trainer/plan/memory.ts';
import { parsePlanMesh } from '../../trainer/plan/mesh.ts';
import { plan, type Question } from '../../trainer/plan/plan.ts';
import { quantity, type Bounds } from '../../trainer/plan/quantity.ts';
import { FAMILIES } from '../../trainer/plan/shape.ts';
import { defineCommand, type Flag } from '../command.ts';
import { LAKE_FLAG } from '../lake.ts';
import { formatPlan } from '../plan-report.ts';
import { questionOf } from '../plan-question.ts';
import { terminalWidth } from '../table.ts';

/** An option that takes a number: its words and its bounds. */
function number(flag: string, about: string, bounds: Omit<Bounds, 'option'>, more: Partial<Flag> = {}): Flag {
  const option = flag.split(' ')[0]!;
  return { flag, about, parse: (text) => quantity(text, { option, ...bounds }), ...more };
}

const count = (flag: string, about: string, unit: string, most: number, more: Partial<Flag> = {}): Flag =>
  number(flag, about, { least: 1, most, whole: true, unit }, more);

/** An option that takes one of a few words. */
function choice(flag: string, about: string, words: readonly string[], more: Partial<Flag> = {}): Flag {
  return {
    flag,
    about,
    parse(text) {
      if (words.includes(text)) return text;
      throw new GarnerError({
        what: `${flag.split(' ')[0]!} is "${text.slice(0, 60)}"`,
        where: 'argument',
        hint: `it must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`,
        fault: 2,
      });
    },
    ...more,
  };
}

const hidden = { hidden: true };

export default defineCommand({
  name: 'plan',
  summary: 'what a training will cost: time, money, energy, memory and mesh',
  arguments: [{ name: '[recipe]', about: 'YAML file with a section pretrain; or name a model' }],
  options: [
    { flag: '--model <name>', about: 'a published model: llama-7b, gpt3-175b, qwen3-8b, …' },
    count('--tokens <n>', 'tokens to train on: 2T, 300B, 1e9', 'tokens', 1e18),
    { flag: '--gpu <name>', about: 'a100, h100, b200, tpu-v4, … (default: h100)' },
    count('--gpus <n>', 'how many (default: 1)', 'GPUs', 1e6),
    count('--sequence <n>', 'length of a row (default: what the model had)', 'tokens', 2 ** 27),
    count('--batch <n>', 'rows of a step', 'rows', 1e9),
    choice('--precision <type>', 'bf16, fp8 or fp32 products', ['bf16', 'fp8', 'fp32']),
    number('--mfu <share>', 'share of the peak that the model gets', {
      least: 1e-4,
      most: 1,
    }),
    number('--tflops <n>', 'achieved a GPU, recomputation included', { least: 1e-6, most: 1e6, unit: 'TFLOP/s' }),
    choice('--flops <count>', 'exact (default) or 6nd', ['exact', '6nd']),
    choice('--recompute <how>', 'none, selective or full', ['none', 'selective', 'full']),
    { flag: '--mesh <axes>', about: 'data=128,tensor=8,pipeline=1,context=1', parse: parsePlanMesh },
    count('--chunks <n>', 'pieces of a pipeline stage: interleaving', 'chunks', 1000),
    number('--zero <stage>', 'shared out: 1 optimizer, 2 gradients, 3 weights', {
      least: 0,
      most: 3,
      whole: true,
    }),
    count('--micro-batch <n>', 'rows that go through the model at once', 'rows', 1e6),
    number('--gpu-memory <GB>', 'memory of a GPU', { least: 0.001, most: 1e6, unit: 'GB' }),
    number('--price <dollars>', 'of a GPU and hour', { least: 0, most: 1e6, unit: 'dollars' }),
    number('--pue <factor>', 'the building’s power over the computers’', { least: 1, most: 10 }),
    number('--carbon <kg>', 'CO₂ of a kWh', { least: 0, most: 10, unit: 'kilograms' }),
    number('--failures <rate>', 'of a GPU and hour, e.g. 2e-5', { least: 0, most: 1, unit: 'failures' }),
    { flag: '--plot <file.svg>', about: 'simulate more and fewer GPUs, and draw the curves' },
    { ...LAKE_FLAG, about: 'the recipe’s lake, for its tokens' },
    { flag: '--json', about: 'one JSON object in SI units, bytes and dollars' },
    count('--layers <n>', 'layers of a shape by hand', 'layers', 1e5, hidden),
    count('--width <n>', 'channels', 'channels', 1e6, hidden),
    count('--heads <n>', 'query heads', 'heads', 1e5, hidden),
    count('--kv-heads <n>', 'key and value heads', 'heads', 1e5, hidden),
    count('--feed-forward <n>', 'inner width of SwiGLU', 'channels', 1e7, hidden),
    count('--vocabulary <n>', 'rows of the embedding', 'tokens', 1e8, hidden),
    choice('--family <name>', 'kind of blocks of a shape by hand', Object.keys(FAMILIES), hidden),
    choice('--attention <kind>', 'whether its matrix is kept', ['flash', 'matrix'], hidden),
    { flag: '--no-sequence-parallel', about: 'norms whole on each tensor-parallel GPU', hidden: true },
  ],
  examples: [
    'garner plan my.yaml',
    'garner plan --model llama-7b --tokens 2T --gpu a100 --gpus 1024',
    'garner plan --layers 12 --width 768 --heads 12 --kv-heads 4 \\\n    --feed-forward 2048 --vocabulary 32000 --tokens 10B --gpu rtx4090',
  ],
  async run([recipe], options, terminal) {
    if (options['mfu'] !== undefined && options['tflops'] !== undefined)
      throw new GarnerError({
        what: '--mfu and --tflops both say how fast it runs',
        hint: 'give one of them',
        fault: 2,
      });
    const { question, name } = questionOf(recipe, options);
    const made = plan(question);
    if (options['plot'] !== undefined) await plot(options['plot'] as string, name, question, made.layout);
    if (options['json']) terminal.stdout.write(`${JSON.stringify(made.plan)}\n`);
    else terminal.stdout.write(formatPlan({ name, question, ...made }, Math.min(80, terminalWidth(terminal))));
    return 0;
  },
});

/** Simulates the layout on more and fewer GPUs and writes the picture. Throws a GarnerError. */
async function plot(file: string, name: string, question: Question, layout: Layout): Promise<void> {
  const [{ scalingCurve }, { drawScaling }] = await Promise.all([
    import('../../trainer/plan/simulate/scaling.ts'),
    import('../../trainer/plan/simulate/plot.ts'),
  ]);
  const { shape, gpu, failures, memory } = question;
  const points = scalingCurve({
    shape,
    gpu,
    layout,
    ...(failures === undefined ? {} : { failures }),
    ...(memory === undefined ? {} : { memory }),
  });
  const picture = drawScaling(points, { title: `${name} on ${gpu.label}`, note: describeLayout(layout) });
  try {
    await writeAtomically(file, picture);
  } catch (error) {
    throw explainSystemError(error, file);
  }
}
