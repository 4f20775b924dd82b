import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';
import type { Terminal } from '../../cli/command.ts';
import { main } from '../../cli/main.ts';
import { displayWidth } from '../../cli/table.ts';
import { recipeManifestPath } from '../../core/lake/layout.ts';
import { markerPath } from '../../core/stage/marker.ts';
import type { Plan } from '../../trainer/plan/plan.ts';

async function garner(line: string, columns = 80): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          said[name] += chunk.toString();
          done();
        },
      }),
      { columns },
    );
  const terminal = { stdin: process.stdin, stdout: into('out'), stderr: into('err') } as unknown as Terminal;
  const code = await main(['plan', ...line.split(/\s+/).filter(Boolean)], terminal);
  return { code, ...said };
}

const plan = async (line: string): Promise<Plan> => {
  const { code, out, err } = await garner(`${line} --json`);
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as Plan;
};

const LLAMA = '--model llama-7b --tokens 2T --gpu a100 --gpus 1024';
const folder = mkdtempSync(join(tmpdir(), 'garner-plan-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a speed that a simulated step is far from is told, and not where somebody named it', async () => {
  const many = '--model llama3.1-405b --gpu h100 --gpus 1000000';
  const { out } = await garner(many);
  const [, slower, share] = /note: the simulated step is ([\d.]+) times slower[^]*--mfu\s+([\d.]+) plans/.exec(out)!;
  expect(Number(slower) * Number(share)).toBeCloseTo(0.43, 1);
  expect(out.split('\n').every((line) => displayWidth(line) <= 80)).toBe(true);
  expect((await garner(`${many} --mfu ${share}`)).out).not.toContain('note:');
  expect((await garner(LLAMA)).out).not.toContain('note:');
});

test('--json has exactly its keys, in SI units and bytes', async () => {
  const p = await plan(LLAMA);
  expect(Object.keys(p)).toEqual([
    'parameters',
    'flops',
    'sequence',
    'mfu',
    'seconds',
    'gpuHours',
    'dollars',
    'kilowattHours',
    'co2Kilograms',
    'chinchillaRatio',
    'lakeTokens',
    'memoryPerGpu',
    'fits',
    'meshes',
    'assumptions',
  ]);
  expect(Object.keys(p.memoryPerGpu)).toEqual(['weights', 'gradients', 'optimizer', 'activations', 'other', 'total']);
  expect(p).toMatchObject({ parameters: 6_738_415_616, sequence: 2048, lakeTokens: null, fits: true });
  expect(p.gpuHours).toBeCloseTo((p.seconds * 1024) / 3600, 6);
  expect(p.dollars).toBeCloseTo(p.gpuHours * 1.75, 6);
  expect(p.kilowattHours).toBeCloseTo(p.gpuHours * 0.4 * 1.1, 6);
  expect(p.co2Kilograms).toBeCloseTo(p.kilowattHours * 0.385, 6);
  expect(p.chinchillaRatio).toBeCloseTo(2e12 / (20 * 6_738_415_616), 10);
  expect(p.seconds).toBeCloseTo(p.flops / (1024 * 312e12 * p.mfu), 3);
});

test('what nobody can know stands among the assumptions, each with its source', async () => {
  const p = await plan(LLAMA);
  expect(p.assumptions.map((a) => a.name)).toEqual(
    expect.arrayContaining(['MFU', 'price', 'power', 'PUE', 'carbon', 'failures']),
  );
  for (const a of p.assumptions) expect(a.source, a.name).toMatch(/\S/);
});

test('meshes fit, multiply to the GPUs, come best first and say why', async () => {
  const { meshes } = await plan('--model llama3.1-70b --gpu h100 --gpus 512');
  expect(meshes.length).toBeGreaterThan(1);
  for (const m of meshes) {
    expect(m.data * m.tensor * m.pipeline * m.context).toBe(512);
    expect(m.memory).toBeLessThanOrEqual(80e9);
    expect([m.simulated, m.reason]).toEqual([true, expect.stringMatching(/^loses /)]);
    expect(m.mfu).toBeGreaterThan(0.1);
  }
  expect(meshes[0]!.mfu).toBeGreaterThan(meshes.at(-1)!.mfu);
});

describe('every option moves what it should', async () => {
  const base = await plan(LLAMA);
  test.each<[string, (p: Plan) => void]>([
    ['--sequence 1024', (p) => expect(p.flops).toBeLessThan(base.flops)],
    ['--mfu 0.305', (p) => expect(p.seconds / base.seconds).toBeCloseTo(base.mfu / 0.305, 6)],
    ['--tflops 156', (p) => expect(p.mfu).toBeCloseTo(0.5, 10)],
    ['--tflops 156 --recompute full', (p) => expect(p.mfu).toBeCloseTo(0.5 * 0.75, 2)],
    ['--flops 6nd', (p) => expect(p.flops).toBe(6 * 6_738_415_616 * 2e12)],
    ['--recompute full', (p) => expect(p.meshes.every((m) => m.recompute === 'full')).toBe(true)],
    [
      '--mesh data=128,tensor=8,pipeline=1,context=1',
      (p) => expect(p.meshes).toMatchObject([{ data: 128, tensor: 8, pipeline: 1, context: 1, zero: 1 }]),
    ],
    ['--mesh data=512,context=2 --zero 3', (p) => expect(p.memoryPerGpu.weights).toBeLessThan(1e8)],
    ['--mesh data=128,tensor=8 --zero 0', (p) => expect(p.memoryPerGpu.optimizer).toBeGreaterThan(10e9)],
    ['--mesh data=128,pipeline=8 --chunks 2', (p) => expect(p.meshes[0]).toMatchObject({ chunks: 2 })],
    ['--micro-batch 2', (p) => expect(p.meshes.every((m) => m.microBatch === 2)).toBe(true)],
    [
      '--batch 4096',
      (p) => expect(p.assumptions.find((a) => a.name === 'batch')).toMatchObject({ value: 4096, source: 'asked for' }),
    ],
    ['--gpu-memory 1', (p) => expect([p.fits, p.meshes]).toEqual([false, []])],
    ['--price 3.5', (p) => expect(p.dollars).toBeCloseTo(2 * base.dollars, 3)],
    ['--pue 2.2', (p) => expect(p.kilowattHours).toBeCloseTo(2 * base.kilowattHours, 3)],
    ['--carbon 0', (p) => expect(p.co2Kilograms).toBe(0)],
    ['--failures 2e-5', (p) => expect(p.seconds / base.seconds).toBeGreaterThan(1.01)],
    ['--precision fp32', (p) => expect(p.seconds).toBeGreaterThan(5 * base.seconds)],
    [
      '--attention matrix --recompute none --mesh data=128,tensor=8',
      (p) => expect(p.memoryPerGpu.activations).toBeGreaterThan(5e9),
    ],
    ['--no-sequence-parallel --mesh data=128,tensor=8', (p) => expect(p.fits).toBe(true)],
  ])('%s', async (option, check) => check(await plan(`${LLAMA} ${option}`)));
});

test('failures at Llama 3’s rate on 16,384 GPUs leave about 90 % of the time', async () => {
  const line = '--model llama3.1-405b --gpus 16384';
  const share = (await plan(line)).seconds / (await plan(`${line} --failures 2e-5`)).seconds;
  expect(share).toBeGreaterThan(0.88);
  expect(share).toBeLessThan(0.93);
});

test('tokens and length are the model’s own where none are asked for', async () => {
  expect((await plan('--model llama2-7b --gpu a100')).flops / 4.6085e10).toBeCloseTo(2e12, -9);
  expect((await plan('--model llama2-7b --gpu a100')).sequence).toBe(4096);
  expect((await plan('--model gpt2-124m')).chinchillaRatio).toBeCloseTo(1, 6);
});

test('a shape by hand', async () => {
  const p = await plan(
    '--layers 30 --width 576 --heads 9 --kv-heads 3 --feed-forward 1536 --vocabulary 49152 --gpu rtx4090',
  );
  expect(p.parameters).toBe(134_515_008 + 49_152 * 576);
  const gpt = '--layers 12 --width 768 --heads 12 --vocabulary 50257 --family gpt --sequence 1024';
  expect((await plan(gpt)).parameters).toBe(124_439_808);
});

test('longer rows than a model has learned positions lengthen them', async () => {
  const p = await plan('--model gpt2 --sequence 4096');
  expect(p.parameters).toBe(124_439_808 + 3072 * 768);
  expect(p.assumptions.find((a) => a.name === 'sequence')!.source).toMatch(/1024 learned positions are lengthened/);
});

test('--plot writes the curves as a picture, beside the plan', async () => {
  const file = join(folder, 'curve.svg');
  const { code, out } = await garner(`--model gpt2 --gpu a100 --gpus 8 --plot ${file}`);
  expect([code, out.includes('memory of a GPU')]).toEqual([0, true]);
  expect(readFileSync(file, 'utf8')).toMatch(/^<svg [^]*gpt2-124m on A100/);
  const refused = await garner(`--model gpt2 --gpu a100 --plot ${join(file, 'curve.svg')}`);
  expect(refused.code).toBe(2);
});

test('a recipe: its model, its steps, this machine’s cores, and the tokens of its lake', async () => {
  const file = join(folder, 'r.yaml');
  writeFileSync(
    file,
    'name: r\nfiles: [{ path: a.jsonl }]\ntokenizer: { vocabulary: 1000 }\npretrain: { sequence: 64, batch: 4, steps: 10, ranks: 1, threads: 1 }\n',
  );
  const p = await plan(`${file} --lake ${join(folder, 'none')}`);
  expect(p).toMatchObject({ sequence: 64, lakeTokens: null, fits: true });
  expect(p.assumptions.find((a) => a.name === 'tokens')!.value).toBe(2560);
  expect((await plan(`${file} --gpu h100 --tokens 1B --lake ${join(folder, 'none')}`)).seconds).toBeGreaterThan(0);
});

test('the tokens of a lake are counted, and an epoch is its train split', async () => {
  const file = join(folder, 'lake.yaml');
  writeFileSync(file, 'name: l\nfiles: [{ path: a.jsonl }]\npretrain: { epochs: 2, threads: 1, ranks: 1 }\n');
  const lake = join(folder, 'lake');
  const shard = (tokens: number) => ({ documents: 1, bytes: 1, tokens, vocabulary: 500, tokenizer: 'x' });
  const facts = {
    'train-00000.arrow': shard(1000),
    'train-00001.arrow': shard(500),
    'validation-00000.arrow': shard(70),
  };
  const marker = markerPath(lake, 'shards', 'shards', 'k');
  mkdirSync(dirname(marker), { recursive: true });
  writeFileSync(marker, JSON.stringify({ stage: 'shards', unit: 'shards', key: 'k', files: [], counts: {}, facts }));
  mkdirSync(join(lake, 'recipes'));
  const outputs = [{ stage: 'shards', unit: 'shards', key: 'k' }];
  writeFileSync(recipeManifestPath(lake, 'l'), JSON.stringify({ name: 'l', recipe: {}, outputs }));
  const p = await plan(`${file} --lake ${lake}`);
  expect(p.lakeTokens).toBe(1570);
  expect(p.assumptions.find((a) => a.name === 'tokens')!.value).toBe(3000);
  expect((await garner(`${file} --lake ${lake}`)).out).toContain('the lake holds 1,570');
});

test('a recipe’s own mesh is planned as it stands', async () => {
  const file = join(folder, 'mesh.yaml');
  writeFileSync(
    file,
    'name: r\nfiles: [{ path: a.jsonl }]\npretrain: { sequence: 64, batch: 8, steps: 10, threads: 1, parallel: { data: 2, tensor: 2, zero: 1 } }\n',
  );
  const p = await plan(`${file} --lake ${join(folder, 'none')}`);
  expect(p.meshes).toMatchObject([{ data: 2, tensor: 2, pipeline: 1, context: 1, zero: 1, recompute: 'none' }]);
  expect((await garner(`${file} --mesh data=3 --lake ${join(folder, 'none')}`)).err).toMatch(/= 3, but --gpus is 4/);
});

describe('the report', () => {
  test.each([
    LLAMA,
    '--model llama3.1-405b --gpus 16384 --failures 2e-5',
    '--model gpt3 --gpu v100 --gpus 10000',
    '--model gpt2 --gpu a100 --gpu-memory 0.5',
  ])('%s fits 80 columns', async (line) => {
    const { code, out } = await garner(line);
    expect(code).toBe(0);
    for (const text of out.split('\n')) expect([text, displayWidth(text) <= 80]).toEqual([text, true]);
    for (const part of ['time', 'money', 'energy', 'CO₂', 'memory of a GPU', 'assumed', 'Chinchilla'])
      expect(out).toContain(part);
  });
  test('says so where nothing fits', async () => {
    expect((await garner('--model gpt3 --gpu rtx4090 --gpus 2')).out).toMatch(/does NOT fit[^]*no mesh fits/);
  });
});

describe('bad input ends with exit code 2 and one sentence', () => {
  const recipe = join(folder, 'no-tokens.yaml');
  writeFileSync(recipe, 'name: empty\nfiles: [{ path: a.jsonl }]\npretrain: {}\n');
  const untrained = join(folder, 'no-model.yaml');
  writeFileSync(untrained, 'name: none\nfiles: [{ path: a.jsonl }]\n');
  test.each([
    ['', /nothing is named to plan/],
    ['--model lama-7b', /no model is called "lama-7b"[^]*did you mean "llama-7b"/],
    ['--model llama-7b --gpu a1000', /no GPU is called "a1000"[^]*did you mean "a100"/],
    [`${LLAMA} --mesh data=128,tensor=4`, /= 512, but --gpus is 1024/],
    [
      `${LLAMA} --mesh data=1024 --micro-batch 4 --batch 1000`,
      /a batch of 1000 rows for data 1024 × micro-batch 4 = 4096/,
    ],
    ['--model llama-7b --tokens -5', /--tokens is "-5"/],
    ['--model llama-7b --tokens 10e30', /--tokens is "10e30"[^]*from 1 to 1e18/],
    ['--model llama-7b --tokens 0', /--tokens is "0"/],
    ['--model llama-7b --tokens 2Q', /--tokens is "2Q"/],
    ['--model llama-7b --tokens NaN', /--tokens is "NaN"/],
    ['--model llama-7b --gpus 0', /--gpus is "0"/],
    ['--model llama-7b --gpus 1.5', /--gpus is "1.5"/],
    ['--model llama-7b --mfu 1.5', /--mfu is "1.5"/],
    ['--model llama-7b --mfu 0.4 --tflops 100', /both say how fast/],
    ['--model llama-7b --gpu a100 --tflops 400', /128 % of A100 SXM 80 GB’s peak of 312 TFLOP\/s/],
    ['--model llama-7b --gpu a100 --precision fp8', /has no fp8 products/],
    ['--model llama-7b --zero 4', /--zero is "4"\n {2}a whole number from 0 to 3 is expected/],
    ['--model llama-7b --sequence 1e9', /a whole number of tokens from 1 to 134,217,728 is expected/],
    ['--model llama-7b --flops 5nd', /--flops is "5nd"[^]*exact or 6nd/],
    ['--model llama-7b --recompute some', /none, selective or full/],
    ['--model llama-7b --price -1', /--price is "-1"/],
    ['--model llama-7b --pue 0.5', /--pue is "0.5"/],
    ['--model llama-7b --failures 1 --gpus 1000', /leave no time to train/],
    ['--layers 3 --width 64 --vocabulary 100 --family gtp', /--family is "gtp"/],
    ['--model gpt2 --family gpt', /--family is of a shape by hand/],
    ['--model llama-7b --chunks 2', /name the pipeline with --mesh/],
    ['--model llama-7b --layers 3', /--model and --layers both name a model/],
    ['--layers 3 --width 64', /--vocabulary is missing/],
    ['--layers 3 --width 64 --heads 3 --vocabulary 100', /a width of 64 in 3 heads/],
    ['/no/such/recipe.yaml', /no such file/],
    [untrained, /trains no model/],
    [recipe, /does not say how many tokens/],
  ])('%s', async (line, message) => {
    const { code, out, err } = await garner(`${line} --lake ${join(folder, 'none')}`);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
    expect(err.trim().split('\n').length).toBeLessThanOrEqual(2);
  });
});
