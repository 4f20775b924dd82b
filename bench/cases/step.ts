import { execFileSync } from 'node:child_process';
import { asset } from '../../core/root.ts';
import { configOfDepth } from '../../trainer/model/config.ts';
import { flopsPerToken } from '../../trainer/model/size.ts';
import { alone } from '../../trainer/collectives/alone.ts';
import type { Batch } from '../../trainer/loader/samples.ts';
import type { Learner } from '../../trainer/parallel/learner.ts';
import { openLearner } from '../../trainer/parallel/open.ts';
import { ALONE } from '../../trainer/parallel/options.ts';
import { openSession } from '../../trainer/session.ts';
import { defineBench, median, type BenchOptions, type Figure } from '../harness.ts';

const BATCH = 12;
const SEQUENCE = 64;
const TOKENS = BATCH * SEQUENCE;

/**
 * The small CPU configuration known from nanoGPT (4 layers, 4 heads, width 128, context 64, batch 12, 65 tokens) as a
 * Llama-style model: RMSNorm without biases for LayerNorm, rotary positions for learned ones, SwiGLU of 352 for GELU of
 * 512 (3·352 against 2·512: 3 % more products), no biases. Embeddings are tied in both.
 */
const CONFIG = configOfDepth(4, {
  vocabulary: 65,
  context: SEQUENCE,
  width: 128,
  heads: 4,
  keyValueHeads: 4,
  headSize: 32,
  feedForward: 352,
});

const adam = { clip: 1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, learningRate: 1e-3 };

export default defineBench({
  name: 'step',
  limit: `products: ${((flopsPerToken(CONFIG) * TOKENS) / 1e9).toFixed(2)} GFLOP a step, float32`,
  async *run(options) {
    checkLearning();
    for (const threads of [1, 2]) yield await compare(threads, options);
  },
});

async function compare(threads: number, { quick, say }: BenchOptions): Promise<Figure> {
  const rounds = quick ? 2 : 5;
  const steps = quick ? 20 : 60;
  const learner = openOurs(threads);
  const rates = { ours: [] as number[], theirs: [] as number[] };
  let absent = '';
  for (let round = 0; round < rounds; round++) {
    rates.ours.push(tokensPerSecond(learner, steps));
    const theirs = pytorch(threads, steps);
    if (typeof theirs === 'number') rates.theirs.push(theirs);
    else absent = theirs;
  }
  learner.close();
  if (absent) say(`absent: PyTorch (${absent})`);
  const value = median(rates.ours);
  const achieved = (value * flopsPerToken(CONFIG)) / 1e9;
  const figure: Figure = {
    bench: 'step',
    case: `4 layers, width 128, batch 12 × 64, ${threads} thread${threads > 1 ? 's' : ''}`,
    metric: 'rate',
    value,
    unit: 'tokens/s',
    rival: 'PyTorch',
    note: `${((1000 * TOKENS) / value).toFixed(1)} ms a step, ${achieved.toFixed(0)} GFLOP/s of products`,
  };
  if (rates.theirs.length === 0) return figure;
  const rivalValue = median(rates.theirs);
  return { ...figure, rivalValue, ratio: value / rivalValue };
}

/** Forward, backward, clipping and AdamW: the median of the steps. */
function tokensPerSecond(learner: Learner, steps: number): number {
  const times: number[] = [];
  for (let step = 1; step <= steps + 5; step++) {
    const started = performance.now();
    const { tokens } = learner.accumulate(1, fill);
    learner.update({ ...adam, step, gradientScale: 1 / tokens });
    if (step > 5) times.push((performance.now() - started) / 1000);
  }
  return TOKENS / median(times);
}

function batch(vocabulary: number): { tokens: Int32Array; targets: Int32Array } {
  const token = (i: number) => (((i * 2654435761) >>> 7) + i * i) % vocabulary;
  return {
    tokens: Int32Array.from({ length: TOKENS }, (_, i) => token(i)),
    targets: Int32Array.from({ length: TOKENS }, (_, i) => token(i + 1)),
  };
}

/** What trains a model in `garner train` on one rank. */
const openOurs = (threads: number): Learner =>
  openLearner(
    CONFIG,
    { batch: BATCH, sequence: SEQUENCE, threads, engine: 'cpu', seed: 1, documents: false, parallel: ALONE },
    alone(),
  );

const fill = (_slot: number, into: Batch): void => {
  const { tokens, targets } = batch(CONFIG.vocabulary);
  into.tokens.set(tokens);
  into.targets.set(targets);
};

/** Before any timing: the gradient is the reference's, and ten steps lower the loss. */
function checkLearning(): void {
  const shape = { batch: BATCH, sequence: SEQUENCE, threads: 2, seed: 1 };
  const ours = openSession(CONFIG, { ...shape, engine: 'cpu' });
  const reference = openSession(CONFIG, { ...shape, engine: 'reference' });
  const data = batch(CONFIG.vocabulary);
  const first = ours.forwardBackward(data.tokens, data.targets);
  reference.forwardBackward(data.tokens, data.targets);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < ours.gradients.length; i++) {
    difference += (ours.gradients[i]! - reference.gradients[i]!) ** 2;
    size += reference.gradients[i]! ** 2;
  }
  if (!(Math.sqrt(difference / size) < 1e-5)) throw new Error(`the gradient is off by ${Math.sqrt(difference / size)}`);
  const learner = openOurs(2);
  const before = learner.evaluate(1, fill);
  if (!(Math.abs(before.lossSum / first.lossSum - 1) < 1e-6)) throw new Error('the learner is another model');
  tokensPerSecond(learner, 10);
  const after = learner.evaluate(1, fill);
  learner.close();
  if (!(after.lossSum < first.lossSum)) throw new Error(`the loss went from ${first.lossSum} to ${after.lossSum}`);
  ours.close();
  reference.close();
}

/** Tokens a second of bench/rivals/pytorch_step.py, or why there are none. Debian's PyTorch belongs to /usr/bin/python3. */
function pytorch(threads: number, steps: number): number | string {
  try {
    const openmp = '/usr/lib/x86_64-linux-gnu/openblas-openmp';
    const out = execFileSync(
      '/usr/bin/python3',
      [asset('bench/rivals/pytorch_step.py'), '--threads', String(threads), '--steps', String(steps), '--warmup', '5'],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LD_LIBRARY_PATH: openmp } },
    );
    const { runs } = JSON.parse(out) as { runs: { tokens_per_second: number }[] };
    return runs[0]!.tokens_per_second;
  } catch (error) {
    const words = String((error as { stderr?: unknown }).stderr ?? error).trim();
    return words.split('\n').at(-1)!;
  }
}
