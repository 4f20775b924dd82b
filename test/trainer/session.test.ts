import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findCompiler } from '../../core/native/compile.ts';
import { compiledModule } from '../../core/root.ts';
import { openReference } from '../../trainer/engines/reference.ts';
import { configOfDepth, type ModelConfig } from '../../trainer/model/config.ts';
import { initialise } from '../../trainer/model/initialise.ts';
import { fillTable } from '../../trainer/ops/rope/reference.ts';
import type { Tensor } from '../../trainer/ops/define.ts';
import { layOut, plan } from '../../trainer/program/plan.ts';
import { bind, reserveArena, viewOf, type Region } from '../../trainer/program/replay.ts';
import { trainingPrograms } from '../../trainer/session/programs.ts';
import { verify } from '../../trainer/program/verify.ts';
import { openSession, type SessionOptions, type TrainingSession } from '../../trainer/session.ts';
import { distance } from './ops/harness.ts';

const tiny: ModelConfig = configOfDepth(2, {
  vocabulary: 19,
  context: 32,
  width: 16,
  heads: 4,
  keyValueHeads: 2,
  headSize: 6,
  feedForward: 24,
});
const noCompiler = findCompiler() === null;
if (noCompiler) console.warn('skipped: no C compiler, so the CPU engine is not compared');

function open(options: Partial<SessionOptions> = {}, config = tiny): TrainingSession {
  return openSession(config, { batch: 3, sequence: 11, threads: 2, engine: 'cpu', seed: 7, ...options });
}

/** Rows of a sequence that can be learned by heart; every fifth target is ignored. */
function rows(count: number, vocabulary = tiny.vocabulary) {
  const token = (i: number) => (i * i * 3 + i) % vocabulary;
  return {
    tokens: Int32Array.from({ length: count }, (_, i) => token(i)),
    targets: Int32Array.from({ length: count }, (_, i) => (i % 5 === 4 ? -1 : token(i + 1))),
    documents: Int32Array.from({ length: count }, (_, i) => Math.floor(i / 4)),
  };
}

const adam = { clip: 1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };

function train(session: TrainingSession, steps: number, data = rows(33, session.config.vocabulary)): number[] {
  return Array.from({ length: steps }, (_, i) => {
    session.zeroGradients();
    const { lossSum, tokens } = session.forwardBackward(data.tokens, data.targets);
    session.update({ ...adam, step: i + 1, learningRate: 2e-2, gradientScale: 1 / tokens });
    return lossSum / tokens;
  });
}

describe.each([
  { name: 'tied embeddings', config: tiny, documents: false },
  { name: 'a head of its own, documents in a row', config: { ...tiny, tiedEmbeddings: false }, documents: true },
])('the gradient of a whole model: $name', ({ config, documents }) => {
  test('in float64 agrees with central differences', () => {
    const model = openFloat64(config, documents);
    model.learn();
    const analytic = Float64Array.from(model.gradients);
    const count = 150;
    const places = Array.from({ length: count }, (_, i) => Math.floor((i * model.weights.length) / count));
    places.push(model.weights.length - 1);
    const numeric = places.map((place) => {
      const value = model.weights[place]!;
      const at = (v: number) => {
        model.weights[place] = v;
        return model.loss();
      };
      const slope = (at(value + 1e-5) - at(value - 1e-5)) / 2e-5;
      model.weights[place] = value;
      return slope;
    });
    expect(numeric.filter((x) => x !== 0).length).toBeGreaterThan(count / 2);
    expect(
      distance(
        places.map((p) => analytic[p]!),
        numeric,
      ),
    ).toBeLessThan(1e-6);
  });

  test.skipIf(noCompiler)('in C agrees with float64', () => {
    const model = openFloat64(config, documents);
    model.learn();
    const session = open({}, config);
    const data = rows(33);
    const { lossSum } = session.forwardBackward(data.tokens, data.targets, documents ? data.documents : undefined);
    expect(Math.abs(lossSum / model.loss() - 1)).toBeLessThan(1e-6);
    expect(distance(session.gradients, model.gradients)).toBeLessThan(1e-5);
    for (const { name, gradient, shape } of session.tensors) {
      const from = (gradient.byteOffset - session.gradients.byteOffset) / 4;
      const wanted = model.gradients.subarray(from, from + gradient.length);
      expect(shape.reduce((n, d) => n * d, 1)).toBe(gradient.length);
      expect(distance(gradient, wanted), name).toBeLessThan(2e-5);
    }
    session.close();
  });
});

/** The recorded program over a float64 arena on the reference engine. */
function openFloat64(config: ModelConfig, documents: boolean) {
  const engine = openReference();
  const { fixed, learn, judge } = trainingPrograms(config, 3, 11);
  const plans = { learn: plan(learn, 8), judge: plan(judge, 8) };
  verify(learn, plans.learn);
  verify(judge, plans.judge);
  const places = new Map<Tensor, number>();
  const bytes = {
    weights: layOut(fixed.weights, 8, places, false),
    gradients: layOut(fixed.gradients, 8, places, false),
    optimizer: 0,
    inputs: layOut(Object.values(fixed.inputs), 8, places, true),
    activations: Math.max(plans.learn.activations, plans.judge.activations),
  };
  const arena = reserveArena(engine, bytes, places);
  const view = (tensor: Tensor) => viewOf(tensor, arena, plans.learn);
  fillTable(view(fixed.inputs.table), 11, config.headSize, config.ropeTheta);
  const data = rows(33);
  const { tokens, targets, scales, starts, positions } = fixed.inputs;
  view(tokens).set(data.tokens);
  view(targets).set(data.targets);
  view(scales).fill(1);
  // the documents of rows() are 4 tokens long; a row of 11 begins where it begins
  const start = (i: number) => (documents ? Math.max(0, Math.floor(i / 4) * 4 - Math.floor(i / 11) * 11) : 0);
  view(starts).set(Float64Array.from({ length: 33 }, (_, i) => start(i)));
  view(positions).set(Float64Array.from({ length: 33 }, (_, i) => (i % 11) - start(i)));
  const float32 = new Map(fixed.weights.map((w) => [w.name, new Float32Array(view(w).length)]));
  initialise(config, 7, (name) => float32.get(name)!);
  for (const w of fixed.weights) view(w).set(float32.get(w.name)!);
  const judged = viewOf(judge.loss, arena, plans.judge);
  const run = bind(judge, plans.judge, arena, engine);
  return {
    weights: wholeOf(arena.regions.weights, bytes.weights),
    gradients: wholeOf(arena.regions.gradients, bytes.gradients),
    learn: bind(learn, plans.learn, arena, engine),
    loss: () => {
      run();
      return Array.from(judged).reduce((sum, l) => sum + l, 0);
    },
  };
}

const wholeOf = ({ buffer, byteOffset }: Region, bytes: number) => new Float64Array(buffer, byteOffset, bytes / 8);

test.each(['cpu', 'reference'] as const)('%s: twenty steps on one batch learn it by heart', (engine) => {
  const session = open({ engine });
  const losses = train(session, 20);
  expect(Math.abs(losses[0]! - Math.log(19))).toBeLessThan(0.1);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! / 3);
  const data = rows(33);
  const judged = session.evaluate(data.tokens, data.targets);
  expect(judged.lossSum / judged.tokens).toBeLessThan(losses.at(-1)!);
  session.close();
});

test('the same seed gives the same losses to the bit, on any number of threads; another seed does not', () => {
  const [a, b, c, d] = [{ threads: 1 }, { threads: 1 }, { threads: 3 }, { seed: 8 }].map((options) => {
    const session = open(options);
    const losses = train(session, 5);
    session.close();
    return losses;
  });
  expect(b).toEqual(a);
  expect(c).toEqual(a);
  expect(d).not.toEqual(a);
});

test('a judged batch has the loss of a learned one, and changes nothing', () => {
  const session = open();
  const data = rows(33);
  const before = Float32Array.from(session.gradients);
  const judged = session.evaluate(data.tokens, data.targets, data.documents);
  expect(session.gradients).toEqual(before);
  expect(session.forwardBackward(data.tokens, data.targets, data.documents)).toEqual(judged);
  expect(judged.tokens).toBe(27);
  session.close();
});

test('gradients of micro-batches add up', () => {
  const session = open();
  const data = rows(33);
  session.forwardBackward(data.tokens, data.targets);
  const once = Float32Array.from(session.gradients);
  session.forwardBackward(data.tokens, data.targets);
  expect(
    distance(
      session.gradients,
      once.map((g) => 2 * g),
    ),
  ).toBeLessThan(1e-6);
  session.close();
});

test('a document in a row has the loss that it has alone', () => {
  const length = 8;
  const alone = open({ batch: 2, sequence: length });
  const together = open({ batch: 1, sequence: 2 * length });
  const { tokens, targets } = rows(2 * length);
  const documents = Int32Array.from({ length: 2 * length }, (_, i) => (i < length ? 5 : 3));
  const apart = alone.evaluate(tokens, targets).lossSum;
  expect(Math.abs(together.evaluate(tokens, targets, documents).lossSum / apart - 1)).toBeLessThan(1e-6);
  expect(Math.abs(together.evaluate(tokens, targets).lossSum / apart - 1)).toBeGreaterThan(1e-6);
  alone.close();
  together.close();
});

test('a gradient that is not finite changes no weight and is told', () => {
  const session = open();
  const before = Float32Array.from(session.weights);
  session.gradients[5] = Infinity;
  const { gradientNorm } = session.update({ ...adam, step: 1, learningRate: 1, gradientScale: 1 });
  expect(gradientNorm).toBe(Infinity);
  expect(session.weights).toEqual(before);
  session.close();
});

test.each(['q_proj', 'up_proj', 'embed_tokens', 'layers.1.input_layernorm'])(
  'a weight of %s that is no number makes the loss no number: a training that is lost is seen',
  (name) => {
    const { tokens, targets } = rows(33);
    for (const engine of ['cpu', 'reference'] as const) {
      const session = open({ engine });
      session.tensors.find((t) => t.name.includes(name))!.weight[1] = NaN;
      expect(session.forwardBackward(tokens, targets).lossSum, engine).toBeNaN();
      expect(session.update({ ...adam, step: 1, learningRate: 1, gradientScale: 1 }).gradientNorm).toBeNaN();
      session.close();
    }
  },
);

test('what no kernel may see is refused', () => {
  const session = open();
  const { tokens, targets } = rows(33);
  expect(() =>
    session.forwardBackward(
      tokens.map((t, i) => (i === 32 ? 19 : t)),
      targets,
    ),
  ).toThrow(/vocabulary has 19/);
  expect(() =>
    session.forwardBackward(
      tokens,
      targets.map(() => -2),
    ),
  ).toThrow(/vocabulary has 19/);
  expect(() => session.forwardBackward(tokens.subarray(1), targets)).toThrow(/33 tokens/);
  expect(() => open({ sequence: 33 })).toThrow(/context of 32/);
  expect(() => open({}, { ...tiny, keyValueHeads: 3 })).toThrow(/must divide|cannot share/);
  session.close();
});

test('all zones lie in one arena, apart from each other', () => {
  const { weights, gradients, moments } = open();
  expect(new Set([weights, gradients, moments.first, moments.second].map((z) => z.buffer)).size).toBe(1);
  const zones = [weights, gradients, moments.first, moments.second];
  zones.forEach((zone, i) => zone.fill(i + 1));
  zones.forEach((zone, i) => expect(zone.every((x) => x === i + 1)).toBe(true));
});

test('a model that no machine holds is refused with what would need the memory', () => {
  const huge = { ...tiny, context: 2 ** 20, vocabulary: 2 ** 20 };
  expect(() => open({ batch: 2 ** 14, sequence: 2 ** 20 }, huge)).toThrow(/GB of memory cannot be had: weights/);
});

const compiled = compiledModule('trainer/session');
test.skipIf(!existsSync(compiled))('without a C compiler the reference engine runs, and one notice says so', () => {
  const script = `
    const { openSession } = await import(${JSON.stringify(pathToFileURL(compiled).href)});
    const config = ${JSON.stringify(tiny)};
    for (let i = 0; i < 2; i++) {
      const session = openSession(config, { batch: 1, sequence: 4, threads: 2, engine: 'cpu', seed: 7 });
      const { lossSum } = session.evaluate(Int32Array.of(1, 2, 3, 4), Int32Array.of(2, 3, 4, 5));
      if (i) console.log(lossSum);
    }`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...process.env, GARNER_NO_COMPILER: '1' },
  });
  const session = open({ engine: 'reference', batch: 1, sequence: 4 });
  const { lossSum } = session.evaluate(Int32Array.of(1, 2, 3, 4), Int32Array.of(2, 3, 4, 5));
  expect(child.stdout.trim()).toBe(String(lossSum));
  expect(child.stderr.trim()).toMatch(/^no C compiler: [^\n]+$/);
});

test('memory is told, and activations share it by lifetime', () => {
  const session = open({ batch: 8, sequence: 32 });
  const { weights, gradients, optimizer } = session.memory();
  expect([weights, gradients]).toEqual([session.parameters * 4, session.parameters * 4]);
  expect(optimizer).toBeGreaterThanOrEqual(session.parameters * 8);
  const { learn } = trainingPrograms(tiny, 8, 32);
  const planned = plan(learn);
  expect(planned.activations).toBeLessThan(planned.unshared / 1.5);
  session.close();
});
