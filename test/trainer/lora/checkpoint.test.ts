import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCheckpoint, loadWeights, saveCheckpoint } from '../../../trainer/checkpoint/checkpoint.ts';
import { readConfig } from '../../../trainer/checkpoint/config.ts';
import { writeSafetensors } from '../../../trainer/checkpoint/safetensors.ts';
import { alone } from '../../../trainer/collectives/alone.ts';
import { TARGETS } from '../../../trainer/lora/lora.ts';
import { configOfDepth, type ModelConfig } from '../../../trainer/model/config.ts';
import { parametersOf } from '../../../trainer/model/size.ts';
import type { Learner } from '../../../trainer/parallel/learner.ts';
import { openLearner } from '../../../trainer/parallel/open.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import { openDecoder } from '../../../trainer/session.ts';
import { normals } from '../ops/harness.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'garner-lora-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const open = (config: ModelConfig): Learner =>
  openLearner(
    config,
    { batch: 1, sequence: 16, threads: 1, engine: 'cpu', seed: 1, documents: false, parallel: ALONE },
    alone(),
  );
const save = (learner: Learner) =>
  saveCheckpoint(folder, {
    learner,
    state: { step: 1, samples: 0, tokens: 0, seed: 1, recipe: 'x' },
    end: 0,
    beside: {},
  });

const same = (a: Float32Array, b: Float32Array) => a.length === b.length && a.every((x, i) => x === b[i]);

test('rank 4 on all linears of 3.7 M parameters: below 3 % of the bytes; the merged model decodes as the adapter model', async () => {
  const base = configOfDepth(4, { vocabulary: 2048, context: 32 });
  expect(parametersOf(base)).toBeGreaterThan(2_500_000);
  const learner = open({ ...base, lora: { rank: 4, alpha: 8, targets: TARGETS, rows: [2046, 2047] } });
  learner.tensors.forEach(({ name, shape }, i) => {
    if (/lora_B|delta/.test(name))
      learner.place(name, 'weight', Float32Array.from(normals(shape[0]! * shape[1]!, i + 1, 0.05)));
  });
  const path = await save(learner);
  const bytes = (name: string) => statSync(join(path, name)).size;
  expect(bytes('adapter/adapter_model.safetensors') / bytes('model.safetensors')).toBeLessThan(0.03);

  const tokens = Int32Array.from({ length: 16 }, (_, i) => (i * 131) % 2048);
  const said: number[] = [];
  learner.values(
    1,
    (_, into) => {
      into.tokens.set(tokens);
      for (let i = 0; i < 16; i++) into.targets[i] = (i * 577 + 11) % 2048;
    },
    (_, values) => said.push(...values),
  );
  const config = readConfig(join(path, 'config.json'));
  expect(config).toEqual(base);
  const merged = open(config);
  loadWeights(path, merged);
  const decoder = openDecoder(config, (name) => merged.collect(name, 'weight')!, {
    length: 32,
    threads: 1,
    engine: 'cpu',
  });
  tokens.forEach((token, i) => {
    const logits = decoder.feed([token]);
    const most = Math.max(...logits);
    const lse = most + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - most), 0));
    expect(Math.abs(lse - logits[(i * 577 + 11) % 2048]! - said[i]!)).toBeLessThan(1e-5);
  });
  decoder.close();

  const again = open(learner.config);
  for (const { name, trained } of again.tensors)
    if (!trained) again.place(name, 'weight', learner.collect(name, 'weight')!);
  expect(loadCheckpoint(path, again).step).toBe(1);
  for (const { name } of again.tensors)
    expect(same(again.collect(name, 'weight')!, learner.collect(name, 'weight')!), name).toBe(true);
});

test('a table of fewer tokens gets rows at the mean; one of another width, or of more tokens, is refused', async () => {
  const small = configOfDepth(1, { vocabulary: 40, context: 16, width: 32, headSize: 16, tiedEmbeddings: false });
  const learner = open(small);
  const path = await save(learner);
  for (const name of ['model.embed_tokens.weight', 'lm_head.weight']) {
    const grown = open({ ...small, vocabulary: 43 });
    loadWeights(path, grown);
    const [was, is] = [learner.collect(name, 'weight')!, grown.collect(name, 'weight')!];
    expect(is.slice(0, was.length)).toEqual(was);
    for (let row = 40; row < 43; row++)
      for (let c = 0; c < 32; c++) {
        let mean = 0;
        for (let r = 0; r < 40; r++) mean += was[r * 32 + c]! / 40;
        expect(is[row * 32 + c]).toBeCloseTo(mean, 7);
      }
  }
  expect(() => loadWeights(path, open({ ...small, vocabulary: 39 }))).toThrow('is [40, 32], the model needs [39, 32]');
  const wide = join(folder, 'wide');
  mkdirSync(wide);
  writeSafetensors(join(wide, 'model.safetensors'), [
    { name: 'model.embed_tokens.weight', shape: [30, 31], data: () => new Float32Array(30 * 31) },
  ]);
  expect(() => loadWeights(wide, open(small))).toThrow('is [30, 31], the model needs [40, 32]');
});
