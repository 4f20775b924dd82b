import { configOfDepth } from '../../trainer/model/config.ts';
import { parametersOf } from '../../trainer/model/size.ts';
import { sampleMany, type ManyOptions, type Sampled } from '../../trainer/sample/many.ts';
import { openBatchDecoder } from '../../trainer/session/batch-decoder.ts';
import { openSession, type TrainingSession } from '../../trainer/session.ts';
import { defineBench, median, type Figure } from '../harness.ts';

const PROMPT = 8;
const TOKENS = 256;
const CONFIG = configOfDepth(4, { vocabulary: 2048, context: PROMPT + TOKENS });
const PARAMETERS = parametersOf(CONFIG);
const THREADS = 2;
const OPTIONS: ManyOptions = { tokens: TOKENS, temperature: 1, topK: 0, topP: 1, seed: 1, stop: [] };

export default defineBench({
  name: 'sampler',
  limit: `one sequence: ${((PARAMETERS * 4) / 1e6).toFixed(0)} MB of weights a token from the caches; many: ${((PARAMETERS * 2) / 1e6).toFixed(1)} MFLOP a token`,
  async *run({ quick }) {
    const session = openSession(CONFIG, {
      batch: 8,
      sequence: PROMPT + TOKENS,
      threads: THREADS,
      engine: 'cpu',
      seed: 1,
    });
    learn(session, quick ? 4 : 12);
    const weights = new Map(session.tensors.map((t) => [t.name, t.weight]));
    const open = (slots: number) =>
      openBatchDecoder(CONFIG, (name) => weights.get(name)!, {
        slots,
        rows: Math.max(64, slots),
        length: PROMPT + TOKENS,
        threads: THREADS,
        engine: 'cpu',
      });
    const alone = sampleMany(open(1), prompts(8), OPTIONS);
    for (const batch of [1, 8]) {
      const sampled = sampleMany(open(batch), prompts(8), OPTIONS);
      if (JSON.stringify(sampled) !== JSON.stringify(alone)) throw new Error(`in batches of ${batch} answers differ`);
      yield {
        bench: 'sampler',
        case: `log-probability of ${TOKENS} sampled tokens, batch ${batch}`,
        metric: 'worst difference from the training program',
        value: worst(session, sampled, quick ? 32 : TOKENS),
        unit: 'nats',
        bar: '<= 0.00001',
      };
    }
    for (const batch of [1, 8, 32]) yield speed(open(batch), batch, quick ? 3 : 7);
    session.close();
  },
});

const prompts = (count: number) =>
  Array.from({ length: count }, (_, i) => Array.from({ length: PROMPT }, (__, k) => (i * 31 + k * 7) % 2048));

/** Some steps, so that the model is sure of some tokens. */
function learn(session: TrainingSession, steps: number): void {
  const size = 8 * (PROMPT + TOKENS);
  for (let step = 1; step <= steps; step++) {
    const row = (shift: number) => Int32Array.from({ length: size }, (_, i) => ((i + shift) * 17 + step) % 300);
    session.zeroGradients();
    const { tokens } = session.forwardBackward(row(0), row(1));
    session.update({
      step,
      learningRate: 3e-3,
      gradientScale: 1 / tokens,
      clip: 1,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: 0,
    });
  }
}

/** The greatest |ln p − ln p| over some places of all rows, the training program running on eight rows at once. */
function worst(session: TrainingSession, sampled: readonly Sampled[], places: number): number {
  const length = PROMPT + TOKENS;
  const before = prompts(8);
  const tokens = Int32Array.from(sampled.flatMap(({ ids }, i) => [...before[i]!, ...ids]));
  let most = 0;
  for (let i = 0; i < places; i++) {
    const at = Math.floor((i * TOKENS) / places);
    const row = i % 8;
    const targets = new Int32Array(tokens.length).fill(-1);
    targets[row * length + PROMPT + at - 1] = sampled[row]!.ids[at]!;
    most = Math.max(most, Math.abs(sampled[row]!.logprobs[at]! + session.evaluate(tokens, targets).lossSum));
  }
  return most;
}

function speed(decoder: ReturnType<typeof openBatchDecoder>, batch: number, runs: number): Figure {
  const these = prompts(batch);
  sampleMany(decoder, these, { ...OPTIONS, tokens: 16 });
  const rates = Array.from({ length: runs }, () => {
    const started = performance.now();
    sampleMany(decoder, these, OPTIONS);
    return (batch * TOKENS) / ((performance.now() - started) / 1000);
  });
  decoder.close();
  const value = median(rates);
  const bytes = (value / batch) * PARAMETERS * 4;
  return {
    bench: 'sampler',
    case: `${(PARAMETERS / 1e6).toFixed(1)} M parameters, batch ${batch}, ${THREADS} threads`,
    metric: 'rate',
    value,
    unit: 'tokens/s',
    note: `${(bytes / 1e9).toFixed(0)} GB/s of weights, ${((value * PARAMETERS * 2) / 1e9).toFixed(0)} GFLOP/s`,
  };
}
